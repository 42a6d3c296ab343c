"""User agents: those of browsers give no reason, those of programs are recognised."""

import pytest

from shortener.classification.bot_user_agents import bot_reason, strip_device_model

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"

BROWSERS = {
    "Chrome on Windows": f"{WINDOWS} Chrome/152.0.0.0 Safari/537.36",
    "Edge on Windows": f"{WINDOWS} Chrome/152.0.0.0 Safari/537.36 Edg/152.0.0.0",
    "Opera": f"{WINDOWS} Chrome/150.0.0.0 Safari/537.36 OPR/121.0.0.0",
    "Vivaldi": f"{WINDOWS} Chrome/150.0.0.0 Safari/537.36 Vivaldi/7.5.3735.58",
    "Yandex Browser": f"{WINDOWS} Chrome/136.0.0.0 YaBrowser/25.6.0.0 Safari/537.36",
    "Firefox on Linux": "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:151.0) Gecko/20100101 Firefox/151.0",
    "Tor Browser": "Mozilla/5.0 (Windows NT 10.0; rv:128.0) Gecko/20100101 Firefox/128.0",
    "LibreWolf": "Mozilla/5.0 (X11; Linux x86_64; rv:151.0) Gecko/20100101 Firefox/151.0",
    "Safari on a Mac": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) "
    "AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/26.5 Safari/605.1.15",
    "Safari on an iPhone": f"{IPHONE} Version/26.6 Mobile/15E148 Safari/604.1",
    "Chrome on an iPhone": f"{IPHONE} CriOS/152.0.7444.102 Mobile/15E148 Safari/604.1",
    "Firefox on an iPhone": f"{IPHONE} FxiOS/151.0 Mobile/15E148 Safari/605.1.15",
    "a television's browser": "Mozilla/5.0 (Linux armv7l) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/84.0.4147.140 "
    "Safari/537.36 OPR/46.0.2207.0 OMI/4.21.4.112.Catcher4.69 Model/X",
    "another television's browser": "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/68.0.3440.106 Safari/537.36 WebAppManager",
    "a simple phone": "SonyEricssonU10/R1x Browser/NetFront/3.5 Profile/MIDP-2.1 "
    "Configuration/CLDC-1.1 JavaPlatform/JP-8.5",
    "UC Browser": "dv(iPh10,2);pr(UCBrowser/13.9.8.1767);ov(15_4_1);ss(375x667);bt(UC);pm(0);bv(0);nm(0);im(0);nt(2);",
    "the Google app": f"{IPHONE} GSA/382.0.123 Mobile/15E148 Safari/604.1",
    "an in-app view on iOS": f"{IPHONE} Mobile/15E148",
    "Instagram": f"{IPHONE} Mobile/15E148 Instagram 406.0.0.30.112 (iPhone15,3; iOS 18_6; de_DE; de; scale=3.00)",
    "Facebook": f"{IPHONE} Mobile/15E148 [FBAN/FBIOS;FBAV/530.0.0.42.70;FBBV/1;FBDV/iPhone15,3;FBMD/iPhone]",
    "LinkedIn": f"{IPHONE} Mobile/15E148 [LinkedInApp]/9.31.5541",
    "Chrome on Android": "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/152.0.0.0 Mobile Safari/537.36",
    "Samsung Internet": "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
    "SamsungBrowser/29.0 Chrome/136.0.0.0 Mobile Safari/537.36",
    "an Android build that a crawler list has": "Mozilla/5.0 (Linux; Android 15; CPH2557 "
    "Build/AP3A.240617.008; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/142.0.7444.142 "
    "Mobile Safari/537.36 Instagram 406.0.0.58.159 Android (35/15; 480dpi; 1080x2400; OPPO; CPH2557)",
    "a phone called CUBOT": "Mozilla/5.0 (Linux; Android 9; CUBOT X19) "
    "AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0.0.0 Mobile Safari/537.36",
    "CUBOT after an underscore": "Mozilla/5.0 (Linux; Android 11; CUBOT_NOTE_20) AppleWebKit/537.36 (KHTML, "
    "like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36",
    "a phone called M bot": "Mozilla/5.0 (Linux; Android 7.0; M bot 51) "
    "AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/81.0.4044.138 Mobile Safari/537.36",
    "a phone called Spider": "Mozilla/5.0 (Linux; Android 13; Spider 8) "
    "AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/124.0.0.0 Mobile Safari/537.36",
    "a phone called Discovery": "Mozilla/5.0 (Linux; Android 5.1; Discovery 108C) AppleWebKit/537.36 (KHTML, "
    "like Gecko) Chrome/75.0.3770.89 Safari/537.36",
    "a tablet with brackets": "Mozilla/5.0 (Linux; Android 12; Radar Tab (2022) Build/SP1A.210812.016) "
    "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "SmartNews": f"{IPHONE} Mobile/15E148 SmartNews/24.5.0 (iPhone; iOS 18.6)",
    "Google News": f"{IPHONE} GoogleNews/5.100 Mobile/15E148 Safari/604.1",
    "WeChat": "Mozilla/5.0 (Linux; Android 13; V2123A Build/TP1A; wv) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Version/4.0 Chrome/116.0.0.0 Mobile Safari/537.36 MicroMessenger/8.0.50 WeChat/arm64 toolsmp/1",
    "Sogou's browser": "Mozilla/5.0 (Linux; Android 10; B01) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Version/4.0 "
    "Chrome/98.0.4758.102 Mobile Safari/537.36 AWP/2.0 SogouMSE,SogouMobileBrowser/6.1.54",
    "Slack's desktop app": f"{MAC} Slack/4.45.64 Chrome/134.0.6998.205 Electron/35.1.5 Safari/537.36 Slack_SSB",
    "WhatsApp's desktop app": f"{WINDOWS} WhatsApp/2.2587.9 Chrome/136.0.7103.49 Electron/36.1.0 Safari/537.36",
    "Mattermost's desktop app": f"{WINDOWS} Mattermost/5.12.1 Chrome/134.0.6998.88 Electron/35.0.3 Safari/537.36",
    "Teams": f"{WINDOWS} Chrome/134.0.0.0 Safari/537.36 Edg/134.0.0.0 Teams/25198.1110.3848.3195",
    "the new Outlook": f"{WINDOWS} Chrome/134.0.0.0 Safari/537.36 Edg/134.0.0.0 OneOutlook/1.2025.722.100",
    "Internet Explorer with Chrome's frame": "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; "
    "Trident/4.0; "
    "chromeframe/32.0.1700.76; .NET CLR 3.5.30729; OptimizedIE8;DEDE)",
    "DuckDuckGo's browser": "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, "
    "like Gecko) Version/4.0 "
    "Chrome/140.0.0.0 Mobile DuckDuckGo/5 Safari/537.36",
}

