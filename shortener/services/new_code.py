"""The choice of a code for a new short link."""

from shortener.codes import generate_code, normalize_code
from shortener.config import Config, Domain
from shortener.store import Store, links


def choose_code(store: Store, domain: Domain, custom_code: str | None, *, config: Config) -> str:
    """Return ``custom_code`` in its stored form, or a new random code if it is None. Raises CodeRefused."""
    if custom_code is None:
        return new_unused_code(store, domain, config=config)
    return _normalize(custom_code, domain)


def new_unused_code(store: Store, domain: Domain, *, config: Config) -> str:
    """Return a random code that no link of the domain has, in the domain's stored case.

    Call it inside the transaction that stores the link, so that no other process takes the code in between. Raises
    CodeRefused if no code is free.
    """

    def is_taken(code: str) -> bool:
        return links.find(store, domain.host, _normalize(code, domain)) is not None

    code = generate_code(length=config.codes.length, alphabet=config.codes.alphabet, is_taken=is_taken)
    return _normalize(code, domain)


def _normalize(code: str, domain: Domain) -> str:
    return normalize_code(code, case_sensitive=domain.case_sensitive)
