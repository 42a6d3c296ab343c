"""Authentication of API requests by token, and the check of the token's scopes."""

import time

from flask import Flask, current_app, g, request

from shortener.api.problems import ApiError
from shortener.api.rate_limit import RateLimit, RateState
from shortener.config import Config
from shortener.services import tokens
from shortener.services.tokens import SCOPE_ROLES, Scope, Token
from shortener.web.context import now, store


def init_app(app: Flask, *, config: Config) -> None:
    """Create the rate limit of the API and attach it to a Flask application."""
    app.extensions["api_rate_limit"] = RateLimit(config.api.rate_limit, clock=time.monotonic)


def current_token() -> Token:
    """Return the token that was sent with this request. Raises ApiError if there is none, or if it is not valid."""
    if "api_token" not in g:
        text = _read_token()
        if not text:
            raise ApiError("token-missing", "The request has no token.")
        g.api_token = _find_token(text)
    request_token: Token = g.api_token
    return request_token


def _read_token() -> str:
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return text.strip()
    return request.headers.get("X-Api-Key", "").strip()


def _find_token(text: str) -> Token:
    token = tokens.find_token(store(), text, now=now())
    if token is None:
        raise ApiError("token-invalid", "The token is unknown, has expired or was revoked.")
    return token


def authorize(
    scope: Scope | None,  # None allows any token
) -> None:
    """Count the request against the rate limit of its token, and check the token's scope. Raises ApiError."""
    token = current_token()
    limit: RateLimit = current_app.extensions["api_rate_limit"]
    rate = g.api_rate = limit.count(token.id)
    if rate is not None and rate.exceeded:
        detail = f"The token has made {rate.limit} requests in this minute."
        raise ApiError("rate-limit", detail, headers={"Retry-After": str(rate.reset_seconds)})
    if scope is None:
        return
    if scope not in token.scopes:
        raise ApiError("scope", f"This needs the scope {scope}; the token has {', '.join(token.scopes)}.")
    if not tokens.has_role_for(token, scope):
        raise ApiError("role", f"This needs the role {SCOPE_ROLES[scope]}; {token.owner} is {token.role}.")


def rate_headers() -> dict[str, str]:
    """Return the response headers that tell the client how many requests its token may still make."""
    rate: RateState | None = g.get("api_rate")
    return rate.headers if rate is not None else {}


def authorize_text(text: str, scope: Scope) -> None:
    """Authorize a request as ``authorize`` does, but with ``text`` as its token. Raises ApiError."""
    # Clients of other shorteners' APIs send tokens in headers or parameters of their own.
    g.api_token = _find_token(text.strip())
    authorize(scope)
