"""Choice of the code of a new short link: the part of its URL after the domain."""

from shortener.codes import generate_code, normalize_code
from shortener.config import Config, Domain
from shortener.errors import CodeRefused
from shortener.messages import Message
from shortener.store import Store, links


def choose_code(store: Store, domain: Domain, custom_code: str | None, *, config: Config) -> str:
    """Return ``custom_code`` in its stored form, or a random code if ``custom_code`` is None. Raises CodeRefused."""
    if custom_code is None:
        return new_unused_code(store, domain, config=config)
    code = _normalize(custom_code, domain)
    if _is_reserved(code, config=config):
        raise CodeRefused(
            Message("code {code} is reserved for the requests of other programs; choose another one", code=code)
        )
    return code


def _is_reserved(code: str, *, config: Config) -> bool:
    # These paths belong to APIs that imitate those of other link shorteners.
    return code in {path.strip("/") for path in config.api.compatible_paths}


def new_unused_code(store: Store, domain: Domain, *, config: Config) -> str:
    """Return a random code that no short link of the domain has.

    Call it in the transaction that stores the link. Raises CodeRefused.
    """

    def is_taken(code: str) -> bool:
        code = _normalize(code, domain)
        return _is_reserved(code, config=config) or links.find(store, domain.host, code) is not None

    code = generate_code(length=config.codes.length, alphabet=config.codes.alphabet, is_taken=is_taken)
    return _normalize(code, domain)


def _normalize(code: str, domain: Domain) -> str:
    return normalize_code(code, case_sensitive=domain.case_sensitive)
