"""`shortener issue …` as a user meets it: what it prints, and one line for everything that a person gets wrong."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shortener.cli import main

ISSUE = (
    "# May\n\n## [Whales](https://a.example/whales)\n\nThey sing.\n\n[Read more](https://a.example/whales)\n"
)
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call a command in an empty directory, with one domain configured."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SHORTENER_")]:
        monkeypatch.delenv(name)
    (tmp_path / "config.toml").write_text('[[domain]]\nhost = "go.example"\n', encoding="utf-8")
    (tmp_path / "may.md").write_text(ISSUE, encoding="utf-8")

    def call(*words: str, config: str = "config.toml") -> Result:
        return CliRunner().invoke(main, ["--config", config, *words])

    return call


def refused(result: Result, *words: str, status: int = 1) -> None:
    """One line of error with these words, the right status, and no traceback."""
    assert result.exit_code == status, result.output
    assert isinstance(result.exception, SystemExit)
    lines = result.stderr.strip().splitlines()
    if status == 1:
        assert len(lines) == 1, result.stderr
    assert lines[-1].startswith("Error: ")
    for word in words:
        assert word in lines[-1]


def test_an_issue_goes_in_and_comes_out(run: Run, tmp_path: Path) -> None:
    """add writes the issue beside its source, show and list know it, export gives it back."""
    result = run("issue", "add", "may.md", "--sent-at", "2026-05-01T08:00+02:00", "--recipients", "1200")
    assert result.exit_code == 0, result.output
    assert "may: added. 1 articles, 1 new short links, 0 adopted." in result.output
    output = (tmp_path / "may.out.md").read_bytes()
    assert output.count(b"https://go.example/") == 2
    shown = json.loads(run("issue", "show", "may", "--format", "json").stdout)
    assert (shown["sent_at"], shown["recipients"], shown["todo"]) == ("2026-05-01T06:00:00Z", 1200, [])
    assert [(each["position"], each["title"]) for each in shown["articles"]] == [(1, "Whales")]
    assert [place["kind"] for place in shown["links"][0]["placements"]] == ["title", "more"]
    listed = json.loads(run("issue", "list", "--format", "json").stdout)
    assert [(each["slug"], each["articles"], each["links"]) for each in listed] == [("may", 1, 1)]
    assert run("issue", "export", "may").stdout_bytes == output
    assert run("issue", "export", "may", "--source").stdout == ISSUE
    assert "Whales" in run("issue", "show", "may").stdout
    assert run("issue", "show", "may", "--format", "csv").stdout.startswith("position,title,")
    again = run("issue", "add", "may.md")
    assert "nothing changed" in again.output
    assert (tmp_path / "may.out.md").read_bytes() == output


def test_the_issue_can_go_to_the_terminal(run: Run) -> None:
    """With --output - the issue alone is on standard output; the words go to standard error."""
    result = run("issue", "add", "may.md", "--output", "-")
    assert result.stdout.startswith("# May")
    assert "may: added" in result.stderr


def test_everything_written_is_for_its_owner(run: Run, tmp_path: Path) -> None:
    """The data directory is 0700 and the files in it 0600, whatever the umask."""
    before = os.umask(0)
    try:
        run("issue", "add", "may.md")
    finally:
        os.umask(before)
    data = tmp_path / "data"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    for path in data.rglob("*"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", ["may.md", "empty"], id="empty"),
        pytest.param(b"caf\xe9 [x](https://a.example)", ["may.md", "UTF-8"], id="not UTF-8"),
        pytest.param(b"x" * (50 * 1024 * 1024), ["may.md", "5 MB"], id="50 MB"),
        pytest.param(
            b"[x](https://u:p@a.example/)\n", ["may.md", "line 1", "nothing was stored"], id="refused target"
        ),
        pytest.param(
            b"\n".join(b"<https://a.example/%d>" % number for number in range(5_001)),
            ["5,000"],
            id="5,001 links",
        ),
    ],
)
def test_a_file_that_is_no_issue_is_refused(
    run: Run, tmp_path: Path, content: bytes, words: list[str]
) -> None:
    """What cannot be taken in is named with its reason; nothing is stored and nothing is written."""
    (tmp_path / "may.md").write_bytes(content)
    refused(run("issue", "add", "may.md"), *words)
    assert not (tmp_path / "may.out.md").exists()
    assert json.loads(run("issue", "list", "--format", "json").stdout) == []
    assert json.loads(run("link", "list", "--format", "json").stdout) == []


def test_broken_html_is_read_as_a_browser_would(run: Run, tmp_path: Path) -> None:
    """Unclosed tags and quotes are no error; what is a link is replaced, the rest stays."""
    (tmp_path / "may.html").write_text('<p><a href="https://a.example/x">Whales<p <b>"', encoding="utf-8")
    assert run("issue", "add", "may.html").exit_code == 0
    output = (tmp_path / "may.out.html").read_text(encoding="utf-8")
    assert output.startswith('<p><a href="https://go.example/')
    assert output.endswith('">Whales<p <b>"')


@pytest.mark.parametrize(
    ("words", "said", "status"),
    [
        pytest.param(["issue", "add", "none.md"], ["none.md", "no such file"], 1, id="no such file"),
        pytest.param(["issue", "add", "."], [".", "cannot be read"], 1, id="a directory"),
        pytest.param(
            ["issue", "add", "may.md", "--recipients", "0"], ["recipients", "0"], 2, id="recipients 0"
        ),
        pytest.param(
            ["issue", "add", "may.md", "--sent-at", "2026-05-01T08:00"], ["time zone"], 2, id="no zone"
        ),
        pytest.param(["issue", "add", "may.md", "--sent-at", "soon"], ["soon"], 2, id="no date"),
        pytest.param(
            ["issue", "add", "may.md", "--domain", "x.example"], ["x.example", "go.example"], 1, id="domain"
        ),
        pytest.param(
            ["issue", "add", "may.md", "--targets", "none.csv"], ["none.csv"], 1, id="no targets file"
        ),
        pytest.param(
            ["issue", "add", "may.md", "--targets", "may.md"], ["may.md", "short_url"], 1, id="no CSV"
        ),
        pytest.param(
            ["issue", "add", "may.md", "--output", "no/such/dir.md"], ["no/such/dir.md"], 1, id="no place"
        ),
        pytest.param(
            ["issue", "add", "may.md", "--output", "may.md"], ["may.md", "overwrite"], 1, id="onto itself"
        ),
        pytest.param(["issue", "show", "none"], ["none", "issue list"], 1, id="unknown slug"),
        pytest.param(["issue", "set", "none", "--title", "x"], ["none"], 1, id="set unknown slug"),
        pytest.param(["issue", "export", "none"], ["none"], 1, id="export unknown slug"),
        pytest.param(["issue", "set", "may", "--position", "1"], ["--article"], 2, id="position of nothing"),
        pytest.param(["report", "issue", "none"], ["none"], 1, id="report unknown slug"),
    ],
)
def test_what_a_person_gets_wrong_ends_in_one_line(
    run: Run, words: list[str], said: list[str], status: int
) -> None:
    """Every mistake is answered with the thing and the mend."""
    refused(run(*words), *said, status=status)


def test_targets_are_checked_before_anything_is_stored(run: Run, tmp_path: Path) -> None:
    """Two targets for one code, and a code that leads elsewhere already, are conflicts that name both."""
    (tmp_path / "may.md").write_text("[Whales](https://go.example/abc)", encoding="utf-8")
    targets = tmp_path / "t.csv"
    targets.write_text(
        "short_url,target\nhttps://go.example/abc,https://a.example/1\nhttps://go.example/ABC,https://a.example/2\n",
        encoding="utf-8",
    )
    refused(
        run("issue", "add", "may.md", "--targets", "t.csv"), "t.csv", "line 3", "a.example/1", "a.example/2"
    )
    assert run("link", "add", "https://a.example/9", "--code", "abc").exit_code == 0
    targets.write_text("short_url,target\nhttps://go.example/abc,https://a.example/1\n", encoding="utf-8")
    refused(run("issue", "add", "may.md", "--targets", "t.csv"), "a.example/9", "a.example/1")
    assert json.loads(run("issue", "list", "--format", "json").stdout) == []


def test_an_editor_corrects_what_was_read(run: Run) -> None:
    """Title, author, place and kind of an article can be set; a link can be made no article, and one again."""
    run("issue", "add", "may.md")
    link = json.loads(run("issue", "show", "may", "--format", "json").stdout)["links"][0]["short_url"]
    result = run(
        "issue", "set", "may", "--article", link, "--title", "Songs", "--author", "Ann", "--position", "3"
    )
    assert result.output == "may: Songs: place 1.\n"
    assert "no article" in run("issue", "set", "may", "--article", link, "--not-article").output
    assert (
        "place 1"
        in run("issue", "set", "may", "--article", "https://a.example/whales", "--is-article").output
    )
    shown = json.loads(run("issue", "show", "may", "--format", "json").stdout)["articles"][0]
    assert (shown["title"], shown["author"], shown["position"]) == ("Songs", "Ann", 1)
    refused(run("issue", "set", "may", "--article", "https://b.example/", "--title", "x"), "b.example")
    assert run("issue", "set", "may", "--title", "June", "--recipients", "7").exit_code == 0
    assert json.loads(run("issue", "list", "--format", "json").stdout)[0]["recipients"] == 7


def test_facts_are_taken_back(run: Run) -> None:
    """`--sent-at never` and `--recipients unknown` undo what was said too early; other words are refused."""
    run("issue", "add", "may.md", "--sent-at", "2026-05-01T08:00Z", "--recipients", "1200")
    assert run("issue", "set", "may", "--sent-at", "never", "--recipients", "unknown").exit_code == 0
    shown = json.loads(run("issue", "show", "may", "--format", "json").stdout)
    assert (shown["sent_at"], shown["recipients"]) == (None, None)
    assert run("report", "issue", "may").exit_code == 0
    refused(run("issue", "set", "may", "--recipients", "none"), "none", status=2)
    refused(run("issue", "set", "may", "--recipients", "0"), "0", status=2)


def test_the_configuration_is_held_to_its_keys(run: Run, tmp_path: Path) -> None:
    """A typo in the configuration stops every command with the key, the value and the expectation."""
    (tmp_path / "bad.toml").write_text("[server]\nprot = 8000\n", encoding="utf-8")
    for words in (["issue", "list"], ["serve"], ["doctor"], ["config", "show"], ["collect", "--once"]):
        refused(run(*words, config="bad.toml"), "bad.toml", "server.prot", "no such key")


def test_a_data_directory_that_cannot_be_written_is_named(run: Run, tmp_path: Path) -> None:
    """storage.data that is a file, or below one, is an error of one line."""
    (tmp_path / "bad.toml").write_text('[storage]\ndata = "may.md/data"\n', encoding="utf-8")
    for words in (["issue", "list"], ["serve"], ["collect", "--once"], ["link", "add", "https://a.example/"]):
        refused(run(*words, config="bad.toml"), "storage.data")


PAGE = (
    "<html><body><h2><a href='https://a.example/whales'>Whales</a></h2>"
    "<a href='https://b.example/'>Us</a></body></html>"
)


def test_a_hidden_link_says_how_it_looks(run: Run, tmp_path: Path) -> None:
    """--trap prints the link, its HTML and what to mind; a second time it only says which it is; show marks it."""
    (tmp_path / "may.html").write_text(PAGE, encoding="utf-8")
    result = run("issue", "add", "may.html", "--trap")
    assert result.exit_code == 0, result.output
    for words in ("which no reader sees", 'aria-hidden="true"', "leave it out of a plain-text part"):
        assert words in result.output
    assert "nothing changed" in run("issue", "add", "may.html", "--trap").output
    shown = json.loads(run("issue", "show", "may", "--format", "json").stdout)
    assert [link["trap"] for link in shown["links"]] == [False, False, True]
    refused(run("issue", "add", "may.md", "--slug", "june", "--trap"), "Markdown has no invisible links")


def test_a_copy_tag_says_what_it_means_for_readers(run: Run, tmp_path: Path) -> None:
    """--copy-tag prints the note on consent where it is switched on, and what a test send has to show."""
    result = run("issue", "add", "may.md", "--copy-tag", "*|UNIQID|*")
    assert result.exit_code == 0, result.output
    for words in (
        "ends in ?_c=*|UNIQID|*",
        "may need their consent",
        "test send",
        "turns the Markdown into HTML",
    ):
        assert words in result.output
    assert (tmp_path / "may.out.md").read_bytes().count(b"?_c=*|UNIQID|*)") == 2
    again = run("issue", "add", "may.out.md", "--slug", "may", "--output", "again.md")
    assert "nothing changed" in again.output
    assert (tmp_path / "again.md").read_bytes() == (tmp_path / "may.out.md").read_bytes()
    refused(run("issue", "add", "may.md", "--copy-tag", "{{ id }}"), "cannot contain spaces", "{{id}}")


def test_a_hidden_link_is_declared_and_taken_back(run: Run) -> None:
    """set --trap and --not-trap say what the link is now; a link of no issue is one line."""
    run("issue", "add", "may.md")
    url = json.loads(run("issue", "show", "may", "--format", "json").stdout)["links"][0]["short_url"]
    assert "is its hidden link now, and no article" in run("issue", "set", "may", "--trap", url).output
    assert "is a link that readers see" in run("issue", "set", "may", "--not-trap", url).output
    refused(run("issue", "set", "may", "--trap", "https://go.example/nothing"), "has no short link")
    refused(run("issue", "set", "may", "--article", url, "--trap", url), "leave --article out", status=2)
