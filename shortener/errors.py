"""All errors that users can cause, as one hierarchy of exceptions."""

# A message is one line: the name of the thing and what is wrong with it. It names no command, option or page.
from typing import Literal

ErrorKind = Literal[
    "article_not_found",
    "article_not_in_month",
    "article_not_ranked",
    "click_not_found",
    "code_taken",
    "collector_stalled",
    "config_missing",
    "database_empty",
    "data_directory_unusable",
    "decision_not_found",
    "decision_without_editor",
    "decision_without_reason",
    "doubtful_value",
    "honeypot_in_markdown",
    "invalid_slug",
    "issue_not_found",
    "issue_not_draft",
    "issue_not_sent",
    "issue_removed",
    "link_has_other_target",
    "link_not_found",
    "link_not_in_issue",
    "node_not_found",
    "node_not_joined",
    "output_of_issue",
    "port_taken",
    "postgres_missing",
    "postgres_needed",
    "role_creation_refused",
    "several_decisions",
    "several_tokens",
    "store_missing",
    "store_unusable",
    "token_name_taken",
    "token_not_found",
    "user_not_found",
]


class ShortenerError(Exception):
    """Base class of all errors with a message for users. Commands choose advice by ``kind`` (see ``remedies.py``)."""

    def __init__(self, message: str, *, kind: ErrorKind | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind


class ConfigError(ShortenerError):
    """Raised when the configuration has an unknown key or an invalid value."""


class InputError(ShortenerError):
    """Raised when an input file or value is invalid."""


class FieldError(InputError):
    """Raised when a field of a form is invalid. ``field`` is its name."""

    def __init__(self, message: str, *, field: str, kind: ErrorKind | None = None) -> None:
        super().__init__(message, kind=kind)
        self.field = field


class Doubtful(FieldError):
    """Raised when a value in a form is possible but unlikely, so that the user must confirm it."""


class UnreadableDocument(InputError):
    """Raised when a document cannot be read as an issue."""


class DocumentTooLarge(UnreadableDocument):
    """Raised when a document exceeds the size limit of an issue."""


class TargetRefused(InputError):
    """Raised when a URL is not allowed as the target of a short link. ``reason`` is the message without the URL."""

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason or message


class CodeRefused(InputError):
    """Raised when a code that a user chose is not allowed, or when no free code can be generated."""


class NotFound(ShortenerError):
    """Raised when the store contains nothing with a given slug, short URL or other name."""


class Conflict(ShortenerError):
    """Raised when a code, slug or name is already taken."""


class StoreError(ShortenerError):
    """Raised when the store cannot be opened, read or written."""


class StoreBusy(StoreError):
    """Raised when another process holds the store's write lock for too long. A later attempt may succeed."""


class StoreUnavailable(StoreError):
    """Raised when the store cannot be used at the moment, for example because of a full disk or a lost connection."""


class LeaseLost(StoreError):
    """Raised when another process has taken over a task that only one may do, such as collecting clicks."""


class StoreDamaged(StoreError):
    """Raised when the content of the store is damaged."""


class SchemaTooNew(StoreError):
    """Raised when the store was written by a newer version of this program."""


class AlreadyRunning(ShortenerError):
    """Raised when another process holds a port or lock that this process needs."""
