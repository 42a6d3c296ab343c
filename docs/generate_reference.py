"""Write docs/reference/ from the code: commands, routes and configuration keys. ``make reference`` runs it.

A test compares the committed pages with what this module generates.
"""

import json
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

import click
import msgspec

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"
REFRESH_COMMAND = "make reference"
NOTE = f"<!-- Generated from the code by `{REFRESH_COMMAND}`. Do not edit. -->\n"


def generate() -> dict[str, str]:
    """Return the text of each page by its file name."""
    return {
        "commands.md": commands_page(),
        "routes.md": routes_page(),
        "configuration.md": configuration_page(),
        "api.md": api_page(),
    }


def main() -> None:
    """Write every page."""
    REFERENCE.mkdir(exist_ok=True)
    for name, text in generate().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")


def escape_markdown(text: str) -> str:
    """Return text in one line, literal outside of backticks and safe in a table cell."""
    parts = re.split(r"(``.+?``|`[^`]+`)", " ".join(text.split()))
    for number in range(0, len(parts), 2):
        parts[number] = re.sub(r"([\\*_<>\[\]{}$|~#])", r"\\\1", parts[number])
    return "".join(part.replace("|", r"\|") if number % 2 else part for number, part in enumerate(parts))


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table, or nothing without rows."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    if not lines:
        return ""
    return "\n".join(["| " + " | ".join(header) + " |", "|---" * len(header) + "|", *lines]) + "\n"


def first_sentence(docstring: str | None) -> str:
    """Return the first sentence of a docstring."""
    paragraph = " ".join((docstring or "").strip().split("\n\n")[0].split())
    return re.split(r"(?<=[.!?])\s(?=[A-Z`])", paragraph)[0]


def all_commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Yield each visible command with its words, such as ``issue add``; a group only if it can be called alone."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        words = (*path, name)
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield " ".join(words), command
        if isinstance(command, click.Group):
            yield from all_commands(command, words)


def commands_page() -> str:
    """Return the page of all commands."""
    from shortener.cli import main as shortener

    sections = [f"{NOTE}\n# Commands\n\n{help_text(shortener)}\n\n{parameter_tables('', shortener)}"]
    for name, command in all_commands(shortener):
        pieces = command.collect_usage_pieces(click.Context(command))
        if isinstance(command, click.Group):  # it can be called alone; older releases of click do not say so
            pieces = [piece.replace("COMMAND", "[COMMAND]").replace("[[COMMAND]]", "[COMMAND]") for piece in pieces]
        usage = " ".join(["shortener", name, *pieces])
        sections.append(
            f"## shortener {name}\n\n```\n{usage}\n```\n\n{help_text(command)}\n\n{parameter_tables(name, command)}"
            f"\n{example_lines(command)}"
        )
    return "\n".join(section.rstrip() + "\n" for section in sections)


def example_lines(command: click.Command) -> str:
    """Return the examples of a command as Markdown."""
    return "Examples:\n\n```\n" + "\n".join(getattr(command, "examples", ())) + "\n```"


def help_text(command: click.Command) -> str:
    r"""Return the help of a command as Markdown; a paragraph that begins with ``\b`` keeps its lines."""
    paragraphs = []
    for paragraph in (command.help or "").split("\n\n"):
        if paragraph.startswith("\b"):
            paragraphs.append("```\n" + paragraph.removeprefix("\b").strip("\n") + "\n```")
        elif paragraph.strip():
            paragraphs.append(escape_markdown(paragraph))
    return "\n\n".join(paragraphs)


def parameter_tables(name: str, command: click.Command) -> str:
    """Return the table of a command's options, ``--help`` left out."""
    context = click.Context(command, info_name=name)
    rows = []
    for parameter in command.params:
        if not isinstance(parameter, click.Option) or parameter.hidden or parameter.name == "version":
            continue
        names = ", ".join([*parameter.opts, *parameter.secondary_opts])
        metavar = "" if parameter.is_flag else " " + parameter.make_metavar(context)
        rows.append((f"`{names}{metavar}`".replace("|", r"\|"), default_text(parameter), option_help(parameter)))
    return table(("option", "default", "meaning"), rows)


def default_text(option: click.Option) -> str:
    """Return the default of an option; empty where an absent option means nothing, or for a flag that is off."""
    default = option.to_info_dict()["default"]
    if callable(default) or default in (None, False, "", ()) or "UNSET" in repr(default):
        return ""
    return f"`{default}`"


def option_help(option: click.Option) -> str:
    """Return the help of an option, with what click adds to it."""
    added = ["required"] if option.required else []
    added += ["may be repeated"] if option.multiple else []
    return escape_markdown(" ".join([option.help or "", *(f"({word})" for word in added)]))


