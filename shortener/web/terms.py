"""The special terms of the pages with their explanations, for the help page and for tooltips."""

from flask import Flask, g
from markupsafe import Markup
from msgspec import Struct

from shortener.web.languages import gettext as _


class Term(Struct, frozen=True):
    """A term of the pages: its name, a short explanation, and a longer one for the help page."""

    name: Markup
    text: Markup
    more: Markup = Markup()


def init_app(app: Flask) -> None:
    """Make ``find_term`` and ``term_sections`` available in templates."""
    app.jinja_env.globals.update(find_term=find_term, term_sections=term_sections)


def find_term(key: str) -> Term:
    """Return the term with this key, which is also the term's HTML id on the help page."""
    terms: dict[str, Term] = {}
    for _title, section in term_sections():
        terms |= section
    return terms[key]


def term_sections() -> list[tuple[Markup, dict[str, Term]]]:
    """Return the sections of the help page, as (title, terms by key)."""
    if "term_sections" not in g:
        g.term_sections = [
            (_("Readers and clicks"), _reader_terms()),
            (_("Comparing issues"), _comparison_terms()),
            (_("Articles"), _article_terms() | _ranking_terms()),
            (_("Picks"), _pick_terms()),
            (_("Issues and links"), _link_terms()),
        ]
    sections: list[tuple[Markup, dict[str, Term]]] = g.term_sections
    return sections


def _reader_terms() -> dict[str, Term]:
    return {
        "clicks": Term(
            _("Clicks"),
            _("Requests for a short link that look human."),
            _("Requests by programs are kept, but filtered. A person who clicks twice makes two clicks."),
        ),
        "visitors": Term(
            _("Visitors"),
            _("People who clicked, each counted once a day."),
            _(
                "Visitors are told apart by a scrambled number whose key is destroyed after the day. So nobody "
                "can be followed from one day to the next, and a reader who comes back tomorrow counts again. An "
                "issue counts a person once, however many of its links were clicked. Readers whose browsers ask "
                "not to be tracked make clicks without a visitor; if they are most of an issue's readers, its "
                "visitors are unknown."
            ),
        ),
        "recipients": Term(
            _("Recipients"),
            _("How many people the issue was sent to."),
            _("You enter the number on the tab Setup of the issue. Without it there is no click rate."),
        ),
        "rate": Term(
            _("Click rate"),
            _("Visitors divided by recipients."),
            _("Of 100 people who received the issue, so many clicked at least one link."),
        ),
        "filtered": Term(
            _("Filtered as automated"),
            _("Requests by programs, which are kept but not counted."),
            _(
                "Mail scanners follow every link before the reader has seen it; bots read whole pages; chats "
                "fetch a preview; browsers fetch a page in advance."
            ),
        ),
        "quality": Term(
            _("Data quality"),
            _("Which requests were filtered, and why."),
            _("Every request has one reason, by which it counts as human or as automated."),
        ),
        "band": Term(
            _("Low, best and high estimate"),
            _("How many clicks there are at least, most likely, and at most."),
            _(
                "Some requests could come from a person or from a program. The low estimate counts only those "
                "that are surely human, the high estimate all that may be human. All figures are the best "
                "estimate."
            ),
        ),
        "unknown": Term(
            _("A dash (\u2013)"),
            _("The number is not known. It never means zero."),
        ),
    }


def _comparison_terms() -> dict[str, Term]:
    return {
        "usual": Term(
            _("Usual"),
            _("The middle value of up to twelve earlier issues, at the same time after sending."),
            _(
                "Half of them had more, half had less. The band in a chart leaves out the highest and the lowest "
                "tenth. An issue within the band is like your other issues."
            ),
        ),
        "to-come": Term(
            _("Forecast"),
            _("How many visitors the issue will have in the end."),
            _(
                "Readers open a newsletter over days. The forecast continues the issue as your earlier issues "
                "went on from the same time after sending; nine times out of ten the result is within its range."
            ),
        ),
        "points": Term(
            _("Percentage points"),
            _("The difference between two percentages: from 3.8 % to 3.1 % is 0.7 points."),
        ),
        "days": Term(
            _("Days and times"),
            _("All days and times are in the time zone of this site."),
            _("An editor chooses it under Settings. A day begins at midnight there."),
        ),
    }


