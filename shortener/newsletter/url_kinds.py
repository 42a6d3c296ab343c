"""What a URL alone says about a link: a person's page, a social profile, a subscription form, a shop."""

import re
from urllib.parse import SplitResult, urlsplit


def _word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SOCIAL_HOSTS = _word_set(
    "facebook.com fb.com twitter.com x.com instagram.com linkedin.com youtube.com tiktok.com "
    "threads.net threads.com bsky.app pinterest.com t.me telegram.me discord.gg discord.com wa.me "
    "whatsapp.com snapchat.com twitch.tv weibo.com xing.com vk.com ok.ru mastodon.social "
    "fosstodon.org hachyderm.io line.me reddit.com"
)
_PROFILE_PATH = re.compile(
    r"(?:/@?[^/]*|/(?:company|in|school|showcase|channel|c|user|u|r|groups|pages|people|invite|add|profile|s)/[^/]+"
    r"(?:/(?:posts|about|videos|profile))?|/[^/]+/(?:about|posts|videos|profile))/?\Z"
)
_CONTENT_PATH = re.compile(
    r"/(?:watch|playlist|story\.php|permalink\.php|photo(?:\.php)?|events?|jobs|learning)/?\Z"
)
_SHARE_PATH = re.compile(
    r"/(?:sharer?|share\.php|sharing|intent|share-offsite|sharearticle|submit|dialog/share|home\?status)\b",
    re.I,
)
_PERSON_PATH = re.compile(
    r"/(?:@[^/]+|(?:u|user|users|author|authors|people|profiles?|in|contributors?|writers?|by|staff|team)"
    r"/[^/]+)/?\Z",
    re.I,
)
_IMAGE_PATH = re.compile(r"\.(?:png|jpe?g|gif|webp|svg|avif)\Z", re.I)
_HANDLE_PATH = re.compile(r"/@?[\w.-]+/?\Z")
_HANDLE_HOSTS = _word_set(
    "github.com gitlab.com dev.to twitter.com x.com hackernoon.com kaggle.com huggingface.co "
    "instagram.com about.me hashnode.com medium.com"
)
_SERVICE_PATTERN = re.compile(
    r"/(?:\w+-)?(?:unsubscri\w*|opt-?out)(?:-\w+)?(?:\.\w+)?(?:/|\Z)|/(?:email-?)?preferences?(?:/|\Z)"
    r"|/manage[-_]?(?:subscriptions?|preferences|email)|/update[-_]?profile|/(?:view[-_]?)?in[-_]?browser"
    r"|/(?:web-?version|forward-?to-?(?:a-?)?friend)(?:/|\Z)|(?:\A|[&;])(?:\w+=)?unsubscri",
    re.I,
)
_BOILERPLATE_PATH = re.compile(
    r"/(?:subscribe|subscription|signup|sign-up|sign_up|register|login|signin|advertise|advertising|advertise-with-us|sponsor|sponsors|sponsorship"
    r"|shop|store|merch|membership|members|become-a-member|join|donate|privacy|privacy-policy|terms|terms-of-service|tos|legal|imprint|impressum"
    r"|contact|contact-us|about|about-us|careers|archive|archives|pricing|refer|referrals|leaderboard|comments|feed|rss)/?\Z",
    re.I,
)
_LISTING_PATH = re.compile(r"/(?:category|categories|tag|tags|topics?|author|authors)/", re.I)
_BOILERPLATE_HOST = re.compile(
    r"(?:sponsors?|members?|shop|store|merch|ads|advertise|account|help|support|status|jobs|careers)\.[^.]+\."
)
_DONATION_HOSTS = _word_set(
    "patreon.com buymeacoffee.com ko-fi.com paypal.me paypal.com opencollective.com liberapay.com"
)


def _split_url(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _base_host(parts: SplitResult) -> str:
    host = parts.netloc.rpartition("@")[2].partition(":")[0].casefold()
    return re.sub(r"^(?:www|m|mobile|en|zh|de|fr|es)\.", "", host)


def is_homepage(url: str) -> bool:
    """Say whether a URL is the front page of a site."""
    parts = _split_url(url)
    return parts is not None and parts.path in ("", "/") and not parts.fragment


def is_image(url: str) -> bool:
    """Say whether a URL is an image file: what a click on an image enlarges."""
    parts = _split_url(url)
    return parts is not None and bool(_IMAGE_PATH.search(parts.path))


def is_person_page(url: str) -> bool:
    """Say whether a URL is somebody's page: an author's, or a profile."""
    parts = _split_url(url)
    if parts is None:
        return False
    host = _base_host(parts)
    if _PERSON_PATH.search(parts.path):
        return True
    if host in _HANDLE_HOSTS:
        return bool(_HANDLE_PATH.match(parts.path))
    return host.endswith(".medium.com") and parts.path in ("", "/")


def is_service(url: str) -> bool:
    """Say whether a URL stops or changes the subscription, shares the issue, or is a social profile."""
    parts = _split_url(url)
    if parts is None:
        return False
    if _SERVICE_PATTERN.search(parts.path) or _SERVICE_PATTERN.search(parts.query):
        return True
    host = _base_host(parts)
    if host not in _SOCIAL_HOSTS:
        return bool(re.search(r"(?:^|\.)(?:list-manage\.com)$", host)) and "/track/" not in parts.path
    profile = _PROFILE_PATH.match(parts.path) and not _CONTENT_PATH.match(parts.path)
    return bool(profile or _SHARE_PATH.search(parts.path))


def is_boilerplate(url: str) -> bool:
    """Say whether a URL is for subscribing, buying, sponsoring, the law, or a listing of other things."""
    parts = _split_url(url)
    if parts is None:
        return False
    short = parts.path.count("/") <= 2
    return bool(
        (short and _BOILERPLATE_PATH.search(parts.path))
        or _LISTING_PATH.search(parts.path)
        or (_BOILERPLATE_HOST.match(_base_host(parts)) and is_homepage(url))
        or _base_host(parts) in _DONATION_HOSTS
    )
