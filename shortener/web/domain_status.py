"""Domain checks: do requests to the domains of short links reach this installation?

The checks run in a thread, so that no page waits for them.
"""

import logging
import threading
import time

from flask import Flask, current_app

from shortener.config import Config
from shortener.services.domain_check import DomainStatus, check_domain, installation_secret

MAX_DOMAINS = 5
"""Domains that are checked; the others are alike."""
FRESH_SECONDS, RETRY_SECONDS = 600.0, 20.0
"""Age from which a result is checked again: when every domain answers, and when one does not."""

log = logging.getLogger(__name__)


class DomainChecks:
    """Checks the domains in a thread, and keeps the latest results."""

    def __init__(self, config: Config, *, session_secret: str) -> None:
        self._config = config
        self._session_secret = session_secret
        self._lock = threading.Lock()
        self._results: tuple[DomainStatus, ...] | None = None
        self._checked_at = 0.0
        self._is_running = False

    def latest(self) -> tuple[DomainStatus, ...] | None:
        """Return the latest results, or None until the first checks have ended.

        If the results are missing or outdated, a thread checks the domains.
        """
        with self._lock:
            if not self._is_running and self._is_due():
                self._is_running = True
                threading.Thread(target=self._check, name="domain check", daemon=True).start()
            return self._results

    def _is_due(self) -> bool:
        if self._results is None:
            return True
        all_answer = all(status.result == "answers" for status in self._results)
        return time.monotonic() - self._checked_at >= (FRESH_SECONDS if all_answer else RETRY_SECONDS)

    def _check(self) -> None:
        results = None
        try:
            user_agent = f"shortener (+{self._config.base_url})"
            domains = self._config.domains[:MAX_DOMAINS]
            secret = installation_secret(self._config, session_secret=self._session_secret)
            results = tuple(check_domain(each, secret=secret, user_agent=user_agent) for each in domains)
        except Exception:
            log.exception("the check of the domains failed")
        finally:
            with self._lock:
                self._results = self._results if results is None else results
                self._checked_at = time.monotonic()
                self._is_running = False


def init_app(app: Flask, *, config: Config) -> None:
    """Create the domain checks of an app, without running them yet."""
    app.extensions["domain_checks"] = DomainChecks(config, session_secret=app.config["SECRET_KEY"])


def latest_domain_statuses() -> tuple[DomainStatus, ...] | None:
    """Return the latest results of the domain checks; None until the first checks have ended."""
    checks: DomainChecks = current_app.extensions["domain_checks"]
    return checks.latest()
