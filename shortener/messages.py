"""Messages: English texts that pages can translate, because each message contains its template and values."""

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
    """An English text with its placeholders filled: ``Message("{name}: no user has this name", name="ada")``."""

    text: str
    """The template."""
    many: str
    """The template for counts other than 1; '' for a message without a count."""
    number: int
    values: Mapping[str, MessageValue]

    def __new__(cls, text: str, /, **values: MessageValue) -> Self:
        return cls._build(text, "", 1, values)

    @classmethod
    def plural(cls, one: str, many: str, count: int, /, **values: MessageValue) -> Self:
        """Return the message for ``count``: ``one`` is the template for 1, ``many`` for other counts.

        Both may contain the placeholder ``{count}``.
        """
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


def name_file(file_name: str, problem: str) -> str:
    """Return ``FILE: PROBLEM``, a message about a problem with a file; only the problem if ``file_name`` is empty."""
    return Message("{name}: {problem}", name=file_name, problem=problem) if file_name else problem


def mark_text(text: str) -> str:
    """Return ``text`` unchanged. The call marks the text for translation."""
    return text


def join_messages(
    parts: Sequence[str],
    template: str = mark_text("{first}; {rest}"),  # joins a part to the parts after it, which are joined already
) -> str:
    """Join the parts to one message, such as "a; b; c". Return '' if there are no parts."""
    if not parts:
        return ""
    joined = parts[-1]
    for part in reversed(parts[:-1]):
        joined = Message(template, first=part, rest=joined)
    return joined


def list_messages(parts: Sequence[str]) -> str:
    """Join the parts to one message, separated by commas; '' if there are none."""
    return join_messages(parts, mark_text("{first}, {rest}"))


def message_text(value: Any) -> str:
    """Return a message as a plain ``str``, for JSON encoders.

    Raises NotImplementedError if ``value`` is not a text.
    """
    if isinstance(value, str):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} cannot be encoded")


def _in_english(value: MessageValue) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
