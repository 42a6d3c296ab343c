"""The documents agree with the code: commands, options, modules, targets and links that they name exist."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest

from docs import generate_reference
from shortener.cli import main
from shortener.store import open_store

ROOT = Path(__file__).parent.parent
DOCUMENTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
        *sorted((ROOT / "changes").glob("*.md")),
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted((ROOT / "tests" / "benchmarks").rglob("*.md")),
    )
}
MAX_README_LINES = 150
COMMANDS = dict(generate_reference.all_commands(main))
GENERATED = generate_reference.generate()
FENCE = re.compile(r"^ *```.*?^ *```", flags=re.M | re.S)
CHANGE_KINDS = ("added", "changed", "fixed", "removed")


def options(command: click.Command) -> set[str]:
    """Return all spellings of a command's options."""
    return {option for param in command.params for option in (*param.opts, *param.secondary_opts)} | {"--help"}


@pytest.mark.parametrize("name", sorted(GENERATED))
def test_the_reference_is_what_the_code_generates(name: str) -> None:
    """docs/reference/ has been generated again after the last change of the code."""
    committed = DOCUMENTS.get(f"docs/reference/{name}")
    assert committed == GENERATED[name], (
        f"docs/reference/{name} is not what the code says: run `{generate_reference.REFRESH_COMMAND}`"
    )


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_in_the_reference(name: str) -> None:
    """A user finds each command under a heading of its own."""
    assert f"\n## shortener {name}\n" in DOCUMENTS["docs/reference/commands.md"]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_a_help_text(name: str) -> None:
    """`--help` of each command has a sentence, and each of its options a text."""
    command = COMMANDS[name]
    assert command.help
    for param in command.params:
        if isinstance(param, click.Option) and not param.hidden:
            assert param.help, f"{name}: {param.opts[0]} has no help text"


@pytest.mark.parametrize("route", generate_reference.all_routes(), ids=lambda route: f"{route.methods} {route.path}")
def test_every_route_has_a_description(route: generate_reference.Route) -> None:
    """A reader of the reference knows what answers at each address."""
    assert route.meaning


def code_of(text: str) -> Iterator[str]:
    """Yield the inline code and the lines of code blocks of a document."""
    yield from (line for block in FENCE.findall(text) for line in block.splitlines()[1:-1])
    for span in re.findall(r"`([^`]+)`", FENCE.sub("", text)):
        yield " ".join(span.split())


def calls() -> list[tuple[str, str]]:
    """Return (document, call) of every call of a command."""
    found = set()
    for document, text in DOCUMENTS.items():
        if document.startswith("docs/reference/"):
            continue
        for code in code_of(text):
            for part in re.split(r"&&|[|>;#] ", code):
                call = re.fullmatch(r"\s*(?:\$ |command: )?(?:\S*/)?(shortener( .*)?)", part)
                if call:
                    found.add((document, re.sub(r" --config \S+", "", call[1]).strip()))
    return sorted(found)


@pytest.mark.parametrize(("document", "call"), calls())
def test_documents_call_only_commands_that_exist(document: str, call: str) -> None:
    """Each command and each option that a document shows exists."""
    words = call.split()[1:]
    name = next((" ".join(words[:size]) for size in (3, 2, 1) if " ".join(words[:size]) in COMMANDS), None)
    if name is None:
        groups = {" ".join(name.split()[:size]) for name in COMMANDS for size in (1, 2)}
        assert not words or words[0] in {"-h", "--help", "--version", "…"} or words[0] in groups, f"{document}: {call}"
        assert len(words) < 2 or words[1] in {"…", "--help"}, f"{document}: {call}"
        return
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0] in options(COMMANDS[name]), f"{document}: {call}: there is no {word}"


def test_documents_name_only_options_that_exist() -> None:
    """An option in code of its own, as ``--trap``, belongs to a command or to a benchmark."""
    known = options(main).union(*(options(command) for command in COMMANDS.values()))
    benchmarks = "".join(
        path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests" / "benchmarks").rglob("*.py"))
    )
    for document, text in DOCUMENTS.items():
        for code in code_of(text) if not document.startswith("docs/reference/") else ():
            word = code.split()[0].partition("=")[0] if code.startswith("--") else ""
            assert not word or word in known or f'"{word}"' in benchmarks, f"{document}: there is no {word}"


