"""Links that are left alone and named: merge tags, opt-outs, text that programs make a link, forms, listmonk."""

import pytest

from shortener.newsletter import Format, parse
from shortener.newsletter.opt_out import find_opt_out_links
from shortener.newsletter.rewrite import rewrite

U = "https://example.org/"

UNTOUCHED: dict[str, tuple[Format, str, str]] = {
    "bare URL in HTML": ("html", f"<p>See {U}a.</p>", f"{U}a"),
    "www in HTML": ("html", "<p>See www.example.org/a, or not.</p>", "www.example.org/a"),
    "www in Markdown": ("markdown", "See www.example.org/a for more", "www.example.org/a"),
    "Markdown in a block of HTML": ("markdown", f"<div>\nSee [b]({U}b)\n</div>", f"{U}b"),
    "form": ("html", f"<form action='{U}vote?a=1&amp;b=2'><input></form>", f"{U}vote?a=1&b=2"),
    "template tag": ("markdown", f"{{% include button.html url='{U}a' %}}\n\nText", f"{U}a"),
    "tag in brackets": ("html", f"<a href='{U}?u=[FIRST_NAME]'>x</a>", f"{U}?u=[FIRST_NAME]"),
    "tag in brackets, Markdown": ("markdown", f"[x]({U}?[SUBSCRIPTION_ID])", f"{U}?[SUBSCRIPTION_ID]"),
    "tag in braces": ("markdown", f"[x]({U}?n={{name}})", f"{U}?n={{name}}"),
    "SendGrid": ("html", f"<a clicktracking=off href='{U}a'>x</a>", f"{U}a"),
    "SparkPost": ("html", f"<a data-msys-clicktrack='0' href='{U}a'>x</a>", f"{U}a"),
    "Mandrill": ("html", f"<a mc:disable-tracking href='{U}a'>x</a>", f"{U}a"),
    "Amazon SES": ("html", f"<a ses:no-track href='{U}a'>x</a>", f"{U}a"),
    "relative link in MJML": ("mjml", "<mj-navbar-link href='/a'>x</mj-navbar-link>", "/a"),
    "listmonk's action": ("html", f'<a href="{{{{ TrackLink "{U}a" }}}}">x</a>', f"{U}a"),
}


# Tags of senders that have another form inside a URL.
TAGS = (
    *("[email]", "[Email]", "[subscriber:email]", "{!email}", "[% member:id %]", "[%email]", "#recipient:email#"),
    *("$[UD:EMAIL]$", "@EMAIL@", "--uuid--", "-name-", "~~eloqua..type--emailfield~~", "$EMAIL$"),
)
NO_TAGS = ("a[]=1&b[name]=x", "q=[rust]", "ids=[1,2]", "s=a--b--c", "d=-1-", "to=@ann", "p=$5", "x=1#a:b", "u=~ann")


@pytest.mark.parametrize("tag", TAGS)
def test_tags_as_a_value_are_left_alone(tag: str) -> None:
    """A link with a sender's tag for a reader in its query is not replaced."""
    document = parse(f'<a href="{U}?e={tag}">x</a>'.encode(), format="html")
    assert document.links == ()
    assert [left.reason for left in document.untouched] == ["it contains a merge tag"]


@pytest.mark.parametrize("query", NO_TAGS)
def test_brackets_and_signs_that_are_no_tags(query: str) -> None:
    """Brackets, dashes and signs with another meaning do not keep a link from being replaced."""
    assert len(parse(f'<a href="{U}?{query}">x</a>'.encode(), format="html").links) == 1


@pytest.mark.parametrize("name", UNTOUCHED)
def test_untouched_links_are_named(name: str) -> None:
    """The link is not replaced, and is listed with its URL and line."""
    format, text, url = UNTOUCHED[name]
    document = parse(("\n" + text).encode(), format=format)
    assert document.links == ()
    assert [left.url for left in document.untouched] == [url]
    assert all(left.line >= 2 and left.reason for left in document.untouched)


REPLACED = {
    "array in a query": f"{U}s?f[0]=a&f[1]=b",
    "fragment in brackets": f"{U}#[kelp]",
    "bar": f"{U}?a=1|2",
    "attribute that allows tracking": U,
}


