"""``clicks explain`` and ``reclassify``: why a click has its verdict, and what judging again changes."""

import json
from pathlib import Path
from typing import Any

SENT = 1_714_550_400


def explained(shortener: Any, id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shortener("clicks", "explain", id, "--format", "json").output)
    return found


def sweep(newsletter: Any, **more: Any) -> None:
    """Four links of the issue within a second, as a mail scanner opens them."""
    for at, (code, n) in enumerate((("one", 1), ("two", 3), ("foot", 4))):
        newsletter.click(code, n, visitor="gateway", **more)
        newsletter.waiting[-1]["ts"] = SENT + 4000 + at / 5
    newsletter.drain()


def test_a_reader_is_explained(read: Any, shortener: Any) -> None:
    """A click that nothing speaks against says so, with what is kept of its request."""
    made = explained(shortener, "click-000001")
    assert (made["verdict"], made["reason"], made["words"]) == (
        "human",
        "reader",
        "no sign of automation",
    )
    assert made["issue"] == "may"
    assert made["seconds_after_sending"] == 300.123
    assert (made["judged"], made["settled"]) == (True, True)
    assert made["request"]["method"] == "GET"
    assert [each["shared"] for each in made["neighbours"]] == ["the same address and browser"] * bool(
        made["neighbours"]
    )


def test_a_machine_is_explained(newsletter: Any, shortener: Any) -> None:
    """A burst names the rule that decided, its evidence, and the clicks around that it was judged by."""
    sweep(newsletter, copy="c0")
    made = explained(shortener, "click-000001")
    assert (made["verdict"], made["reason"]) == ("scanner", "burst")
    decided = [each for each in made["spoken"] if each["decided"]]
    assert [each["reason"] for each in decided] == ["burst"]
    assert decided[0]["evidence"] == ["3 links by this recipient within 1 s"]
    (around,) = made["neighbours"]
    assert (around["shared"], around["clicks"], around["links"]) == ("the same recipient", 2, 2)
    told = shortener("clicks", "explain", "click-000001").output
    for words in (
        "scanner, because: 3 different links by this recipient within 1 s",
        "Rules that spoke",
        "same recipient",
        "decided",
    ):
        assert words in told
    assert "burst" in shortener("clicks", "explain", "click-000001", "--format", "csv").output


def test_a_machine_by_its_request_is_explained(read: Any, shortener: Any) -> None:
    """A preview by its name shows the user agent that was read."""
    ids = {
        line["verdict"]: line["id"]
        for line in map(json.loads, shortener("clicks", "export").output.splitlines())
    }
    made = explained(shortener, ids["preview"])
    assert made["reason"] == "named-preview"
    assert "Slackbot" in made["spoken"][0]["evidence"][0]
    assert made["neighbours"] == [], "previews take no part in what others are judged by"
    assert "HEAD" in shortener("clicks", "explain", ids["bot"]).output


def test_an_unknown_click_is_one_line(read: Any, shortener: Any) -> None:
    """An id that is not in the store says where ids are to be had."""
    assert "clicks export" in shortener("clicks", "explain", "nothing", status=1).output


def test_reclassify_says_that_nothing_changed(read: Any, shortener: Any) -> None:
    """With the rules and lists of before, every verdict stays."""
    told = shortener("reclassify").output
    assert "No verdict changed." in told
    assert "11 clicks" in told


def test_reclassify_tells_what_new_lists_change(newsletter: Any, shortener: Any) -> None:
    """A new list of data centers turns old clicks, and the table says how many of which issue became what."""
    newsletter.click("one", 1, net="203.0.113.0/24", after=100)
    newsletter.click("Lone", net="203.0.113.0/24", visitor="bob", h={"accept": "*/*"})
    newsletter.click("two", 3, net="192.0.2.0/24", visitor="cat")
    newsletter.drain()
    Path(newsletter.directory, "cloud.txt").write_text("203.0.113.0/24\n")
    with Path(newsletter.directory, "config.toml").open("a") as file:
        file.write('[verdicts]\ndatacenters = ["cloud.txt"]\n')
    made = json.loads(shortener("reclassify", "--format", "json").output)
    assert made == {
        "clicks": 3,
        "resumed": False,
        "changed": [{"issue": "may", "from": "human", "to": "scanner", "clicks": 1}],
    }
    assert "No verdict changed" in shortener("reclassify").output
    assert explained(shortener, "click-000001")["reason"] == "datacenter-soon"


def test_reclassify_since_leaves_older_clicks_alone(read: Any, shortener: Any) -> None:
    """Only what came from that time on is judged again."""
    assert "Judged 0 clicks" in shortener("reclassify", "--since", "2030-01-01T00:00Z").output
    made = json.loads(shortener("reclassify", "--since", "2024-05-01T08:09Z", "--format", "json").output)
    assert 0 < made["clicks"] < 11


def test_a_bad_list_is_one_line(read: Any, shortener: Any) -> None:
    """A CIDR file that cannot be used is named with its line, by every command that needs it."""
    Path(read.directory, "cloud.txt").write_text("203.0.113.0/24\nnot-a-network\n")
    with Path(read.directory, "config.toml").open("a") as file:
        file.write('[verdicts]\ndatacenters = ["cloud.txt"]\n')
    for command in (("reclassify",), ("collect", "--once")):
        told = shortener(*command, status=1).output
        assert "cloud.txt, line 2: 'not-a-network' is not a network" in told
        assert told.count("\n") == 1
    Path(read.directory, "cloud.txt").unlink()
    assert "cannot be read" in shortener("reclassify", status=1).output


def test_another_time_of_sending_says_what_it_turned(read: Any, shortener: Any) -> None:
    """issue set --sent-at judges the issue's clicks again by itself, and says how many turned."""
    read.click("one", 1, after=5, visitor="eve")
    read.drain()
    told = shortener("issue", "set", "may", "--sent-at", "2024-05-01T07:00Z").output
    assert "Judged again: 1 clicks are human now, not scanner." in told
    assert "Judged again" not in shortener("issue", "set", "may", "--recipients", "300").output


def test_reasons_are_one_step_away(read: Any, shortener: Any) -> None:
    """report issue --reasons lists every verdict by its reason, and the band in which the truth should lie."""
    for report in (("issue", "may"), ("link", "one")):
        told = shortener("report", *report, "--reasons").output
        assert "named-preview" in told
        assert "the user agent names a link preview" in told
        assert "by the strictest rules" in told
