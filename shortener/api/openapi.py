"""The OpenAPI 3.1 document of the API, generated from the registered operations and their msgspec structs."""

import ast
import functools
import inspect
import itertools
import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec.inspect import StructType, Type, multi_type_info

from shortener import __version__
from shortener.api import idempotency
from shortener.api.operations import JSON, OPERATIONS, PREFIX, Operation
from shortener.api.problems import MEDIA_TYPE, PROBLEM_TYPES, Problem

REF_TEMPLATE = "#/components/schemas/{name}"
_DESCRIPTION = """Issues, short links, reports, ranking and picks of a newsletter.

Send a token in the header `Authorization: Bearer <token>`. Errors are problem details (RFC 9457) with a remedy; their
`type` never changes. Times are ISO 8601 in UTC. Unknown fields of a body are refused, and so are unknown
parameters of operations that have parameters."""
_HEADERS = {
    "ETag": "Entity tag of the object, for If-Match and If-None-Match.",
    "Location": "Address of the new object.",
}
_CONTENT_PARAMETERS = {
    "If-Match": "Change the object only if this is its ETag.",
    "If-None-Match": "Answer 304 if this is the ETag of the object.",
}


@functools.cache
def build_document() -> dict[str, Any]:
    """Return the OpenAPI document as plain JSON values."""
    types = list(dict.fromkeys([*(kind for each in OPERATIONS for kind in _types(each)), Problem]))
    schemas, components = msgspec.json.schema_components(types, ref_template=REF_TEMPLATE)
    for struct in _collect_nested_structs(types):
        _add_field_descriptions(components[struct.__name__], struct)
    by_type = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for each in sorted(OPERATIONS, key=_sort_key):
        paths.setdefault(PREFIX + each.path.replace("{+", "{"), {})[each.method.lower()] = _operation(
            each, by_type, components
        )
    parameter_types = {each.query.__name__ for each in OPERATIONS if each.query}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Shortener", "version": __version__, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in components.items() if name not in parameter_types},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _sort_key(each: Operation) -> tuple[str, int]:
    return each.path, ("GET", "POST", "PUT", "PATCH", "DELETE").index(each.method)


def _types(each: Operation) -> Iterable[Any]:
    yield from (kind for kind in (each.body, each.query) if kind is not None)
    yield from (kind for kind in each.answers.values() if kind is not None and not isinstance(kind, str | tuple))


def _collect_nested_structs(types: Iterable[Any]) -> set[type[msgspec.Struct]]:
    found: set[type[msgspec.Struct]] = set()
    pending: list[Any] = list(multi_type_info(types))
    while pending:
        info = pending.pop()
        if isinstance(info, StructType):
            if info.cls not in found:
                found.add(info.cls)
                pending += [field.type for field in info.fields]
        elif isinstance(info, Type):
            pending += [getattr(info, name) for name in info.__struct_fields__]
        elif isinstance(info, tuple):
            pending += info
    return found


def _add_field_descriptions(schema: dict[str, Any], struct: type[msgspec.Struct]) -> None:
    # msgspec adds only the docstring of the struct.
    for name, text in _field_docstrings(struct):
        schema["properties"].get(name, {}).setdefault("description", text)


def _field_docstrings(struct: type[msgspec.Struct]) -> Iterator[tuple[str, str]]:
    for each in struct.__mro__[: struct.__mro__.index(msgspec.Struct)]:
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(each))).body
        statements = definition.body if isinstance(definition, ast.ClassDef) else []
        for field, text in itertools.pairwise(statements):
            match field, text:
                case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(value))):
                    yield name, re.sub(r"\bNone\b", "null", " ".join(value.split())).replace("``", "`")


def _operation(each: Operation, schemas: dict[Any, Any], components: dict[str, Any]) -> dict[str, Any]:
    summary, _, description = (each.view.__doc__ or "").partition("\n\n")
    document: dict[str, Any] = {
        "operationId": each.name,
        "summary": " ".join(summary.split()).rstrip("."),
        "tags": [each.path.split("/")[1].partition(".")[0]],
        "parameters": [*_path_parameters(each), *_query_parameters(each, components), *_header_parameters(each)],
        "responses": _responses(each, schemas),
    }
    text = " ".join(description.split())
    scope = f"Needs the scope `{each.scope}`." if each.scope else ""
    if text or scope:
        document["description"] = " ".join(filter(None, (text, scope)))
    if each.body is not None:
        document["requestBody"] = {"required": True, "content": {JSON: {"schema": schemas[each.body]}}}
    if each.public:
        document["security"] = []
    return document


def _path_parameters(each: Operation) -> Iterable[dict[str, Any]]:
    for name in each.path_parameters:
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _query_parameters(each: Operation, components: dict[str, Any]) -> Iterable[dict[str, Any]]:
    if each.query is None:
        return
    schema = components[each.query.__name__]
    for name, field in schema["properties"].items():
        description = field.get("description")
        parameter = {"name": name, "in": "query", "schema": {k: v for k, v in field.items() if k != "description"}}
        if name in schema.get("required", ()):
            parameter["required"] = True
        yield parameter | ({"description": description} if description else {})


def _header_parameters(each: Operation) -> Iterable[dict[str, Any]]:
    if each.method == "POST" and not each.public:
        description = "A key for this request; a repetition within 24 hours gets the same answer."
        schema: dict[str, Any] = {"type": "string", "pattern": idempotency.KEY_PATTERN}
        yield {"name": idempotency.HEADER, "in": "header", "description": description, "schema": schema}
    if each.etag and each.method != "POST":
        name = "If-None-Match" if each.method == "GET" else "If-Match"
        yield {"name": name, "in": "header", "description": _CONTENT_PARAMETERS[name], "schema": {"type": "string"}}


def _responses(each: Operation, schemas: dict[Any, Any]) -> dict[str, Any]:
    responses = {str(status): _answer(each, status, kind, schemas) for status, kind in each.answers.items()}
    if each.etag and each.method == "GET":
        responses["304"] = {"description": "The client has this object already."}
    names_by_status: dict[int, list[str]] = {}
    for name in each.all_problems:
        names_by_status.setdefault(PROBLEM_TYPES[name].status, []).append(name)
    for status, names in sorted(names_by_status.items()):
        responses[str(status)] = {
            "description": "; ".join(f"{PROBLEM_TYPES[name].title} (`{name}`)" for name in names),
            "content": {MEDIA_TYPE: {"schema": schemas[Problem]}},
        }
    return responses


def _answer(each: Operation, status: int, kind: Any, schemas: dict[Any, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": {201: "Created", 204: "Done"}.get(status, "The answer")}
    names = ["Location"] if status == 201 else []
    names += ["ETag"] if each.etag and status < 300 and kind is not None else []
    if names:
        answer["headers"] = {name: {"description": _HEADERS[name], "schema": {"type": "string"}} for name in names}
    if isinstance(kind, str | tuple):
        media_types = (kind,) if isinstance(kind, str) else kind
        answer["content"] = {media_type: {"schema": {"type": "string"}} for media_type in media_types}
    elif kind is not None:
        answer["content"] = {JSON: {"schema": schemas[kind]}}
    return answer
