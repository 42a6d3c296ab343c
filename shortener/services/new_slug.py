"""The slug (short name) of an issue that is added without a file name."""

MAX_DERIVED_LENGTH = 80  # characters


def slug_from_title(title: str) -> str:
    """Return a slug made from a title: its letters and digits in lower case, with hyphens between words."""
    return "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split())[:MAX_DERIVED_LENGTH]
