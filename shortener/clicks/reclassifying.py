"""Judging history again with today's rules and lists: first every request by itself, then by its neighbours.

Each step is one transaction that also moves a mark, so that a reclassification that was interrupted goes on where it
stopped; done twice it changes nothing.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from shortener.clicks.agents import Agents
from shortener.clicks.datacenters import read_datacenters
from shortener.clicks.judging import BATCH, Judge, Turn
from shortener.clicks.verdicts.evidence import REQUEST_BITS, Evidence, Judgement
from shortener.clicks.verdicts.networks import NetworkTable
from shortener.clicks.verdicts.reasons import REQUEST_REASONS
from shortener.clicks.verdicts.rules import RULES_VERSION, judge_request
from shortener.config import Config
from shortener.store import Store
from shortener.store import clicks as sql
from shortener.store.clicks import StoredRequest

MARKS = ("reclassify_requests", "reclassify_sets")
"""Facts of the store: how far each of the two passes has come, as a seq; absent when none is under way."""


def reclassify(
    store: Store, *, config: Config, since: int = 0, on_progress: Callable[[int], None]
) -> Counter[Turn]:
    """Judge every stored click from ``since`` (seconds of UTC epoch) on again; which verdicts turned into which.

    ``on_progress`` is told how many clicks of both passes together are done. The collector need not be stopped.
    """
    judge = Judge(store, agents=Agents(store))
    datacenters = read_datacenters(config)
    secure = {domain.host for domain in config.domains if domain.scheme == "https"}
    begin = sql.seq_at(store, since * 1000) - 1
    done = 0
    for mark in MARKS:
        at = max(begin, store.fact(mark))
        while True:
            with store.writing():
                if mark == "reclassify_requests":
                    rows = sql.requests_after(store, at, most=BATCH)
                    _judge_requests(judge, rows, secure=secure, datacenters=datacenters)
                    seqs = [row.seq for row in rows]
                else:
                    neighbours = sql.after(store, at, most=BATCH)
                    if neighbours:
                        judge.judge(neighbours)
                    seqs = [row.seq for row in neighbours]
                if not seqs:
                    break
                at = seqs[-1]
                sql.set_fact(store, mark, at)
            done += len(seqs)
            on_progress(done)
    with store.writing():
        sql.set_rules(store, RULES_VERSION, after=begin)
        for mark in MARKS:
            sql.set_fact(store, mark, 0)
    return judge.turned


def _judge_requests(
    judge: Judge, rows: Sequence[StoredRequest], *, secure: set[str], datacenters: NetworkTable
) -> None:
    """Judge requests by themselves. A verdict by neighbours stays until they are asked again."""
    changed = {}
    for row in rows:
        judged = judge_request(_evidence(row, secure=secure), datacenters=datacenters)
        gaps = judged.gaps & REQUEST_BITS | row.gaps & ~REQUEST_BITS
        by_request = judged.reason in REQUEST_REASONS or row.reason in REQUEST_REASONS
        verdict, reason = (judged.verdict, judged.reason) if by_request else (row.verdict, row.reason)
        if (reason, gaps) != (row.reason, row.gaps):
            changed[row.seq] = Judgement(verdict, reason, gaps)
    judge.apply(changed)


def _evidence(row: StoredRequest, *, secure: set[str]) -> Evidence:
    return Evidence(
        ts=row.ts / 1000,
        method=row.method,
        ua=row.ua,
        h=msgspec.json.decode(row.h, type=dict[str, str]) if row.h is not None else None,
        lang=row.language or None,
        https=row.domain in secure,
        net=row.net,
        ref=row.referrer or None,
    )
