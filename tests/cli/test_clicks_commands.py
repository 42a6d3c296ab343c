"""``clicks explain`` and ``reclassify``: the explanation of a verdict, and reclassification of stored clicks."""

import json
from pathlib import Path
from typing import Any

SENT = 1_714_550_400


def explain(shortener: Any, id: str) -> dict[str, Any]:
    """Return the JSON explanation of a click."""
    explanation: dict[str, Any] = json.loads(shortener("clicks", "explain", id, "--format", "json").output)
    return explanation


def click_like_a_scanner(newsletter: Any, **keys: Any) -> None:
    """Click three links of the issue within a second, as a mail scanner does."""
    for at, (code, n) in enumerate((("one", 1), ("two", 3), ("foot", 4))):
        newsletter.click(code, n, visitor="gateway", **keys)
        newsletter.waiting[-1]["ts"] = SENT + 4000 + at / 5
    newsletter.drain()


def test_a_human_click_is_explained(read: Any, shortener: Any) -> None:
    """The explanation of a human click has its verdict, its issue and the stored request."""
    explanation = explain(shortener, "click-000001")
    assert (explanation["verdict"], explanation["reason"], explanation["words"]) == (
        "human",
        "reader",
        "no sign of automation",
    )
    assert explanation["issue"] == "may"
    assert explanation["seconds_after_sending"] == 300.123
    assert (explanation["judged"], explanation["settled"]) == (True, True)
    assert explanation["request"]["method"] == "GET"
    assert [group["shared"] for group in explanation["neighbours"]] == ["the same address and browser"] * bool(
        explanation["neighbours"]
    )


def test_a_burst_is_explained(newsletter: Any, shortener: Any) -> None:
    """The explanation of a burst has the deciding rule, its evidence, and the nearby clicks."""
    click_like_a_scanner(newsletter, copy="c0")
    explanation = explain(shortener, "click-000001")
    assert (explanation["verdict"], explanation["reason"]) == ("scanner", "burst")
    decided = [rule for rule in explanation["spoken"] if rule["decided"]]
    assert [rule["reason"] for rule in decided] == ["burst"]
    assert decided[0]["evidence"] == ["3 different links by this recipient within 1 s"]
    (group,) = explanation["neighbours"]
    assert (group["shared"], group["clicks"], group["links"]) == ("the same recipient token", 2, 2)
    output = shortener("clicks", "explain", "click-000001").output
    for text in (
        "scanner, because: 3 different links by this recipient within 1 s",
        "Matching rules",
        "same recipient",
        "decided",
    ):
        assert text in output
    assert "burst" in shortener("clicks", "explain", "click-000001", "--format", "csv").output


def test_a_verdict_from_the_request_alone_is_explained(read: Any, shortener: Any) -> None:
    """The explanation of a link preview has the user agent that names it."""
    ids = {line["verdict"]: line["id"] for line in map(json.loads, shortener("clicks", "export").output.splitlines())}
    explanation = explain(shortener, ids["preview"])
    assert explanation["reason"] == "named-preview"
    assert "Slackbot" in explanation["spoken"][0]["evidence"][0]
    assert explanation["neighbours"] == [], "previews are not compared with nearby clicks"
    assert "HEAD" in shortener("clicks", "explain", ids["bot"]).output


def test_an_unknown_click_is_one_line(read: Any, shortener: Any) -> None:
    """The error for an unknown id names the command that lists ids."""
    assert "clicks export" in shortener("clicks", "explain", "nothing", status=1).output


def test_reclassify_without_changes(read: Any, shortener: Any) -> None:
    """With unchanged rules and lists every verdict stays."""
    output = shortener("reclassify").output
    assert "No verdict changed." in output
    assert "11 clicks" in output


def test_reclassify_lists_changed_verdicts(newsletter: Any, shortener: Any) -> None:
    """With a new list of data centers old clicks get another verdict; the result counts them by issue and verdict."""
    newsletter.click("one", 1, net="203.0.113.0/24", after=100)
    newsletter.click("Lone", net="203.0.113.0/24", visitor="bob", h={"accept": "*/*"})
    newsletter.click("two", 3, net="192.0.2.0/24", visitor="cat")
    newsletter.drain()
    Path(newsletter.directory, "cloud.txt").write_text("203.0.113.0/24\n")
    with Path(newsletter.directory, "config.toml").open("a") as file:
        file.write('[verdicts]\ndatacenters = ["cloud.txt"]\n')
    result = json.loads(shortener("reclassify", "--format", "json").output)
    assert result == {
        "clicks": 3,
        "resumed": False,
        "changed": [{"issue": "may", "from": "human", "to": "scanner", "clicks": 1}],
    }
    assert "No verdict changed" in shortener("reclassify").output
    assert explain(shortener, "click-000001")["reason"] == "datacenter-soon"


def test_reclassify_since_leaves_older_clicks_alone(read: Any, shortener: Any) -> None:
    """Only clicks from that time on are classified again."""
    assert "Reclassified 0 clicks" in shortener("reclassify", "--since", "2030-01-01T00:00Z").output
    result = json.loads(shortener("reclassify", "--since", "2024-05-01T08:09Z", "--format", "json").output)
    assert 0 < result["clicks"] < 11


def test_a_bad_list_is_one_line(read: Any, shortener: Any) -> None:
    """Every command that needs an invalid list of networks prints one error with the file and the line."""
    Path(read.directory, "cloud.txt").write_text("203.0.113.0/24\nnot-a-network\n")
    with Path(read.directory, "config.toml").open("a") as file:
        file.write('[verdicts]\ndatacenters = ["cloud.txt"]\n')
    for command in (("reclassify",), ("collect", "--once")):
        output = shortener(*command, status=1).output
        assert "cloud.txt, line 2: 'not-a-network' is not a network" in output
        assert output.count("\n") == 1
    Path(read.directory, "cloud.txt").unlink()
    assert "cannot be read" in shortener("reclassify", status=1).output


def test_a_new_sending_time_reclassifies(read: Any, shortener: Any) -> None:
    """``issue set --sent-at`` reclassifies the clicks of the issue and prints how many changed."""
    read.click("one", 1, after=5, visitor="eve")
    read.drain()
    output = shortener("issue", "set", "may", "--sent-at", "2024-05-01T07:00Z").output
    assert "Reclassified: 1 clicks from scanner to human." in output
    assert "Reclassified" not in shortener("issue", "set", "may", "--recipients", "300").output


def test_verdicts_are_listed_by_reason(read: Any, shortener: Any) -> None:
    """``--reasons`` lists verdicts by reason, and the low, best and high estimate of human clicks."""
    for report in (("issue", "may"), ("link", "one")):
        output = shortener("report", *report, "--reasons").output
        assert "named-preview" in output
        assert "the user agent names a link preview" in output
        assert "low estimate" in output