@pytest.mark.parametrize("name", REPLACED)
def test_brackets_that_are_no_tags(name: str) -> None:
    """Brackets with other contents than a name in capitals are a part of the URL."""
    text = f"<a clicktracking=on href='{REPLACED[name].replace('&', '&amp;')}'>x</a>"
    (link,) = parse(text.encode(), format="html").links
    assert link.url == REPLACED[name]


OPT_OUT = {
    "words": "[Unsubscribe](URL)",
    "preferences": "[Manage your preferences](URL)",
    "German": "[Abmelden](URL)",
    "Chinese": "[退订](URL)",
    "French": "[Se désabonner](URL)",
    "surroundings": "If you no longer wish to receive these mails, click [here](URL).",
    "surroundings in German": "Sie möchten sich abmelden? Klicken Sie [hier](URL).",
    "surroundings in Spanish": "Para darse de baja haga clic [aquí](URL).",
    "URL": "[Goodbye](https://acme.us1.list-manage.com/profile?u=1)",
}
NO_OPT_OUT = {
    "title": "## [How the unsubscribe button works](URL)",
    "item about it": "- [Unsubscribe links](URL): how they came to be in every mail that is sent to many people today.",
    "other sentence": "You can unsubscribe below. Read the report [here](URL).",
    "subscribe": "[Subscribe](URL)",
}


@pytest.mark.parametrize("name", [*OPT_OUT, *NO_OPT_OUT])
def test_opt_out_links(name: str) -> None:
    """Links that unsubscribe are recognised by their words and surroundings, and others are not."""
    text = (OPT_OUT | NO_OPT_OUT)[name].replace("URL", f"{U}x?u=7")
    found = find_opt_out_links(parse(text.encode(), format="markdown"))
    assert bool(found) == (name in OPT_OUT)


LISTMONK: dict[str, tuple[Format, str, str]] = {
    "suffix in Markdown": ("markdown", f"[one]({U}one@TrackLink)", "[one](https://s.example/0)"),
    "suffix in HTML": ("html", f'<a href="{U}a@TrackLink">x</a>', '<a href="https://s.example/0">x</a>'),
    "action in HTML": (
        "html",
        f'<a href="{{{{ TrackLink "{U}a" }}}}">x</a>',
        '<a href="https://s.example/0">x</a>',
    ),
    "action in Markdown": ("markdown", f"[x]({{{{ TrackLink `{U}a` . }}}})", "[x](https://s.example/0)"),
    "no suffix": (
        "markdown",
        "[x](https://medium.com/@TrackLinkers/x)",
        "[x](https://s.example/0)",
    ),
}


@pytest.mark.parametrize("name", LISTMONK)
def test_tracking_of_listmonk_is_taken_over(name: str) -> None:
    """The mark of listmonk's own tracking is no part of the target and is replaced with the URL."""
    format, text, expected = LISTMONK[name]
    document = parse(text.encode(), format=format, take_over_tracking=True)
    assert not any("TrackLink" in link.url and "@TrackLinkers" not in link.url for link in document.links)
    output = rewrite(document, {link.index: "https://s.example/0" for link in document.links})
    assert output.decode() == expected


def test_a_front_page_that_listmonk_tracks_is_doubtful() -> None:
    """A profile named TrackLink would look the same, so the editor is told."""
    document = parse(b"[x](https://example.com/@TrackLink)", format="markdown")
    assert [link.url for link in document.links] == ["https://example.com/"]
    assert "line 1" in document.warnings[0]


def test_mjml_components() -> None:
    """The links of components are found, with their kinds, and image sources are not."""
    text = (
        f"<mjml><mj-head><mj-title>Kelp</mj-title></mj-head><mj-body>"
        f"<mj-text><h2><a href='{U}1'>Nets</a></h2></mj-text>"
        f"<mj-button href='{U}2'>Read on</mj-button><mj-image src='{U}i.png' href='{U}3' alt='A net at sea' />"
        f"<mj-navbar><mj-navbar-link href='{U}4'>Nets</mj-navbar-link></mj-navbar>"
        "<mj-text>After</mj-text></mj-body></mjml>"
    )
    document = parse(text.encode(), format="mjml")
    assert [link.url for link in document.links] == [f"{U}{n}" for n in "1234"]
    assert document.title == "Kelp"