class Route(NamedTuple):
    """One address of the pages."""

    path: str
    methods: str
    role: str
    meaning: str
    package: str


def all_routes() -> list[Route]:
    """Return the routes of the application, in order of their paths."""
    from shortener.app import create_pages_app
    from shortener.config import Config, Storage

    with tempfile.TemporaryDirectory() as data:
        app = create_pages_app(Config(storage=Storage(data=data)))
    routes = []
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("api."):
            continue
        view = app.view_functions[rule.endpoint]
        meaning = (
            "A static file: style, script, font or icon." if rule.endpoint == "static" else first_sentence(view.__doc__)
        )
        methods = ", ".join(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))
        role = getattr(view, "role", "")
        routes.append(
            Route(re.sub("<[^<>]*:", "<", rule.rule), methods, role, meaning, rule.endpoint.rpartition(".")[0])
        )
    return sorted(routes, key=lambda route: (route.path, route.methods))


ROUTES_INTRODUCTION = """
# Routes

Roles include each other: an editor may do what a viewer may, an admin what an editor may. A route without a role is
public. GET routes answer HEAD too. A POST must come from our own pages. The addresses of the JSON API, below
`/-/api/v1`, are in the [reference of the API](api.md).

Short links are not routes of the pages. Before the pages, the redirect workers answer

| address | what is there |
|---|---|
| `/<code>` | the redirect |
| `/<code>/<n>` | the redirect, counted for the placement `n` of the issue |
"""


def routes_page() -> str:
    """Return the page of all routes."""
    rows = [
        (f"`{route.path}`", route.methods, route.role or "public", escape_markdown(route.meaning))
        for route in all_routes()
    ]
    heading = "\n## The pages\n\n"
    return f"{NOTE}{ROUTES_INTRODUCTION}{heading}{table(('address', 'methods', 'role', 'what is there'), rows)}"


API_INTRODUCTION = """
# JSON API

Every address begins with `/-/api/v1`. [JSON API](../api.md) explains tokens, errors, pages and conditional requests.
The server itself has this description at `/-/api/v1/openapi.json` (OpenAPI 3.1), and as a page at `/-/api/v1/docs`.
"""


def api_page() -> str:
    """Return the page of all operations of the API and the fields of their bodies, from the OpenAPI document."""
    from shortener.api import application as _operations  # noqa: F401  # its import registers them
    from shortener.api.openapi import build_document
    from shortener.api.problems import PROBLEM_TYPES

    document = build_document()
    sections = [NOTE + API_INTRODUCTION.rstrip()]
    for path, methods in document["paths"].items():
        sections += [operation_section(path, method, each) for method, each in methods.items()]
    sections.append("## Objects")
    for name, schema in document["components"]["schemas"].items():
        rows = [
            (
                f"`{field}`",
                escape_markdown(schema_text(each)),
                "yes" if field in schema.get("required", ()) else "",
                escape_markdown(each.get("description", "")),
            )
            for field, each in schema.get("properties", {}).items()
        ]
        text = escape_markdown(schema.get("description", ""))
        sections.append(f"### {name}\n\n{text}\n\n{table(('field', 'type', 'required', 'meaning'), rows)}".rstrip())
    problem_rows = [(f"`{name}`", str(each.status), each.title, each.remedy) for name, each in PROBLEM_TYPES.items()]
    sections.append("## Problems\n\n" + table(("name", "status", "title", "remedy"), problem_rows).rstrip())
    return "\n\n".join(sections) + "\n"


def operation_section(path: str, method: str, operation: dict[str, Any]) -> str:
    """Return the section of one operation: what it does, its parameters, its body and its answers."""
    parts = [f"## {method.upper()} `{path.removeprefix('/-/api/v1')}`"]
    parts.append(escape_markdown(f"{operation['summary']}. {operation.get('description', '')}"))
    parameters = [
        (f"`{each['name']}`", each["in"], escape_markdown(schema_text(each["schema"])), each.get("description", ""))
        for each in operation["parameters"]
    ]
    parts.append(table(("parameter", "in", "type", "meaning"), parameters).rstrip())
    if "requestBody" in operation:
        parts.append(f"Body: {content_text(operation['requestBody'])}.")
    rows = [
        (status, content_text(each), escape_markdown(each["description"]))
        for status, each in operation["responses"].items()
    ]
    parts.append(table(("status", "body", "meaning"), rows).rstrip())
    return "\n\n".join(part for part in parts if part)


def content_text(answer: dict[str, Any]) -> str:
    """Return the type of a body in words."""
    content = answer.get("content", {})
    if "application/problem+json" in content:
        return "a problem"
    return ", ".join(
        escape_markdown(schema_text(each["schema"])) if media_type == "application/json" else f"`{media_type}`"
        for media_type, each in content.items()
    )


