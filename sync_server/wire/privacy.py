"""Requests to be forgotten on the wire.

Owns: the members of a body and of an answer.
Must not know: engine, store, who may ask.
Invariant: an answer says nothing of the person but which record it is (tests/integration/test_privacy_api.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson

from erp_core.catalogue import BY_TABLE
from erp_core.privacy import SUBJECTS
from erp_core.values import SAFE_ID
from sync_server.wire.members import read_members
from sync_server.wire.moments import milliseconds
from sync_server.wire.problems import Problem, pointer, shown

REASON_MAX: Final = 1_000
TABLES: Final = tuple(table for table, entity in BY_TABLE.items() if entity.name in SUBJECTS)


class Asked(NamedTuple):
    """Who is to be forgotten: a record of one of `TABLES`, and why."""

    entity: str
    id: str
    reason: str


def read_request(body: Any) -> Asked:
    """Read `{table, id, reason?}`. Raises Problem."""
    said = read_members(body, {"table", "id", "reason"})
    table, id = said.get("table"), said.get("id")
    if table not in TABLES:
        raise Problem("invalid_value", f"table is one of {', '.join(TABLES)}.", pointer=pointer("table"))
    if not isinstance(id, str) or not SAFE_ID.fullmatch(id):
        raise Problem("invalid_value", "id is the id of a record.", pointer=pointer("id"))
    return Asked(BY_TABLE[table].name, id, _reason(said))


def read_refusal(body: Any) -> str:
    """Read `{reason}`: why a request is refused. Raises Problem."""
    reason = _reason(read_members(body, {"reason"}))
    if not reason:
        raise Problem("invalid_value", "Say why, for the one who asked.", pointer=pointer("reason"))
    return reason


def read_whom(query: Mapping[str, str], own: str) -> tuple[str, str]:
    """Read `table` and `id` of a query, both or neither: (entity, id); without them the user `own`. Raises Problem."""
    for name in query:
        if name not in ("table", "id"):
            raise Problem("bad_parameter", f"There is no parameter {shown(name)}.")
    if not query:
        return "user", own
    if query.get("table") not in TABLES or not SAFE_ID.fullmatch(query.get("id", "")):
        raise Problem("bad_parameter", f"Say table, one of {', '.join(TABLES)}, and the id of a record.")
    return BY_TABLE[query["table"]].name, query["id"]


def _reason(said: dict[str, Any]) -> str:
    reason = said.get("reason", "")
    if not isinstance(reason, str):
        raise Problem("wrong_type", "reason must be a string.", pointer=pointer("reason"))
    if len(reason) > REASON_MAX:
        raise Problem("invalid_value", f"reason has at most {REASON_MAX} characters.", pointer=pointer("reason"))
    return reason.strip()


def describe(request: Any) -> dict[str, Any]:
    """Give a request (store.privacy.Request) as its members."""
    return {
        "id": request.id,
        "table": _table(request.entity),
        "record_id": request.record_id,
        "state": request.state,
        "reason": request.reason,
        "asked_by": request.asked_by,
        "asked_at": milliseconds(request.asked_at),
        "decided_by": request.decided_by,
        "decided_at": milliseconds(request.decided_at),
        "proof": request.proof or None,
    }


def _table(name: str) -> str:
    return next(table for table in TABLES if BY_TABLE[table].name == name)


def write_requests(requests: Sequence[Any]) -> bytes:
    """Write a list of requests."""
    return orjson.dumps({"requests": [describe(one) for one in requests]})


def write_stands(stands: Any) -> bytes:
    """Write how a request stands: with the devices that have not been told, and the files that are not yet removed."""
    behind = [
        {"id": one.id, "user_id": one.user_id, "state": one.state, "last_seen_at": milliseconds(one.last_seen_at)}
        for one in stands.behind
    ]
    return orjson.dumps({**describe(stands.request), "devices_behind": behind, "files_left": stands.files})


def write_known(known: Any) -> bytes:
    """Write what is known of a person (engine.knowing.Known)."""
    return orjson.dumps(
        {
            "person": {"table": known.table, "id": known.id},
            "records": [_told(one) for one in known.now],
            "before": [_told(one) for one in known.before],
            **{kind: [_row(row) for row in rows] for kind, rows in known.doors.items()},
        }
    )


def _told(one: Any) -> dict[str, Any]:
    return {"table": one.table, "record_id": one.id, "position": one.position, "values": dict(one.values)}


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: milliseconds(value) if isinstance(value, datetime) else value for name, value in row.items()}