def test_every_make_target_exists() -> None:
    """`make …` in a document is a target of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {
        (document, target)
        for document, text in DOCUMENTS.items()
        for code in code_of(text)
        for target in re.findall(r"^(?:\$ )?make ([a-z]+)", code)
    }
    assert {("README.md", "demo"), ("README.md", "test")} <= targets
    for document, target in sorted(targets):
        assert re.search(rf"^{target}:", makefile, flags=re.M), f"{document}: there is no `make {target}`"


def test_every_path_exists() -> None:
    """A path in code exists: below the root or, as in ``web/views/``, below ``shortener/``."""
    folders = "|".join(
        re.escape(path.name) for parent in (ROOT, ROOT / "shortener") for path in parent.iterdir() if path.is_dir()
    )
    pattern = re.compile(rf"(?:{folders})/[\w./-]*")
    for document, text in DOCUMENTS.items():
        for code in code_of(FENCE.sub("", text)):
            name = code.partition("::")[0]
            if not pattern.fullmatch(name) or name.startswith(("build/", "clicklog/edge", "changes/")):
                continue
            assert (ROOT / name).exists() or (ROOT / "shortener" / name).exists(), f"{document}: {name}"


def test_every_file_name_exists() -> None:
    """A Python file that a document names without its folder is somewhere in the repository."""
    names = {path.name for folder in ("shortener", "tests", "docs") for path in (ROOT / folder).rglob("*.py")}
    for document, text in DOCUMENTS.items():
        for code in code_of(FENCE.sub("", text)):
            if re.fullmatch(r"\w+\.py", code):
                assert code in names, f"{document}: {code}"


def test_the_readme_is_short() -> None:
    """The README is an entrance; everything longer is in docs/."""
    assert len(DOCUMENTS["README.md"].splitlines()) <= MAX_README_LINES


def anchors(text: str) -> set[str]:
    """Return the anchors of a document's headings, as GitHub and MyST make them."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *$", FENCE.sub("", text), flags=re.M):
        plain = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()).replace(" ", "-")
        repeated = sum(1 for anchor in found if re.fullmatch(rf"{re.escape(plain)}(-\d+)?", anchor))
        found.add(f"{plain}-{repeated}" if repeated else plain)
    return found


@pytest.mark.parametrize("document", sorted(DOCUMENTS))
def test_internal_links_resolve(document: str) -> None:
    """The target of each relative link exists, with its anchor."""
    # A change file becomes a part of CHANGELOG.md, so its links start at the root.
    folder = ROOT if document.startswith("changes/") else (ROOT / document).parent
    text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", DOCUMENTS[document]))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (folder / path).resolve() if path else ROOT / document
        assert file.exists(), f"{document}: {target}"
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), f"{document}: {target}"


def test_the_architecture_lists_every_table(tmp_path: Path) -> None:
    """Section 7.2 of the architecture has the tables of the store and no others."""
    open_store(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "store.db")) as db:
        rows = db.execute("select name from sqlite_schema where type = 'table'").fetchall()
    section = DOCUMENTS["docs/architecture.md"].partition("### 7.2 ")[2].partition("\n## ")[0]
    listed = {
        name for line in re.findall(r"^\| ([^|]+) \|", section, flags=re.M) for name in re.findall(r"`(\w+)`", line)
    }
    assert listed == {name for (name,) in rows if not name.startswith(("sqlite", "_"))}


def test_change_files_have_a_kind() -> None:
    """Each file in changes/ is named ``<slug>.<kind>.md``, so that `make changelog` finds it."""
    for path in (ROOT / "changes").iterdir():
        if path.name != "template.md":
            assert re.fullmatch(rf"[a-z0-9-]+\.({'|'.join(CHANGE_KINDS)})\.md", path.name), path.name
