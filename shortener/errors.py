"""All errors that users can cause, as one hierarchy of exceptions.

Each message is one line that names the thing and what is wrong. ``cli`` maps them to exit codes, ``web`` to pages.
"""


class ShortenerError(Exception):
    """Raised when a request of a user cannot be carried out; the message is the reason."""


class ConfigError(ShortenerError):
    """Raised when the configuration has an unknown key or a refused value."""


class InputError(ShortenerError):
    """Raised when a file or value that a user gave cannot be used."""


class UnreadableDocument(InputError):
    """Raised when a document cannot be read as an issue."""


class DocumentTooLarge(UnreadableDocument):
    """Raised when a document is larger than an issue may be."""


class TargetRefused(InputError):
    """Raised when a target URL is not one that a reader may be sent to."""


class CodeRefused(InputError):
    """Raised when a custom code breaks the rules for codes."""


class NotFound(ShortenerError):
    """Raised when a slug, short URL or other name matches nothing in the store."""


class Conflict(ShortenerError):
    """Raised when a code or slug is already used by something else."""


class StoreError(ShortenerError):
    """Raised when the store cannot be opened, read or written."""


class StoreBusy(StoreError):
    """Raised when another process holds the store's write lock for too long; the next try may succeed."""


class SchemaTooNew(StoreError):
    """Raised when the store was written by a newer version of this program."""


class AlreadyRunning(ShortenerError):
    """Raised when another process holds a port or lock that this one needs."""
