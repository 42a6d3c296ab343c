"""The operation that creates many short links at once."""

from typing import Annotated

from flask import Response
from msgspec import UNSET, Meta, Struct, UnsetType

from shortener.api.links import NewLink, load_record, make_link
from shortener.api.operations import operation
from shortener.api.problems import PROBLEM_TYPES, ApiError, Problem, build_problem, to_api_error
from shortener.api.responses import json_answer
from shortener.errors import Conflict, InputError
from shortener.reporting.link_records import LinkRecord
from shortener.web.context import store

MAX_BATCH_SIZE = 500


class Batch(Struct, frozen=True, forbid_unknown_fields=True):
    """A request to create several links."""

    links: Annotated[tuple[NewLink, ...], Meta(min_length=1, max_length=MAX_BATCH_SIZE)]


class BatchQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Query parameters of a request that creates several links."""

    atomic: Annotated[bool, Meta(description="Create all links, or none if one cannot be created.")] = False


class BatchResult(Struct, frozen=True):
    """The result for one link of a batch: its HTTP status, and the link or the error."""

    status: int
    link: LinkRecord | UnsetType = UNSET
    problem: Problem | UnsetType = UNSET


class BatchAnswer(Struct, frozen=True):
    """The results of a batch, in the order of its links."""

    results: tuple[BatchResult, ...]


@operation(
    "POST",
    "/links/batch",
    answers={200: BatchAnswer, 201: BatchAnswer},
    scope="links",
    body=Batch,
    query=BatchQuery,
    problems=("code-taken",),
)
def create_links(body: Batch, query: BatchQuery) -> Response:
    """Create up to 500 links. The response has one result for each link.

    With `atomic`, either all links are created, with status 201, or none. If none is created, the response is the error
    of the first link that failed.
    """
    with store().transaction():
        results = tuple(_create_link(link, index, atomic=query.atomic) for index, link in enumerate(body.links))
    return json_answer(BatchAnswer(results), status=201 if query.atomic else 200)


def _create_link(body: NewLink, index: int, *, atomic: bool) -> BatchResult:
    try:
        link, created = make_link(body)
    except (InputError, Conflict, ApiError) as error:
        problem = to_api_error(error)
        if atomic:
            field = "" if problem.errors is UNSET else problem.errors[0].pointer
            raise ApiError(problem.name, problem.detail, pointer=f"/links/{index}{field}") from None
        return BatchResult(PROBLEM_TYPES[problem.name].status, problem=build_problem(problem))
    return BatchResult(201 if created else 200, link=load_record(link.domain, link.code))
