"""English texts that keep their parts, so that a page can show them in another language.

A message is a ``str``: commands, files and JSON write the English text. The pages look up ``text`` in the catalogues of
the language (``web/languages.py``) and fill in the values.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self, TypeAlias


class Number(NamedTuple):
    """A number in a message with a fixed number of decimals."""

    value: float
    decimals: int = 0

    def __str__(self) -> str:
        return f"{self.value:,.{self.decimals}f}"


MessageValue: TypeAlias = "str | int | Number"
"""A value in a message. A whole number has separators of thousands; one that has none, such as a year, is text."""


class Message(str):
    """An English text with its placeholders filled: ``Message("{name}: no user has this name", name="ada")``.

    ``text`` is the text with placeholders. A message with a count also has a text for other counts, ``many``.
    """

    text: str
    many: str
    number: int
    values: Mapping[str, MessageValue]

    def __new__(cls, text: str, /, **values: MessageValue) -> Self:
        return cls._build(text, "", 1, values)

    @classmethod
    def plural(cls, one: str, many: str, count: int, /, **values: MessageValue) -> Self:
        """Return the text for a count, which fills the placeholder ``{count}``."""
        return cls._build(one, many, count, {"count": count} | values)

    @classmethod
    def _build(cls, text: str, many: str, count: int, values: Mapping[str, MessageValue]) -> Self:
        template = many if many and count != 1 else text
        filled = template.format(**{name: _in_english(value) for name, value in values.items()})
        message = super().__new__(cls, filled)
        message.text, message.many, message.number, message.values = text, many, count, values
        return message

    def __reduce__(self) -> tuple[object, ...]:
        return type(self)._build, (self.text, self.many, self.number, self.values)


def mark_text(text: str) -> str:
    """Return a text as it is; it becomes part of the catalogues, for a message whose text is chosen elsewhere."""
    return text


def join_messages(parts: Sequence[str], template: str = mark_text("{first}; {rest}")) -> str:
    """Return parts as one message, with semicolons between them; '' for none. ``template`` joins two parts."""
    if not parts:
        return ""
    joined = parts[-1]
    for part in reversed(parts[:-1]):
        joined = Message(template, first=part, rest=joined)
    return joined


def list_messages(parts: Sequence[str]) -> str:
    """Return parts as one message, with commas between them; '' for none."""
    return join_messages(parts, mark_text("{first}, {rest}"))


def message_text(value: Any) -> str:
    """Return the English text of a message, for encoders that know only plain text.

    Raises NotImplementedError for a value that is no text.
    """
    if isinstance(value, str):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} cannot be encoded")


def _in_english(value: MessageValue) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