PROGRAMS = {
    "Googlebot": ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "named-bot"),
    "Googlebot as a phone": (
        "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/152.0.0.0 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "named-bot",
    ),
    "a crawler among an Android's fields": (
        "Mozilla/5.0 (Linux; Android 8.0; Pixel 2 Build/OPD3.170816.012; Storebot-Google/1.0) "
        "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/81.0.4044.138 Mobile Safari/537.36",
        "named-bot",
    ),
    "GPTBot": ("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2)", "named-bot"),
    "headless Chrome": (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/152.0.0.0 Safari/537.36",
        "named-bot",
    ),
    "curl": ("curl/8.9.1", "named-bot"),
    "Python": ("python-requests/2.32.3", "named-bot"),
    "Go": ("Go-http-client/2.0", "named-bot"),
    "Java": ("Java/17.0.9", "named-bot"),
    "a monitor": ("Mozilla/5.0 (compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", "named-bot"),
    "a feed reader's fetcher": ("Feedbin feed-id:1373711 - 25 subscribers", "named-bot"),
    "Slack": ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "named-preview"),
    "WhatsApp": ("WhatsApp/2.26.30.77 A", "named-preview"),
    "Facebook": (
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "named-preview",
    ),
    "iMessage": (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) "
        "Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
        "named-preview",
    ),
    "Teams": (
        "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com",
        "named-preview",
    ),
    "Mastodon": ("Mastodon/4.5.1 (http.rb/5.3.1; +https://mastodon.social/) Bot", "named-preview"),
    "Barracuda": ("Barracuda Sentinel (EE)", "named-scanner"),
    "Mimecast": ("Mimecast URL Protection", "named-scanner"),
    "Proofpoint": ("Mozilla/5.0 (compatible; Proofpoint URL Defense)", "named-scanner"),
    "Office": ("Mozilla/4.0 (compatible; ms-office; MSOffice 16)", "named-scanner"),
    "Gmail's sampler inside a browser's string": (
        f"{WINDOWS} Chrome/120.0.0.0 Safari/537.36 (compatible; Gmail-content-sampling)",
        "named-scanner",
    ),
    "nothing": ("", "no-user-agent"),
    "blanks": ("   ", "no-user-agent"),
    "only the word": ("Mozilla/5.0", "named-bot"),
    "no space": ("FriendlyBrowser/99.Unheard-Of", "no-browser-name"),
}


@pytest.mark.parametrize("name", BROWSERS)
def test_browsers_give_no_reason(name: str) -> None:
    """The user agent of a browser or an app that shows pages is not taken for a program's."""
    assert bot_reason(BROWSERS[name]) is None


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_are_recognised(name: str) -> None:
    """The user agent of a scanner, a link preview or another program gives the expected reason."""
    user_agent, reason = PROGRAMS[name]
    assert bot_reason(user_agent) == reason


def test_device_models_are_removed() -> None:
    """The model name of an Android device is removed, and the text after it stays."""
    user_agent = "Mozilla/5.0 (Linux; Android 9; CUBOT X19 Build/P) AppleWebKit/537.36 (compatible; SomeBot/1.0)"
    assert (
        strip_device_model(user_agent) == "Mozilla/5.0 (Linux; Android 9) AppleWebKit/537.36 (compatible; SomeBot/1.0)"
    )
