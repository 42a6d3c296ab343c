"""Every error that a person can cause, in one tree.

Each message is one line that names the thing and the mend. The command edge (``cli``) and the web edge
(``web``) map the tree once each; rooms only raise.
"""


class ShortenerError(Exception):
    """Raised when something a person asked for cannot be done; the message says what and how to mend it."""


class ConfigError(ShortenerError):
    """Raised when the configuration has an unknown key or a refused value."""


class InputError(ShortenerError):
    """Raised when a file or value that was handed in cannot be used."""


class UnreadableDocument(InputError):
    """Raised when a document that was handed in cannot be read as an issue."""


class DocumentTooLarge(UnreadableDocument):
    """Raised when a document is larger than an issue may be."""


class TargetRefused(InputError):
    """Raised when a target URL is not one that a reader may be sent to."""


class CodeRefused(InputError):
    """Raised when a custom code breaks the rules for codes."""


class NotFound(ShortenerError):
    """Raised when a slug or short URL names nothing that is stored."""


class Conflict(ShortenerError):
    """Raised when a code or slug is taken by something else."""


class StoreError(ShortenerError):
    """Raised when the store cannot be opened, read or written."""


class StoreBusy(StoreError):
    """Raised when another process holds the store's write lock for too long; the next try may succeed."""


class SchemaTooNew(StoreError):
    """Raised when the store was written by a newer version of this program."""


class AlreadyRunning(ShortenerError):
    """Raised when another process holds what this one needs: a port, or the collector's lock."""
