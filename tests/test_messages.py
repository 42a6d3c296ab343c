"""Messages: English texts that keep their parts."""

import copy
import pickle

import msgspec
import pytest

from shortener.messages import Message, Number, join_messages, message_text

MESSAGES = {
    "without values": (Message("no clicks yet"), "no clicks yet"),
    "name": (Message("{name}: no user has this name", name="{ada}"), "{ada}: no user has this name"),
    "whole number": (Message("all {count} links", count=1234), "all 1,234 links"),
    "decimals": (Message("{share} % of {total}", share=Number(12.34, 1), total=Number(2000.4)), "12.3 % of 2,000"),
    "one": (Message.plural("{count} link", "{count} links", 1), "1 link"),
    "many": (Message.plural("{count} link of {name}", "{count} links of {name}", 2000, name="a"), "2,000 links of a"),
    "message in a message": (Message("{a}: {b}", a="x", b=Message("{n} left", n=3)), "x: 3 left"),
    "joined": (join_messages(["one", Message("two"), "three"]), "one; two; three"),
}


@pytest.mark.parametrize(("message", "text"), MESSAGES.values(), ids=MESSAGES)
def test_a_message_is_its_english_text(message: Message, text: str) -> None:
    """A message is equal to its text, also when it is copied or encoded."""
    assert message == text
    assert type(str(message)) is str
    assert msgspec.json.encode([message], enc_hook=message_text) == msgspec.json.encode([text])
    for other in (copy.deepcopy(message), pickle.loads(pickle.dumps(message))):  # noqa: S301
        assert (other, other.text, other.values) == (message, message.text, message.values)


def test_joining_few_parts() -> None:
    """No parts give an empty text, and one part stays as it is."""
    part = Message("one")
    assert join_messages([]) == ""
    assert join_messages([part]) is part


def test_other_values_are_not_encoded_as_messages() -> None:
    """The hook for encoders refuses what is no message."""
    with pytest.raises(NotImplementedError):
        msgspec.json.encode([object()], enc_hook=message_text)
