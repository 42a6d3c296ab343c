"""A reference implementation of the group rules: all clicks at once, without the collector's windows and batches."""

from collections import defaultdict
from collections.abc import Hashable, Iterable

from shortener.classification.classify import classify_click
from shortener.classification.evidence import Classification
from shortener.classification.group_rules import GROUPINGS
from shortener.classification.groups import detect_in_group, sort_key
from shortener.classification.nearby_clicks import NearbyClick, is_correlatable


def classify_clicks(clicks: Iterable[NearbyClick]) -> dict[int, Classification]:
    """Return the classification of every click by ``seq``; all nearby clicks must be among ``clicks``."""
    ordered = sorted(clicks, key=sort_key)
    evidence = {click.seq: 0 for click in ordered}
    for grouping in GROUPINGS:
        groups: defaultdict[Hashable, list[NearbyClick]] = defaultdict(list)
        for click in filter(is_correlatable, ordered):
            key = grouping.key(click)
            if key is not None and (click.recipient_token is not None) is grouping.with_token:
                groups[key].append(click)
        for group in groups.values():
            for click, bits in zip(group, detect_in_group(group, grouping), strict=True):
                evidence[click.seq] |= bits
    return {click.seq: classify_click(click, evidence[click.seq]) for click in ordered}
