"""Operations on the token of the request, and on the other tokens of the token's owner."""

from datetime import datetime
from typing import Annotated

from flask import Response
from msgspec import Meta, Struct, structs

from shortener.api.authentication import current_token
from shortener.api.fields import Time, to_seconds
from shortener.api.operations import PREFIX, operation
from shortener.api.problems import ApiError
from shortener.api.responses import json_answer, no_content
from shortener.services import tokens
from shortener.services.tokens import Scope, Token, TokenSummary
from shortener.store import tokens as stored_tokens
from shortener.store.accounts import Role
from shortener.web.context import now, store


class Me(Struct, frozen=True):
    """The token of the request: its name, scopes and expiry, its owner, and the owner's current role."""

    token: str
    scopes: tuple[Scope, ...]
    expires_at: datetime | None
    owner: str
    role: Role


class TokenList(Struct, frozen=True):
    """The tokens of the user who owns the request's token."""

    data: tuple[TokenSummary, ...]


class NewToken(Struct, frozen=True, forbid_unknown_fields=True):
    """A token to create. It cannot have more scopes than the request's token, and cannot expire later."""

    name: Annotated[str, Meta(min_length=1, max_length=tokens.MAX_NAME_LENGTH)]
    scopes: Annotated[tuple[Scope, ...], Meta(min_length=1, max_length=10)]
    expires_at: Time | None = None


class NewTokenAnswer(TokenSummary, frozen=True):
    """The new token. ``token`` is its text; null if the request is repeated with the same idempotency key."""

    token: str | None = None


@operation("GET", "/me", answers={200: Me})
def get_me() -> Response:
    """Return the token of the request, with its scopes and its owner."""
    token = current_token()
    summary = tokens.summarize(token)
    return json_answer(Me(token.name, token.scopes, summary.expires_at, token.owner, token.role))


@operation("GET", "/me/tokens", answers={200: TokenList})
def list_my_tokens() -> Response:
    """List the tokens of the user who owns the request's token, ordered by name."""
    owned = stored_tokens.list_all(store(), owner=current_token().owner)
    return json_answer(TokenList(tuple(map(tokens.summarize, owned))))


@operation(
    "POST",
    "/me/tokens",
    answers={201: NewTokenAnswer},
    body=NewToken,
    problems=("scope", "conflict"),
    hidden_field="token",
)
def create_my_token(body: NewToken) -> Response:
    """Create a token for the owner of the request's token. It cannot have more scopes than that token."""
    token = current_token()
    missing = [scope for scope in body.scopes if scope not in token.scopes]
    if missing:
        raise ApiError("scope", f"The token cannot give the scope {missing[0]}, which it lacks.", pointer="/scopes")
    expires_at = to_seconds(body.expires_at, pointer="/expires_at")
    if token.expires_at is not None and (expires_at is None or expires_at > token.expires_at):
        detail = "expires_at: the new token cannot outlive the token of the request"
        raise ApiError("invalid", detail, pointer="/expires_at")
    created = tokens.add_token(store(), token.owner, body.name, scopes=body.scopes, expires_at=expires_at, now=now())
    summary = tokens.summarize(created.token)
    answer = NewTokenAnswer(**structs.asdict(summary), token=created.text)
    return json_answer(answer, status=201, headers={"Location": f"{PREFIX}/me/tokens/{summary.id}"})


@operation("GET", "/me/tokens/{id}", answers={200: TokenSummary})
def get_my_token(id: str) -> Response:
    """Return one of the tokens of the user who owns the request's token."""
    return json_answer(tokens.summarize(_own_token(id)))


@operation("DELETE", "/me/tokens/{id}", answers={204: None}, problems=("scope",))
def revoke_my_token(id: str) -> Response:
    """Revoke one of the tokens of the user who owns the request's token.

    This is refused if the token to revoke has a scope that the request's token lacks.
    """
    with store().transaction():
        revoked = _own_token(id)
        missing = [scope for scope in revoked.scopes if scope not in current_token().scopes]
        if missing:
            raise ApiError("scope", f"The token cannot revoke one with the scope {missing[0]}, which it lacks.")
        stored_tokens.delete(store(), revoked.id)
    return no_content()


def _own_token(token_id: str) -> Token:
    owned = stored_tokens.list_all(store(), owner=current_token().owner)
    token = next((token for token in owned if str(token.id) == token_id), None)
    if token is None:
        raise ApiError("not-found", f"{token_id}: {current_token().owner} has no such token.")
    return token
