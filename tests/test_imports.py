"""Imports point one way: a room knows the rooms below it and none above."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "shortener"

LAYERS = (
    {"errors", "codes", "urls", "files"},
    {"config", "shared_memory"},
    {"sockets"},
    {"newsletter", "ranking", "classification", "clicklog", "short_urls", "secret_key"},
    {"store"},
    {"collector"},
    {"redirect", "reporting", "services"},
    {"web", "demo.readers"},
    {"app"},
    {"server"},
    {"children"},
    {"cli", "demo"},
    {"__main__"},
)
"""From the bottom up; a module belongs to the longest name that fits."""

PURE = ("newsletter", "ranking", "classification")
HEAVY = {
    "flask",
    "werkzeug",
    "jinja2",
    "granian",
    "numpy",
    "rich",
    "click",
    "user_agents",
    "pyromark",
    "is_bot",
}


def modules() -> dict[str, ast.Module]:
    """Every module of the package by its name below ``shortener``."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    return found


MODULES = modules()


def layer(module: str) -> int | None:
    """The layer of a module, or None for the package itself."""
    best, height = "", None
    for number, names in enumerate(LAYERS):
        for name in names:
            if (module == name or module.startswith(name + ".")) and len(name) > len(best):
                best, height = name, number
    return height


def imported(name: str, tree: ast.Module) -> set[str]:
    """The modules that a module imports, as absolute names; at any depth of the file, not for type checking only."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = ["shortener", *name.split(".")][: -node.level if name in leafs() else None]
                base = ".".join([*package, *([node.module] if node.module else [])])
            found.add(base)
            found.update(
                f"{base}.{alias.name}"
                for alias in node.names
                if f"{base}.{alias.name}".removeprefix("shortener.") in MODULES
            )
    return found


def leafs() -> set[str]:
    """Modules that are files, not packages."""
    return {name for name in MODULES if not any(other.startswith(name + ".") for other in MODULES)}


@pytest.mark.parametrize("name", sorted(name for name in MODULES if name))
def test_a_module_imports_only_what_lies_below_it(name: str) -> None:
    """Every module has its layer and imports nothing from a higher one."""
    own = layer(name)
    assert own is not None, f"{name} has no layer: say where it belongs"
    for other in imported(name, MODULES[name]):
        module = other.removeprefix("shortener.")
        if other.startswith("shortener.") and (height := layer(module)) is not None:
            assert height <= own, f"{name} imports {module}, which lies above it"


@pytest.mark.parametrize("name", sorted(name for name in MODULES if name.startswith(PURE)))
def test_pure_rooms_know_neither_sql_nor_a_framework(name: str) -> None:
    """newsletter/, ranking/ and the verdict rules can be used without a store, a server or a clock."""
    outside = {module.partition(".")[0] for module in imported(name, MODULES[name])}
    assert not outside & {
        "flask",
        "sqlite3",
        "sqlite_utils",
        "granian",
        "click",
        "socket",
        "subprocess",
        "time",
    }
    ours = {module for module in imported(name, MODULES[name]) if module.startswith("shortener.")}
    allowed = tuple(f"shortener.{room}" for room in (*PURE, "codes", "errors"))
    assert all(module.startswith(allowed) for module in ours), ours


@pytest.mark.parametrize("name", sorted(name for name in MODULES if name.startswith("redirect")))
def test_the_hot_path_imports_nothing_slow(name: str) -> None:
    """redirect/ imports no framework and nothing that is slow to load or may fail to."""
    assert not {module.partition(".")[0] for module in imported(name, MODULES[name])} & HEAVY


@pytest.mark.parametrize(
    "name", sorted(name for name in MODULES if not name.startswith(("store", "redirect.link_cache")))
)
def test_sql_stands_in_the_store(name: str) -> None:
    """Statements are written in store/ only (the hot path's lookup is the one exception, and reads)."""
    words = ("select ", "insert into ", "update ", "delete from ")
    methods = {"execute", "executemany", "rows", "row", "value"}
    for node in ast.walk(MODULES[name]):
        called = node.func if isinstance(node, ast.Call) and node.args else None
        if isinstance(node, ast.Call) and isinstance(called, ast.Attribute) and called.attr in methods:
            text = ast.unparse(node.args[0]).strip("'\"f").lower()
            assert not text.startswith(words), f"{name}: SQL outside store/: {text[:60]}"


def test_the_supervisor_loads_nothing_that_workers_wait_for() -> None:
    """``shortener serve`` starts its workers before anything slow is loaded: after a kill each tenth counts."""
    program = "import sys, shortener.cli.serve; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & (HEAVY - {"click"} | {"sqlite_utils", "asyncio"})
