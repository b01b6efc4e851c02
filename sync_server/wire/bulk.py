"""Many changes at once over REST: the body that asks for them, and what became of each.

Owns: both shapes.
Must not know: engine, store, aiohttp.
Invariant: an error points at the record, and at the field, that it is about (tests/integration/test_bulk.py).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import orjson

from conflict.mutation import Mutation, Operation
from erp_core.language import Violation
from erp_core.values import SAFE_ID
from sync_server.wire.problems import Problem, pointer
from sync_server.wire.records import ShownRecord, read_values, refusal, write_record

RECORDS_MAX: Final = 500
MODES: Final[Mapping[str, str]] = {
    "each": "those that are right are applied",
    "all_or_nothing": "one that is not right keeps all from being applied",
}
OPERATIONS: Final[Mapping[str, Operation]] = {
    "create": Operation.CREATED,
    "update": Operation.UPDATED,
    "delete": Operation.DELETED,
}
_MEMBERS: Final = frozenset({"operation", "id", "values"})


class Result(Protocol):
    """What became of one record; see engine/bulk.py:Outcome."""

    @property
    def id(self) -> str: ...
    @property
    def verdict(self) -> str: ...
    @property
    def reasons(self) -> Sequence[Violation]: ...
    @property
    def record(self) -> ShownRecord | None: ...


def read_bulk(table: str, body: Any) -> tuple[bool, Sequence[Mutation]]:
    """Read {"mode", "records"}: (all or nothing, changes in their order). Raises Problem."""
    if not isinstance(body, dict):
        raise Problem("wrong_type", "The body must be an object with mode and records.", pointer="")
    other = next((name for name in body if name not in ("mode", "records")), None)
    if other is not None:
        raise Problem("unknown_member", pointer=pointer(other))
    mode, records = body.get("mode"), body.get("records")
    if not isinstance(mode, str) or mode not in MODES:
        raise Problem("invalid_value", f"mode is one of {', '.join(MODES)}.", pointer="/mode")
    if not isinstance(records, list) or not records:
        raise Problem("wrong_type", "records must be an array of at least one change.", pointer="/records")
    if len(records) > RECORDS_MAX:
        raise Problem("too_many_records", f"Send at most {RECORDS_MAX} records at once.", limit=RECORDS_MAX)
    mutations = [_mutation(table, one, place) for place, one in enumerate(records)]
    ids: set[str] = set()
    for place, mutation in enumerate(mutations):
        if mutation.id in ids:
            raise Problem("duplicate_id", pointer=pointer("records", place, "id"))
        ids.add(mutation.id)
    return mode == "all_or_nothing", mutations


def _mutation(table: str, one: Any, place: int) -> Mutation:
    at = ("records", str(place))
    if not isinstance(one, dict) or not one.keys() <= _MEMBERS:
        raise Problem("wrong_type", "A change has operation, id and values.", pointer=pointer(*at))
    operation = OPERATIONS.get(one["operation"]) if isinstance(one.get("operation"), str) else None
    if operation is None:
        raise Problem(
            "invalid_value", f"operation is one of {', '.join(OPERATIONS)}.", pointer=pointer(*at, "operation")
        )
    id = one.get("id")
    if id is None and operation is Operation.CREATED:
        id = secrets.token_hex(8)
    if not isinstance(id, str) or not SAFE_ID.fullmatch(id):
        raise Problem("unsafe_id", pointer=pointer(*at, "id"))
    if operation is Operation.DELETED:
        if one.get("values"):
            raise Problem("unknown_member", "A deletion has no values.", pointer=pointer(*at, "values"))
        return Mutation(table, id, operation, {})
    values = one.get("values", {})
    if not isinstance(values, dict) or "id" in values:
        raise Problem(
            "wrong_type", "values has the fields of the record, without its id.", pointer=pointer(*at, "values")
        )
    return Mutation(table, id, operation, read_values(table, values, *at, "values"))


def write_results(
    mutations: Sequence[Mutation], results: Sequence[Result], *, minimal: bool
) -> Sequence[Mapping[str, Any]]:
    """Give what became of each record, as plain documents. `minimal`: without the records."""
    return [
        _result(mutation, one, place, minimal=minimal)
        for place, (mutation, one) in enumerate(zip(mutations, results, strict=True))
    ]


def _result(mutation: Mutation, one: Result, place: int, *, minimal: bool) -> Mapping[str, Any]:
    told: dict[str, Any] = {"id": one.id, "verdict": one.verdict}
    if one.reasons:
        problem = refusal(
            one.reasons, lambda name: pointer("records", place, "values", name) if name in mutation.values else None
        )
        told |= {"code": problem.code, "reasons": problem.extra["reasons"]}
    if one.record is not None and not minimal:
        told["record"] = orjson.Fragment(write_record(one.record))
    return told