def _article_terms() -> dict[str, Term]:
    return {
        "article": Term(
            _("Article"),
            _("A destination that the issue presents as an item of its own, with a heading, title, image or button."),
            _("Its clicks are those on its image, title and button together. Only articles are compared and ranked."),
        ),
        "inline": Term(
            _("Inline link"),
            _("A link inside running text, such as the greeting. It is counted, but not ranked."),
        ),
        "other": Term(
            _("Other link"),
            _("A link around the content: navigation, footer, social media. It is counted, but not ranked."),
        ),
        "position": Term(
            _("Position"),
            _("The place of an article in its issue: 1 is the first."),
            _("The first position is always clicked more, whatever article is there."),
        ),
        "expected": Term(
            _("Typical for this position"),
            _("What an average article would have had at the same position of the same issue: the tick in a bar."),
            _("It takes into account whether there was an image, a title and a button."),
        ),
        "appeal": Term(
            _("vs typical"),
            _("How often it was clicked compared with what is typical for its position. The line is its range."),
            _(
                "1.8\u00d7 means 1.8 times as often. Where there are few clicks the value is moved towards 1, "
                "because they may be chance. With fewer than 5 visitors, where fewer than 5 are typical, an article is "
                "not compared."
            ),
        ),
        "range": Term(
            _("Range"),
            _("Nine times out of ten the true value is within the range."),
            _("Where the ranges of two articles overlap, their order may be chance."),
        ),
    }


def _ranking_terms() -> dict[str, Term]:
    return {
        "certainty": Term(
            _("Clear winners, about typical, below"),
            _("Whether an article beat its position for certain, or only by chance."),
            _(
                "The whole range of a clear winner is above 1\u00d7, that of an article below typical is under "
                "1\u00d7. About typical are all others: their order says little."
            ),
        ),
        "confidence": Term(
            _("Confidence"),
            _("How far you can trust the figures of the articles, and what limits them."),
            _("More issues, more clicks, and articles that were shown at two positions make it better."),
        ),
        "ranking": Term(
            _("How articles are ranked"),
            _("One statistical model of all your issues compares articles as if they had been at the same position."),
            _(
                "It knows the size of each issue, the position, and image, title and button. It begins with the "
                "experience of other newsletters, which your own clicks replace. Some editors sort a whole issue "
                "by how promising an article is, others choose only the first articles; the model tries both and "
                "weighs them by your readers' clicks. With few clicks an article leans a little on how other "
                "articles of its author and site did, which favours names that did well before. With many clicks "
                "that fades out."
            ),
        ),
    }


def _pick_terms() -> dict[str, Term]:
    return {
        "top": Term(
            _("Top picks"),
            _("The best articles of a month, for your next issue."),
            _("There are at most as many as the settings say, and fewer in a month with few articles."),
        ),
        "in-top": Term(
            _("In the top"),
            _("The chance that the article belongs to the top picks."),
        ),
        "gem": Term(
            _("Hidden gem"),
            _("An article at a position where few look, clicked more than is typical there."),
            _("It may have been one of the best at a better position."),
        ),
        "devoted": Term(
            _("Few but devoted readers"),
            _("Read by few, and liked by many of those."),
        ),
        "decisions": Term(
            _("Featured, editor's pick, excluded"),
            _(
                "Your decisions: a featured article comes first, an editor's pick is added, an excluded one is "
                "left out."
            ),
            _("They change the draft of the picks, never a figure. Each is on record with the name of the editor."),
        ),
        "rerun": Term(
            _("Worth showing again"),
            _("Articles from which you would learn most if you showed them again elsewhere."),
            _("An article that was shown at two positions tells what is due to it, and what to its position."),
        ),
    }


def _link_terms() -> dict[str, Term]:
    return {
        "status": Term(
            _("Draft, scheduled, sent, archived"),
            _("A draft has no sending time, a scheduled issue one in the future, a sent issue one in the past."),
            _(
                "An archived issue is hidden from lists and comparisons; its links go on working. A removed draft"
                " is taken back: its links are retired."
            ),
        ),
        "slug": Term(
            _("Slug"),
            _("The short name of an issue in addresses, such as 2026-11."),
        ),
        "short-link": Term(
            _("Short link"),
            _("An address of your own domain that leads to a destination and counts its clicks."),
            _("Put a plus sign at its end to see where it leads without following it; that is not counted."),
        ),
        "destination": Term(
            _("Destination"),
            _("The page to which a short link leads. You can change it at any time, also after sending."),
            _("The next click goes to the new page. The counts stay."),
        ),
        "link-status": Term(
            _("Retired, expired, needs a destination"),
            _("A retired or expired link shows readers that it is gone. Without a destination it leads nowhere yet."),
            _("All other links are active. A retired link can be restored."),
        ),
        "parameters": Term(
            _("Extra parts of the address"),
            _("What follows a ? behind the short link, for example ?utm_source=mail."),
            _(
                "They are passed on to the destination, whose own values stay, unless the link or the site is set "
                "otherwise."
            ),
        ),
        "placements": Term(
            _("Placement"),
            _("One occurrence of a link in an issue: image, title, button or text."),
            _("Each has a number at the end of its short link, so that the click map can show them one by one."),
        ),
        "edits": Term(
            _("History"),
            _("Every change is recorded with its time and the name of the editor."),
            _(
                "Most changes can be undone for 30 days. In the chart of an issue, a mark shows when a link was "
                "changed."
            ),
        ),
        "token": Term(
            _("Token"),
            _("A password with which a program uses the JSON API in your name."),
        ),
        "webhook": Term(
            _("Webhook"),
            _("A message to another program when something happens here, such as a new issue."),
        ),
    }
