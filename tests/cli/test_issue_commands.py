"""``shortener issue``: its output, and errors of one line for every mistake of a user."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shortener.cli import main

ISSUE = "# May\n\n## [Whales](https://a.example/whales)\n\nThey sing.\n\n[Read more](https://a.example/whales)\n"
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command in a directory with a configuration and one issue."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SHORTENER_")]:
        monkeypatch.delenv(name)
    (tmp_path / "config.toml").write_text('[[domain]]\nhost = "go.example"\n', encoding="utf-8")
    (tmp_path / "may.md").write_text(ISSUE, encoding="utf-8")

    def call(*arguments: str, config: str = "config.toml") -> Result:
        return CliRunner().invoke(main, ["--config", config, *arguments])

    return call


def assert_refused(result: Result, *texts: str, status: int = 1) -> None:
    """Check that a command failed with this status and one line of error with these texts."""
    assert result.exit_code == status, result.output
    assert isinstance(result.exception, SystemExit)
    lines = result.stderr.strip().splitlines()
    if status == 1:
        assert len(lines) == 1, result.stderr
    assert lines[-1].startswith("Error: ")
    for text in texts:
        assert text in lines[-1]


def test_add_show_list_and_export(run: Run, tmp_path: Path) -> None:
    """``add`` writes the issue next to its source; ``show``, ``list`` and ``export`` print it."""
    result = run("issue", "add", "may.md", "--sent-at", "2026-05-01T08:00+02:00", "--recipients", "1200")
    assert result.exit_code == 0, result.output
    assert "may: added. 1 articles, 1 new short links, 0 adopted." in result.output
    output = (tmp_path / "may.out.md").read_bytes()
    assert output.count(b"https://go.example/") == 2
    issue = json.loads(run("issue", "show", "may", "--format", "json").stdout)
    assert (issue["sent_at"], issue["recipients"], issue["todo"]) == ("2026-05-01T06:00:00Z", 1200, [])
    assert [(article["position"], article["title"]) for article in issue["articles"]] == [(1, "Whales")]
    assert [place["kind"] for place in issue["links"][0]["placements"]] == ["title", "more"]
    listed = json.loads(run("issue", "list", "--format", "json").stdout)
    assert [(issue["slug"], issue["articles"], issue["links"]) for issue in listed] == [("may", 1, 1)]
    assert run("issue", "export", "may").stdout_bytes == output
    assert run("issue", "export", "may", "--source").stdout == ISSUE
    assert "Whales" in run("issue", "show", "may").stdout
    assert run("issue", "show", "may", "--format", "csv").stdout.startswith("position,title,")
    again = run("issue", "add", "may.md")
    assert "nothing changed" in again.output
    assert (tmp_path / "may.out.md").read_bytes() == output


def test_the_output_can_be_standard_output(run: Run) -> None:
    """With ``--output -`` standard output has only the issue; messages go to standard error."""
    result = run("issue", "add", "may.md", "--output", "-")
    assert result.stdout.startswith("# May")
    assert "may: added" in result.stderr


def test_files_are_readable_by_their_owner_only(run: Run, tmp_path: Path) -> None:
    """The data directory is 0700 and the files in it 0600, whatever the umask."""
    umask = os.umask(0)
    try:
        run("issue", "add", "may.md")
    finally:
        os.umask(umask)
    data = tmp_path / "data"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    for path in data.rglob("*"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        pytest.param(b"", ["may.md", "empty"], id="empty"),
        pytest.param(b"caf\xe9 [x](https://a.example)", ["may.md", "UTF-8"], id="not UTF-8"),
        pytest.param(b"x" * (50 * 1024 * 1024), ["may.md", "5 MB"], id="50 MB"),
        pytest.param(
            b"\n".join(b"<https://a.example/%d>" % number for number in range(5_001)),
            ["5,000"],
            id="5,001 links",
        ),
    ],
)
def test_an_unreadable_issue_is_refused(run: Run, tmp_path: Path, content: bytes, texts: list[str]) -> None:
    """The error names the file and the problem; nothing is stored or written."""
    (tmp_path / "may.md").write_bytes(content)
    assert_refused(run("issue", "add", "may.md"), *texts)
    assert not (tmp_path / "may.out.md").exists()
    assert json.loads(run("issue", "list", "--format", "json").stdout) == []
    assert json.loads(run("link", "list", "--format", "json").stdout) == []


def test_broken_html_is_read_as_a_browser_would(run: Run, tmp_path: Path) -> None:
    """Unclosed tags and quotes are no error; links are replaced, and the rest stays."""
    (tmp_path / "may.html").write_text('<p><a href="https://a.example/x">Whales<p <b>"', encoding="utf-8")
    assert run("issue", "add", "may.html").exit_code == 0
    output = (tmp_path / "may.out.html").read_text(encoding="utf-8")
    assert output.startswith('<p><a href="https://go.example/')
    assert output.endswith('">Whales<p <b>"')


@pytest.mark.parametrize(
    ("arguments", "texts", "status"),
    [
        pytest.param(["issue", "add", "none.md"], ["none.md", "no such file"], 1, id="no such file"),
        pytest.param(["issue", "add", "."], [".", "cannot be read"], 1, id="a directory"),
        pytest.param(["issue", "add", "may.md", "--recipients", "0"], ["recipients", "0"], 2, id="recipients 0"),
        pytest.param(["issue", "add", "may.md", "--sent-at", "may"], ["is not a date and time"], 2, id="no time"),
        pytest.param(["issue", "add", "may.md", "--sent-at", "soon"], ["soon"], 2, id="no date"),
        pytest.param(["issue", "add", "may.md", "--domain", "x.example"], ["x.example", "go.example"], 1, id="domain"),
        pytest.param(["issue", "add", "may.md", "--targets", "none.csv"], ["none.csv"], 1, id="no targets file"),
        pytest.param(["issue", "add", "may.md", "--targets", "may.md"], ["may.md", "short_url"], 1, id="no CSV"),
        pytest.param(["issue", "add", "may.md", "--output", "no/such/dir.md"], ["no/such/dir.md"], 1, id="no place"),
        pytest.param(["issue", "add", "may.md", "--output", "may.md"], ["may.md", "overwrite"], 1, id="onto itself"),
        pytest.param(["issue", "show", "none"], ["none", "issue list"], 1, id="unknown slug"),
        pytest.param(["issue", "set", "none", "--title", "x"], ["none"], 1, id="set unknown slug"),
        pytest.param(["issue", "export", "none"], ["none"], 1, id="export unknown slug"),
        pytest.param(["issue", "set", "may", "--position", "1"], ["--article"], 2, id="position of nothing"),
        pytest.param(["report", "issue", "none"], ["none"], 1, id="report unknown slug"),
    ],
)
def test_a_mistake_is_one_line(run: Run, arguments: list[str], texts: list[str], status: int) -> None:
    """The error names the thing and what is wrong with it."""
    assert_refused(run(*arguments), *texts, status=status)


def test_targets_are_checked_before_anything_is_stored(run: Run, tmp_path: Path) -> None:
    """Two targets for one code, or a code that already has another target, are errors that name both."""
    (tmp_path / "may.md").write_text("[Whales](https://go.example/abc)", encoding="utf-8")
    targets = tmp_path / "t.csv"
    targets.write_text(
        "short_url,target\nhttps://go.example/abc,https://a.example/1\nhttps://go.example/ABC,https://a.example/2\n",
        encoding="utf-8",
    )
    assert_refused(run("issue", "add", "may.md", "--targets", "t.csv"), "t.csv", "line 3", "a.example/1", "a.example/2")
    assert run("link", "add", "https://a.example/9", "--code", "abc").exit_code == 0
    targets.write_text("short_url,target\nhttps://go.example/abc,https://a.example/1\n", encoding="utf-8")
    assert_refused(run("issue", "add", "may.md", "--targets", "t.csv"), "a.example/9", "a.example/1")
    assert json.loads(run("issue", "list", "--format", "json").stdout) == []


def test_an_editor_corrects_what_was_read(run: Run) -> None:
    """Title, author and position of an article can be set; a link can be made no article and an article again."""
    run("issue", "add", "may.md")
    link = json.loads(run("issue", "show", "may", "--format", "json").stdout)["links"][0]["short_url"]
    result = run("issue", "set", "may", "--article", link, "--title", "Songs", "--author", "Ann", "--position", "3")
    assert result.output == "may: Songs: position 1.\n"
    assert "not an article" in run("issue", "set", "may", "--article", link, "--not-article").output
    assert "position 1" in run("issue", "set", "may", "--article", "https://a.example/whales", "--is-article").output
    issue = json.loads(run("issue", "show", "may", "--format", "json").stdout)["articles"][0]
    assert (issue["title"], issue["author"], issue["position"]) == ("Songs", "Ann", 1)
    assert_refused(run("issue", "set", "may", "--article", "https://b.example/", "--title", "x"), "b.example")
    assert run("issue", "set", "may", "--title", "June", "--recipients", "7").exit_code == 0
    assert json.loads(run("issue", "list", "--format", "json").stdout)[0]["recipients"] == 7


def test_details_can_be_cleared(run: Run) -> None:
    """``--sent-at never`` and ``--recipients unknown`` clear the value; other words are refused."""
    run("issue", "add", "may.md", "--sent-at", "2026-05-01T08:00Z", "--recipients", "1200")
    assert run("issue", "set", "may", "--sent-at", "never", "--recipients", "unknown").exit_code == 0
    issue = json.loads(run("issue", "show", "may", "--format", "json").stdout)
    assert (issue["sent_at"], issue["recipients"]) == (None, None)
    assert run("report", "issue", "may").exit_code == 0
    assert_refused(run("issue", "set", "may", "--recipients", "none"), "none", status=2)
    assert_refused(run("issue", "set", "may", "--recipients", "0"), "0", status=2)


def test_an_unknown_configuration_key_stops_every_command(run: Run, tmp_path: Path) -> None:
    """Every command reports the file and the unknown key."""
    (tmp_path / "bad.toml").write_text("[server]\nprot = 8000\n", encoding="utf-8")
    for arguments in (["issue", "list"], ["serve"], ["doctor"], ["config", "show"], ["collect", "--once"]):
        assert_refused(run(*arguments, config="bad.toml"), "bad.toml", "server.prot", "no such key")


def test_an_unusable_data_directory_is_named(run: Run, tmp_path: Path) -> None:
    """If storage.data is below a file, every command fails with one line that names the key."""
    (tmp_path / "bad.toml").write_text('[storage]\ndata = "may.md/data"\n', encoding="utf-8")
    for arguments in (
        ["user", "add", "ann", "--invite"],
        ["serve"],
        ["collect", "--once"],
        ["link", "add", "https://a.example/"],
    ):
        assert_refused(run(*arguments, config="bad.toml"), "storage.data")


PAGE = (
    "<html><body><h2><a href='https://a.example/whales'>Whales</a></h2>"
    "<a href='https://b.example/'>Us</a></body></html>"
)


def test_a_honeypot_link_is_added(run: Run, tmp_path: Path) -> None:
    """``--trap`` prints the link, its HTML and advice; ``issue show`` marks the link."""
    (tmp_path / "may.html").write_text(PAGE, encoding="utf-8")
    result = run("issue", "add", "may.html", "--trap")
    assert result.exit_code == 0, result.output
    for text in ("which no reader sees", 'aria-hidden="true"', "Leave it out of a plain-text part"):
        assert text in result.output
    assert "nothing changed" in run("issue", "add", "may.html", "--trap").output
    issue = json.loads(run("issue", "show", "may", "--format", "json").stdout)
    assert [link["trap"] for link in issue["links"]] == [False, False, True]
    assert_refused(run("issue", "add", "may.md", "--slug", "june", "--trap"), "Markdown has no invisible links")


def test_a_recipient_token_is_added(run: Run, tmp_path: Path) -> None:
    """``--copy-tag`` adds the tag to every short URL and prints a note on consent and test sends."""
    result = run("issue", "add", "may.md", "--copy-tag", "*|UNIQID|*")
    assert result.exit_code == 0, result.output
    for text in (
        "ends in ?_c=*|UNIQID|*",
        "need to consent",
        "test send",
        "turns the Markdown into HTML",
    ):
        assert text in result.output
    assert (tmp_path / "may.out.md").read_bytes().count(b"?_c=*|UNIQID|*)") == 2
    again = run("issue", "add", "may.out.md", "--slug", "may", "--output", "again.md")
    assert "nothing changed" in again.output
    assert (tmp_path / "again.md").read_bytes() == (tmp_path / "may.out.md").read_bytes()
    assert_refused(run("issue", "add", "may.md", "--copy-tag", "{{ id }}"), "cannot contain spaces", "{{id}}")


def test_a_link_is_marked_as_honeypot_and_back(run: Run) -> None:
    """``issue set --trap`` and ``--not-trap`` print the new state; an unknown link is an error of one line."""
    run("issue", "add", "may.md")
    url = json.loads(run("issue", "show", "may", "--format", "json").stdout)["links"][0]["short_url"]
    assert "is now a honeypot link, not an article" in run("issue", "set", "may", "--trap", url).output
    assert "is no longer a honeypot link" in run("issue", "set", "may", "--not-trap", url).output
    assert_refused(run("issue", "set", "may", "--trap", "https://go.example/nothing"), "has no short link")
    assert_refused(run("issue", "set", "may", "--article", url, "--trap", url), "leave --article out", status=2)


MAIL = (
    b"From: desk@kelp.example\nTo: reader@y.example\nSubject: Kelp\nDate: Tue, 24 Nov 2026 08:00:00 +0100\n"
    b"MIME-Version: 1.0\nContent-Type: text/plain\n\nNets\nhttps://a.example/nets\n"
)


def test_a_mail_in_a_pipe(run: Run) -> None:
    """Standard input is written to standard output with short links; messages go to standard error."""
    arguments = ["--config", "config.toml", "issue", "add", "-", "--slug", "kelp", "--format", "eml"]
    result = CliRunner().invoke(main, arguments, input=MAIL)
    assert result.exit_code == 0, result.output
    start, end = result.stdout_bytes.split(b"https://go.example/")
    assert MAIL.startswith(start)
    assert end.endswith(b"/1\n")
    assert "--sent-at 2026-11-24T07:00:00Z" in result.stderr
    exported = run("issue", "export", "kelp")
    assert b"reader@y.example" not in exported.stdout_bytes
    assert "only Subject, Date" in exported.stderr


def test_roles_status_and_reread(run: Run, tmp_path: Path) -> None:
    """Roles are set for several links at once; drafts are removed and sent issues archived."""
    (tmp_path / "june.md").write_text("- [One](https://a.example/1)\n- [Two](https://a.example/2)\n", encoding="utf-8")
    run("issue", "add", "june.md")
    result = run(
        *("issue", "set", "june", "--role", "inline"),
        *("--article", "https://a.example/1", "--article", "https://a.example/2"),
    )
    assert result.stdout.splitlines() == ["june: One: inline link.", "june: Two: inline link."]
    assert "0 articles, 0 changed roles" in run("issue", "reread", "june", "--dry-run").stdout
    assert_refused(run("issue", "archive", "june"), "only an issue that was sent", "issue remove")
    assert "june: removed" in run("issue", "remove", "june").stdout
    assert json.loads(run("issue", "list", "--format", "json").stdout) == []
    listed = json.loads(run("issue", "list", "--all", "--format", "json").stdout)
    assert [issue["status"] for issue in listed] == ["removed"]
    assert_refused(run("issue", "add", "june.md"), "was removed", "--undo")
    assert "restored" in run("issue", "remove", "june", "--undo").stdout
    run("issue", "set", "june", "--sent-at", "2026-05-01T08:00+02:00")
    assert_refused(run("issue", "remove", "june"), "only a draft", "issue archive")
    assert "june: archived" in run("issue", "archive", "june").stdout
    assert json.loads(run("issue", "show", "june", "--format", "json").stdout)["status"] == "archived"
    assert_refused(run("issue", "set", "june", "--article", "a", "--article", "b", "--title", "x"), "several", status=2)
