"""Sample installation for browser tests and screenshots: issues in several scripts, with readers.

Clicks are written as click-log lines and stored by the real collector."""

import json
import random
import time
from importlib.resources import files
from pathlib import Path

from shortener.collector.other_collector import drain_once
from shortener.collector.rebuild import rebuild
from shortener.config import Config, Domain, Server, Site, Storage
from shortener.reporting.issue_contents import IssueContents, load_issue_contents
from shortener.services import accounts, draft_picks, webhooks
from shortener.services.add_issue import AddRequest, add_or_update_issue
from shortener.services.webhook_sender import Attempt, store_attempt
from shortener.store import Store, issues, links, open_store, signals
from shortener.store.signals import Signal
from shortener.store.webhooks import due_deliveries

HOUR, DAY = 3600, 86_400
PASSWORD = "a sentence for tests"
BROWSERS = (
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
     "Version/18.6 Mobile/15E148 Safari/604.1"),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 "
     "Safari/537.36"),
    ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 "
     "Safari/605.1.15"),
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
)  # fmt: skip
SCANNER = "Mozilla/5.0 (compatible; ExampleCrawler/2.1; +https://example.com/bot)"
REFERRERS = (
    "",
    "",
    "https://mail.google.com/",
    "https://outlook.live.com/",
    "https://mail.proton.me/",
    "https://reading-rooms.a-company-with-a-long-name.test/",
)
KINDS = {"title": 1.0, "image": 0.6, "more": 0.4, "text": 0.5, "button": 0.6, "footer": 0.05}
ARTICLE = """\
[![{alt}](images/{code}.jpg)]({url})

### [{title}]({url}) by [{author}](https://example.org/people/{code})

{summary}

[**{more}**]({url})

"""
SHORT_ISSUES = {
    "2026-07": ("Neap tide, July", "en", ("A pump that forgives", "Counting eels", "The last analogue gauge")),
    "2026-08": ("نشرة المد والجزر، أغسطس", "ar", ("قياس البحر بالصوت", "خريطة جديدة للمد", "العوامة التي تعلّمت")),
    "2026-09": ("低潮通讯 九月刊：编辑精选 🌊", "zh", ("用声音数鲸鱼", "便宜的微塑料筛子", "会学习的潮汐表")),
    "2026-10": (
        "<b>Spring</b> & \"tide\" {{ 7*7 }} 🐚🧑‍🔬",
        "en",
        ("=SUM(1,2) <script>alert(1)</script>", "Kelp 🌿 in the news", "Ice cores, thawed"),
    ),
}  # fmt: skip


def configure(directory: Path, *, port: int = 8000) -> Config:
    """Return the configuration of the sample installation; its only domain is this machine."""
    return Config(
        site=Site(name="Low Tide", base_url=f"http://127.0.0.1:{port}"),
        domain=(Domain(host=f"127.0.0.1:{port}", scheme="http"),),
        server=Server(port=port),
        storage=Storage(data=str(directory)),
    )


def sample_issue() -> bytes:
    """Return the sample issue that comes with the package."""
    return files("shortener.demo").joinpath("issue.md").read_bytes()


def short_issue(slug: str) -> bytes:
    """Return one of SHORT_ISSUES as Markdown."""
    title, lang, articles = SHORT_ISSUES[slug]
    more = {"en": "Read more", "ar": "اقرأ المزيد", "zh": "阅读更多"}[lang]
    author = {"en": "Ingrid Solheim", "ar": "ليلى حداد", "zh": "王小明"}[lang]
    summary = {"en": "Six sensors, one winter, and a model that was wrong in an instructive way.",
               "ar": "ستة أجهزة استشعار وشتاء واحد ونموذج أخطأ بطريقة مفيدة.",
               "zh": "六个传感器，一个冬天，和一个错得很有启发的模型。"}[lang]  # fmt: skip
    parts = [f"# {title}\n\n"]
    for index, name in enumerate(articles):
        escaped = name.replace("<", "\\<").replace("*", "\\*")
        parts.append(
            ARTICLE.format(
                alt=f"{index}", code=f"{slug}-{index}", url=f"https://example.org/{slug}/{index}", title=escaped,
                author=author, summary=summary, more=more,
            )
        )  # fmt: skip
    return "".join(parts).encode()


def html_issue() -> bytes:
    """Return an HTML issue as mail editors make them, with tables and inline styles."""
    return Path(__file__).with_name("letter.html").read_bytes()