def schema_text(schema: dict[str, Any]) -> str:
    """Return a JSON schema in words."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(schema_text(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(each)}`" for each in schema["enum"])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {schema_text(schema['items'])}" if schema.get("items") else "list"
    return f"{kind} ({schema['format']})" if "format" in schema else kind


class Comments(NamedTuple):
    """What config.example.toml says of a table and of its keys."""

    tables: dict[str, str]
    keys: dict[tuple[str, str], str]


def example_comments() -> Comments:
    """Return the comments of config.example.toml.

    A comment behind a key describes the key, and so do the lines above a key without one. Lines above a table, or
    above a key that has a comment of its own, describe the table.
    """
    comments = Comments({}, {})
    current = ""
    above: list[str] = []
    for line in (ROOT / "config.example.toml").read_text(encoding="utf-8").splitlines():
        header = re.fullmatch(r"#?\[+([a-z]+)\]+\s*(?:#\s*(.*))?", line)
        key = re.fullmatch(r"#?([a-z_]+) = ((?:\"[^\"]*\"|[^#\"])*)(?:#\s*(.*))?", line)
        if header:
            current = header[1]
            comments.tables[current] = " ".join([*above, header[2] or ""]).strip()
            above = []
        elif key and current:
            if not key[3]:
                comments.keys[current, key[1]] = " ".join(above)
            else:
                comments.keys[current, key[1]] = key[3]
                comments.tables[current] = " ".join([comments.tables[current], *above]).strip()
            above = []
        elif line.startswith("# ") and current:
            above.append(line.removeprefix("# "))
        elif not line.strip():
            above = []
    return comments


CONFIGURATION_INTRODUCTION = """
# Configuration

Keys are read from `config.toml` (`--config FILE`, else `SHORTENER_CONFIG`, else `./config.toml`). Environment variables
come before the file. A variable with `_FILE` behind its name, such as `SHORTENER_SITE__SECRET_FILE`, names a file that
holds the value. Numbers, booleans and lists are written as in TOML:
`SHORTENER_SERVER__TRUSTED_PROXIES='["10.0.0.0/8"]'`. Keys marked “in the browser” are also changed by editors under
Settings; such a value is in the store and replaces the default, not what file or environment give. Unknown keys and
bad values are refused at start. The message names the variable or the file that has the value.
"""


def configuration_page() -> str:
    """Return the page of all configuration keys."""
    from shortener.config import ConfigFile, Domain

    comments = example_comments()
    sections = [NOTE + CONFIGURATION_INTRODUCTION.rstrip()]
    for section in msgspec.structs.fields(ConfigFile):
        struct = Domain if section.name == "domain" else section.type
        bracketed = f"[[{section.name}]]" if section.name == "domain" else f"[{section.name}]"
        header = ("key", "type", "default", "environment variable", "meaning")
        rows: list[tuple[str, ...]] = [
            (
                f"`{field.name}`",
                type_text(field.type),
                "required" if field.required else f"`{toml_value(field.default)}`",
                "" if struct is Domain else f"`SHORTENER_{section.name.upper()}__{field.name.upper()}`",
                escape_markdown(comments.keys.get((section.name, field.name), "")),
            )
            for field in msgspec.structs.fields(struct)
        ]
        text = escape_markdown(comments.tables.get(section.name, ""))
        if struct is Domain:
            text += '\n\nThe environment variable `SHORTENER_DOMAIN` has all of them: `[{host = "go.example.com"}]`.'
        sections.append(f"## {bracketed}\n\n{text}\n\n{table(header, rows)}".replace("\n\n\n\n", "\n\n").rstrip())
    return "\n\n".join(sections) + "\n"


TYPE_NAMES = {str: "text", int: "integer", float: "number", bool: "true or false"}


def type_text(kind: Any) -> str:
    """Return a type of the configuration in words, with its bounds."""
    if get_origin(kind) is Annotated:
        base, *metas = get_args(kind)
        bounds = " ".join(filter(None, (bounds_text(meta) for meta in metas)))
        return f"{type_text(base)}{', ' + bounds if bounds else ''}"
    if get_origin(kind) is Literal:
        return " or ".join(f"`{toml_value(value)}`" for value in get_args(kind))
    if get_origin(kind) is tuple:
        return f"list of {type_text(get_args(kind)[0])}"
    return TYPE_NAMES[kind]


def bounds_text(meta: msgspec.Meta) -> str:
    """Return the bounds of a number in words."""
    return f"{meta.ge} to {meta.le}" if meta.ge is not None and meta.le is not None else ""


def toml_value(value: Any) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return f"[{', '.join(toml_value(each) for each in value)}]"
    return str(value)


if __name__ == "__main__":
    main()
