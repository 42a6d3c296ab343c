"""The OpenAPI document: it is valid and complete, and the API does what it says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from openapi_spec_validator import validate
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
    use_after_free,
)

from shortener.api.openapi import build_document
from shortener.api.operations import OPERATIONS, Operation
from shortener.config import Api
from tests.api.conftest import API, BASE, ApiSite
from tests.api.test_issues import NEW

HOST = BASE.partition("//")[2]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    ignored_auth,
    unsupported_method,
    use_after_free,
]
"""What is checked of each answer. Valid values may be refused for reasons that no schema can state, such as a taken
code, so it is not checked that every request that fits the schema is accepted."""
SETTINGS: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "phases": [Phase.explicit, Phase.generate],
    "suppress_health_check": list(HealthCheck),
}


def test_the_document_is_valid(site: ApiSite) -> None:
    """The document is OpenAPI 3.1, and the server sends it to everybody."""
    document = site.client().get("/openapi.json").json
    assert document == msgspec.json.decode(msgspec.json.encode(build_document()))
    assert document is not None
    assert document["openapi"] == "3.1.0"
    validate(document)


def test_every_operation_is_described() -> None:
    """Each operation has a summary and the problems of its checks; each field of a body has a type."""
    document = build_document()
    operations = [each for methods in document["paths"].values() for each in methods.values()]
    assert len(operations) == len(OPERATIONS)
    assert len({each["operationId"] for each in operations}) == len(operations)
    for operation in operations:
        assert operation["summary"]
        assert operation.get("security") == [] or "401" in operation["responses"]


def test_fields_are_described() -> None:
    """The docstring of a struct's field is its description, with JSON's word for None."""
    schemas = build_document()["components"]["schemas"]
    fields = schemas["NewIssue"]["properties"]
    assert fields["format"]["description"] == "Format of the document; null to detect it."
    assert fields["placements"]["description"].endswith("such as `/code/3`.")
    assert "description" not in fields["title"]


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory, module_store_url: str) -> Iterator[ApiSite]:
    """Installation with an issue and a link, without rate limit."""
    directory: Path = tmp_path_factory.mktemp("fuzzed")
    site = ApiSite(directory / "data", Api(rate_limit=0), url=module_store_url)
    editor = site.client("editor")
    assert editor.post("/issues", NEW | {"slug": "may", "sent_at": "2024-05-01T08:00:00Z"}).status_code == 201
    assert editor.post("/links", {"target": "https://example.com/", "code": "autumn"}).status_code == 201
    yield site
    site.close()


@pytest.fixture(scope="module")
def schema(fuzzed: ApiSite) -> Any:
    """The operations as the fuzzer reads them from the server."""
    return schemathesis.openapi.from_wsgi(f"{API}/openapi.json", fuzzed.app, headers={"Host": HOST})


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_no_request_breaks_the_contract(
    fuzzed: ApiSite, schema: Any, operation: Operation, mode: GenerationMode
) -> None:
    """A15: generated requests get no undeclared status, no undeclared body and no server error."""
    described = schema[API + operation.path.replace("{+", "{")][operation.method]

    @seed(20261128)
    @settings(max_examples=10, **SETTINGS)
    @given(case=described.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        # The fuzzer does not decompress responses.
        headers = {"Authorization": f"Bearer {fuzzed.tokens['admin']}", "Host": HOST, "Accept-Encoding": "identity"}
        case.call_and_validate(headers=headers, checks=CHECKS)

    try:
        send()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, "no valid request could be generated"