def add_users(config: Config, *, now: int) -> None:
    """Add one user for each role, named like the role."""
    store = open_store(config.data_directory)
    for name in ("admin", "editor", "viewer"):
        accounts.add_user(store, name, role=accounts.parse_role(name), password=PASSWORD, now=now)
    store.close()


def build(config: Config, *, now: int, readers: int = 300, recipients: int = 1_500) -> None:
    """Create six sent issues, of which five have many clicks, and one without a sending time."""
    store = open_store(config.data_directory)
    add_users(config, now=now)
    hour = now - now % HOUR
    for index, slug in enumerate(SHORT_ISSUES):
        sent = hour - (len(SHORT_ISSUES) - index) * 29 * DAY
        add_issue(store, config, short_issue(slug), slug, sent_at=sent, now=sent, recipients=recipients)
    low = add_issue(
        store,
        config,
        sample_issue(),
        "2026-11",
        sent_at=hour - 30 * HOUR,
        now=hour - 40 * HOUR,
        recipients=recipients,
    )
    add_issue(
        store,
        config,
        short_issue("2026-07").replace(b"2026-07/", b"2026-12/"),
        "2026-12",
        sent_at=None,
        now=now,
        recipients=None,
    )
    html = add_issue(
        store,
        config,
        html_issue(),
        "2026-06",
        sent_at=hour - 150 * DAY,
        now=hour - 150 * DAY,
        recipients=recipients,
    )
    signals.upsert(
        store,
        [
            Signal("https://example.org/articles/honest-maps-of-gaps", 900, 400, 12),
            Signal("https://example.org/news/history-of-one-bucket", 80, 60, 41),
        ],
        now=now,
    )
    lines: list[str] = []
    shown = [load_issue_contents(store, slug, config=config, now=now) for slug in SHORT_ISSUES]
    for issue in (html, *shown[:3], low):
        lines += click_lines(issue, readers=readers, now=now, seed=len(lines))
    lines += click_lines(shown[3], readers=1, now=now, seed=7)[:1]
    append_to_click_log(config, lines)
    drain_once(store, config=config)
    set_countries(store)
    draft_picks.decide(
        store,
        time.strftime("%Y-%m", time.gmtime(hour - 30 * HOUR)),
        "https://example.org/articles/field-notebooks-that-survive",
        action="choose",
        reason="our readers should not miss it 🌊",
        who="editor",
        config=config,
        now=now,
    )
    edited = next(link for link in links.list_by_issue(store, issues.get(store, "2026-11").id) if link.target)
    links.update_field(store, edited, "target", f"{edited.target}?moved", who="editor", now=hour - 12 * HOUR)
    add_webhooks(store, config, now=now)
    store.close()


def set_countries(store: Store) -> None:
    """Set the country of stored clicks, as a collector with a country database would, except for the oldest issue's."""
    countries = json.dumps(["NO", "NO", "DE", "GB", "BR", "CN", ""])
    with store.transaction():
        store.execute(
            "update clicks set country = json_extract(?, '$[' || (seq % 7) || ']') where issue_id <> 1",
            (countries,),
        )
    rebuild(store, on_progress=lambda _: None)


def add_webhooks(store: Store, config: Config, *, now: int) -> None:
    """Add a webhook with one delivery of each state, and one that is disabled."""
    url = "https://hooks.example.com/newsletters/low-tide"
    webhook = webhooks.add_webhook(store, url, config=config, now=now)
    for attempt in (Attempt(204, ""), Attempt(500, "The database of the receiver is locked"), Attempt(410, "Gone")):
        webhooks.send_test(store, webhook.id, now=now)
        (item, *_) = due_deliveries(store, now=now)
        with store.transaction():
            store_attempt(store, item.delivery, attempt, now=now)
    webhooks.update_webhook(store, webhook.id, enabled=True, config=config, now=now)
    events = ["link.created", "link.updated", "traffic.machine_burst"]
    other = webhooks.add_webhook(store, "https://automation.example.net/hook", events=events, config=config, now=now)
    webhooks.update_webhook(store, other.id, enabled=False, config=config, now=now)


LARGE_ISSUE_ARTICLES = 90
LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"


