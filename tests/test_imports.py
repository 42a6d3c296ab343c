"""Imports point one way: a module imports modules of its own layer or of a lower one, and none of a higher one.

`redirect/` and `collector/` do not import each other. They meet only in `clicklog/`: one writes the click log, the
other reads it.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "shortener"

LAYERS = (
    {"errors", "codes", "durations", "files", "homographs", "limited_process", "messages", "urls"},
    {"config", "config_messages", "config_sources", "settings", "shared_memory"},
    {"newsletter", "ranking", "classification", "clicklog", "short_urls", "secret_key"},
    {"store"},
    {"collector", "node"},
    {"redirect", "reporting", "services"},
    {"web", "api"},
    {"app", "node_app"},
    {"remedies"},
    {"server"},
    {"cli", "demo"},
    {"__main__"},
)
"""Packages and modules from the bottom up; a module belongs to the longest name that matches."""

PURE = ("newsletter", "ranking", "classification")
"""Packages without SQL, framework, clock and network."""
SEPARATE = {"redirect": "collector", "collector": "redirect"}
"""Packages that do not import each other."""
SLOW_IMPORTS = {
    "flask",
    "werkzeug",
    "jinja2",
    "aiohttp",
    "babel",
    "granian",
    "waitress",
    "numpy",
    "rich",
    "click",
    "user_agents",
    "pyromark",
    "is_bot",
}


def modules() -> dict[str, ast.Module]:
    """Return every module by its dotted name below ``shortener``."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    return found


MODULES = modules()


def layer(module: str) -> int | None:
    """Return the number of a module's layer, or None for the package itself."""
    longest, layer_number = "", None
    for number, names in enumerate(LAYERS):
        for name in names:
            if (module == name or module.startswith(name + ".")) and len(name) > len(longest):
                longest, layer_number = name, number
    return layer_number


def imported(name: str, tree: ast.Module) -> set[str]:
    """Return the absolute names of the modules that a module imports anywhere in its file, for type checking too."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = ["shortener", *name.split(".")][: -node.level if name in plain_modules() else None]
                base = ".".join([*package, *([node.module] if node.module else [])])
            found.add(base)
            found.update(
                f"{base}.{alias.name}"
                for alias in node.names
                if f"{base}.{alias.name}".removeprefix("shortener.") in MODULES
            )
    return found


def plain_modules() -> set[str]:
    """Return the modules that are files, not packages."""
    return {name for name in MODULES if not any(other.startswith(name + ".") for other in MODULES)}


@pytest.mark.parametrize("name", sorted(name for name in MODULES if name))
def test_a_module_imports_only_its_own_layer_and_lower_ones(name: str) -> None:
    """Every module has a layer and imports nothing from a higher one."""
    own = layer(name)
    assert own is not None, f"{name} has no layer: add its package to LAYERS"
    for other in imported(name, MODULES[name]):
        module = other.removeprefix("shortener.")
        if other.startswith("shortener.") and (other_layer := layer(module)) is not None:
            assert other_layer <= own, f"{name} imports {module}, which is in a higher layer"


@pytest.mark.parametrize("name", sorted(name for name in MODULES if name.startswith(tuple(SEPARATE))))
def test_redirect_and_collector_meet_only_in_the_click_log(name: str) -> None:
    """Neither of the two packages imports the other."""
    other = SEPARATE[name.partition(".")[0]]
    assert not {module for module in imported(name, MODULES[name]) if module.startswith(f"shortener.{other}")}


@pytest.mark.parametrize("name", sorted(name for name in MODULES if name.startswith(PURE)))
def test_pure_packages_import_neither_sql_nor_a_framework(name: str) -> None:
    """newsletter/, ranking/ and classification/ can be used without a store, a server or a clock."""
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
    own_modules = {module for module in imported(name, MODULES[name]) if module.startswith("shortener.")}
    allowed = tuple(f"shortener.{package}" for package in (*PURE, "codes", "durations", "errors", "messages"))
    assert all(module.startswith(allowed) for module in own_modules), own_modules


@pytest.mark.parametrize("name", sorted(name for name in MODULES if name.startswith("redirect")))
def test_the_hot_path_imports_nothing_slow(name: str) -> None:
    """redirect/ imports no framework and nothing that is slow to load or that can fail to load."""
    assert not {module.partition(".")[0] for module in imported(name, MODULES[name])} & SLOW_IMPORTS


@pytest.mark.parametrize(
    "name", sorted(name for name in MODULES if not name.startswith(("store", "redirect.link_cache")))
)
def test_sql_is_in_the_store_only(name: str) -> None:
    """SQL statements are in store/ only; the look-up of the hot path, which only reads, is the exception."""
    words = ("select ", "insert into ", "update ", "delete from ")
    methods = {"execute", "executemany", "rows", "row", "value"}
    for node in ast.walk(MODULES[name]):
        called = node.func if isinstance(node, ast.Call) and node.args else None
        if isinstance(node, ast.Call) and isinstance(called, ast.Attribute) and called.attr in methods:
            text = ast.unparse(node.args[0]).strip("'\"f").lower()
            assert not text.startswith(words), f"{name}: SQL outside store/: {text[:60]}"


def test_the_supervisor_loads_nothing_slow() -> None:
    """``shortener serve`` starts its workers before anything slow is loaded, so that a restart is short."""
    program = "import sys, shortener.cli.serve; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & (SLOW_IMPORTS - {"click"} | {"sqlite_utils", "asyncio"})


@pytest.mark.parametrize(
    "modules",
    ["shortener.cli.serve, shortener.server.worker, shortener.web.sandbox", "shortener.cli, shortener.cli.reports"],
)
def test_workers_and_commands_load_no_translations(modules: str) -> None:
    """Redirect workers send pages that are rendered already, commands write English, and a trial parse writes nothing.

    Neither loads the web framework.
    """
    program = f"import sys, {modules}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {name.partition(".")[0] for name in done.stdout.split()} & {"babel", "flask"}


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux' /proc")
@pytest.mark.skipif(os.cpu_count() == 1, reason="on one core numpy starts no threads anyway")
def test_a_ranking_has_one_thread() -> None:
    """A ranking starts no threads of numpy's matrix library, which would compete with redirect workers."""
    program = "import shortener.ranking, numpy, os; numpy.ones((500, 500)) @ numpy.ones((500, 500)); "
    program += "print(len(os.listdir('/proc/self/task')))"
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "1"
