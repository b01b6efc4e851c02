"""Explain on the wire: the record and the device that are asked for, and the JSON of the answer.

Owns: those members.
Must not know: engine, store.
Invariant: what is not known of a record is null, never a guess (tests/integration/test_explain.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import orjson

from erp_core.catalogue import SYNCED
from erp_core.values import SAFE_ID
from sync_server.wire.moments import milliseconds
from sync_server.wire.problems import Problem


class Moment(Protocol):
    """Something that happened at a moment."""

    @property
    def at(self) -> datetime: ...


class Verdict(Moment, Protocol):
    """What became of a mutation."""

    @property
    def verdict(self) -> str: ...


class Issue(Protocol):
    """What waits for somebody's decision."""

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def reason_code(self) -> str: ...


class Record(Protocol):
    """What is known of a record."""

    @property
    def position(self) -> int: ...
    @property
    def deleted(self) -> bool: ...
    @property
    def labels(self) -> Sequence[str]: ...
    @property
    def held(self) -> Mapping[str, frozenset[str]]: ...
    @property
    def hidden(self) -> Sequence[str]: ...
    @property
    def moved(self) -> Moment | None: ...


class Explained(Protocol):
    """Why a record is or is not on a device."""

    @property
    def conclusion(self) -> str: ...
    @property
    def sentence(self) -> str: ...
    @property
    def next_pull(self) -> str: ...
    @property
    def at_cursor(self) -> bool | None: ...
    @property
    def record(self) -> Record | None: ...
    @property
    def verdict(self) -> Verdict | None: ...
    @property
    def issues(self) -> Sequence[Issue]: ...


def read_explain(query: Mapping[str, str]) -> tuple[tuple[str, str], str | None]:
    """Read the query of an explanation: ((table, id), device or None). Raises Problem."""
    table, id, device = query.get("table", ""), query.get("id", ""), query.get("device") or None
    if table not in {entity.table for entity in SYNCED}:
        raise Problem("bad_parameter", "table must name a table that phones have.")
    if not SAFE_ID.fullmatch(id):
        raise Problem("bad_parameter", "id must be the id of a record.")
    if device is not None and not SAFE_ID.fullmatch(device):
        raise Problem("bad_parameter", "device must be the id of a device.")
    return (table, id), device


def write_explained(key: tuple[str, str], device: Mapping[str, Any], found: Explained) -> bytes:
    """Write the answer to an explanation; `device`: what is said of the device."""
    verdict = found.verdict
    return orjson.dumps(
        {
            "table": key[0],
            "id": key[1],
            "conclusion": found.conclusion,
            "sentence": found.sentence,
            "next_pull": found.next_pull,
            "device": {**device, "had_it_at_cursor": found.at_cursor},
            "record": None if found.record is None else _record(found.record),
            "last_verdict": verdict and {"verdict": verdict.verdict, "at": milliseconds(verdict.at)},
            "open_issues": [{"id": i.id, "kind": i.kind, "reason_code": i.reason_code} for i in found.issues],
        }
    )


def _record(record: Record) -> Mapping[str, Any]:
    return {
        "position": record.position,
        "moved_at": None if record.moved is None else milliseconds(record.moved.at),
        "deleted": record.deleted,
        "labels": record.labels,
        "held": {scope: sorted(codes) for scope, codes in record.held.items()},
        "hidden_fields": record.hidden,
    }