def build_large(config: Config, *, now: int) -> None:
    """Create 40 issues, one of them very long and with very many recipients, and 600 links without an issue."""
    store = open_store(config.data_directory)
    add_users(config, now=now)
    hour = now - now % HOUR
    for number in range(39):
        source = short_issue("2026-07").replace(b"2026-07/", f"weekly-{number}/".encode())
        add_issue(
            store,
            config,
            source,
            f"weekly-{number}",
            sent_at=hour - (number + 2) * 7 * DAY,
            now=now,
            recipients=90_000,
        )
    parts = [
        f"# {LONG_WORD * 3}, and a subject line that goes on and on because nobody could decide what to leave out\n\n"
    ]
    for number in range(LARGE_ISSUE_ARTICLES):
        title = LONG_WORD if number % 3 == 0 else ("An article about everything at once " * 4).strip()
        fields = {
            "alt": "x", "code": f"huge-{number}", "url": f"https://example.org/{'very-' * 30}long/{number}",
            "title": f"{number}: {title}",
            "author": "Dr. Maria-Magdalena von und zu Hohenstein-Überlingen", "summary": "Long. " * 60,
            "more": "Read more",
        }  # fmt: skip
        parts.append(ARTICLE.format(**fields))
    contents = add_issue(
        store,
        config,
        "".join(parts).encode(),
        "huge",
        sent_at=hour - 300 * HOUR,
        now=now,
        recipients=1_000_000_000,
    )
    append_to_click_log(config, click_lines(contents, readers=800, now=now, seed=3))
    drain_once(store, config=config)
    with store.transaction():
        for number in range(600):
            target = f"https://example.org/by-hand/{number}/{'x' * (number % 400)}"
            links.add(
                store,
                f"127.0.0.1:{config.server.port}",
                f"hand{number}",
                target=target,
                title=LONG_WORD,
                now=now,
            )
    store.close()


def add_issue(
    store: Store,
    config: Config,
    source: bytes,
    slug: str,
    *,
    sent_at: int | None,
    now: int,
    recipients: int | None,
) -> IssueContents:
    """Add an issue and return its contents."""
    add_or_update_issue(
        store,
        AddRequest(source=source, filename="issue.md", slug=slug, sent_at=sent_at, recipients=recipients),
        config=config,
        now=now,
    )
    return load_issue_contents(store, slug, config=config, now=now)


def click_lines(issue: IssueContents, *, readers: int, now: int, seed: int) -> list[str]:
    """Return click-log lines of readers, who prefer high positions and images, and of some bots."""
    rng = random.Random(seed)
    assert issue.sent_at is not None
    positions = {article.url: article.position or 40 for article in issue.articles}
    choices = [
        (link.short_url, placement.n, KINDS[placement.kind] / positions.get(link.article or "", 40) ** 0.4)
        for link in issue.links
        for placement in link.placements
    ]
    lines = []
    for reader in range(readers):
        for _ in range(rng.choice((1, 1, 2, 3))):
            url, n, _weight = rng.choices(choices, [weight for _, _, weight in choices])[0]
            at = issue.sent_at.timestamp() + rng.expovariate(1 / (14 * HOUR)) + rng.random() * 60
            if at < now:
                lines.append(click_line(url, n, at=at, reader=f"{issue.slug}-{reader}", rng=rng))
        if reader % 12 == 0 and readers > 1:
            url, n, _weight = rng.choice(choices)
            at = issue.sent_at.timestamp() + 30
            lines.append(click_line(url, n, at=at, reader=f"bot-{reader}", rng=rng, ua=SCANNER))
    return lines


def click_line(url: str, n: int, *, at: float, reader: str, rng: random.Random, ua: str = "") -> str:
    """Return one line of the click log."""
    host, _, code = url.partition("://")[2].partition("/")
    return json.dumps(
        {
            "v": 1,
            "id": f"{reader}-{at:.6f}-{rng.random():.12f}",
            "ts": at,
            "host": host,
            "path": f"/{code}/{n}",
            "code": code,
            "n": n,
            "method": "GET",
            "status": 302,
            "net": f"198.51.{sum(reader.encode()) % 250}.0/24",
            "addr": f"a{reader}",
            "visitor": f"v{reader}-{int(at // DAY)}",
            "ua": ua or BROWSERS[sum(reader.encode()) % len(BROWSERS)],
            "ref": rng.choice(REFERRERS),
            "lang": rng.choice(("en-GB,en;q=0.9", "de-DE,de;q=0.8", "nb-NO")),
            "h": {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": "cross-site",
                  "accept": "text/html,application/xhtml+xml"},
        }
    )  # fmt: skip


def append_to_click_log(config: Config, lines: list[str]) -> None:
    """Append lines to the click log in order of time."""
    directory = config.data_directory / "clicklog"
    directory.mkdir(mode=0o700, exist_ok=True)
    path = directory / "readers.jsonl"
    lines.sort(key=lambda text: json.loads(text)["ts"])
    with path.open("a", encoding="utf-8") as file:
        file.writelines(text + "\n" for text in lines)
