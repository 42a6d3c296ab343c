"""First steps of a new redirect node: writing its configuration file, and copying links, settings and daily keys."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from shortener.clicklog.pseudonyms import DailyKeys
from shortener.config import Config
from shortener.errors import InputError
from shortener.node.keys import copy_keys
from shortener.node.token import NodeToken
from shortener.shared_memory import LINKS_SEEN_AT, links_revision, sender_state
from shortener.store import open_node_reader, prepare_directory
from shortener.store.links_copy import update_copy


def node_configuration(
    token: NodeToken,
    existing: str = "",  # text of the present file; '' if there is none
) -> str:
    """Return a configuration file's text with the values of a node's token added.

    Raises InputError if ``existing`` is not this node's file.
    """
    tree = tomllib.loads(existing)
    if existing and tree.get("node", {}).get("name") != token.name:
        raise InputError(f"there is a configuration already, which is not that of the node {token.name}")
    added: dict[str, Any] = {**token.tables, "storage": {"url": token.url}, "node": {"name": token.name}}
    for table, values in added.items():
        tree[table] = {**tree.get(table, {}), **values} if isinstance(values, dict) else values
    tree["storage"].setdefault("data", "data")
    return "# Written by `shortener node join`. config.example.toml describes every key.\n" + "\n".join(
        _toml_tables(tree)
    )


def _toml_tables(tree: Mapping[str, Any]) -> Iterator[str]:
    for name, content in tree.items():
        heading = f"[{name}]" if isinstance(content, dict) else f"[[{name}]]"
        for table in [content] if isinstance(content, dict) else content:
            # JSON's escapes in strings are valid in TOML.
            yield heading + "\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())


def make_first_copy(config: Config, *, now: float) -> int:
    """Copy links, settings and daily keys from the central store to this node.

    Returns the revision number of the links. Raises StoreError.
    """
    data: Path = config.data_directory
    prepare_directory(data)
    with (
        closing(open_node_reader(config.storage.url)) as reader,
        closing(links_revision(data)) as shared,
        closing(sender_state(data)) as state,
    ):
        revision = update_copy(reader, data)
        shared.values[0], state.values[LINKS_SEEN_AT] = revision, int(now)
        copy_keys(reader, DailyKeys(data, shared=True), now=now)
    return revision
