"""Pushed change sets: from WatermelonDB's changes object to mutations, or to a problem that points at the fault.

Owns: the shape of `{table: {created, updated, deleted}}` and which columns and JSON types each table takes.
Must not know: engine, store; what the values mean (the engine reads and judges them).
Invariant: what passes has only known tables and columns, safe ids, each once per table, and values of the declared JSON
type; everything else is a programming error of the app, answered with a pointer and without any effect
(tests/unit/test_changes.py, tests/integration/test_bad_input.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from conflict.mutation import Mutation, Operation
from erp_core.catalogue import SYNCED
from erp_core.values import SAFE_ID, Plain
from sync_server.wire.problems import Problem, pointer, shown

LISTS: Final = ("created", "updated", "deleted")
_WATERMELON_COLUMNS: Final = frozenset({"_status", "_changed"})
_JSON_NAMES: Final[Mapping[type, str]] = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    type(None): "null",
    dict: "object",
    list: "array",
}


def read_changes(body: Any, *, records_max: int) -> list[Mutation]:
    """Read a pushed changes object (parsed JSON). Raises Problem; the order is that of the body."""
    if not isinstance(body, dict):
        raise Problem("wrong_type", f"The body is a JSON {_json_name(body)}; the changes object is needed.", pointer="")
    mutations: list[Mutation] = []
    for table, lists in body.items():
        if table not in _readers():
            raise Problem("unknown_table", f"There is no table {shown(table)}.", pointer=pointer(table))
        mutations.extend(_read_table(table, lists))
        if len(mutations) > records_max:
            raise Problem("too_many_records", f"At most {records_max} records can be pushed at once.")
    return mutations


def _read_table(table: str, lists: Any) -> Iterator[Mutation]:
    if not isinstance(lists, dict):
        raise Problem("wrong_type", "An object with created, updated and deleted is needed.", pointer=pointer(table))
    for name in lists:
        if name not in LISTS:
            raise Problem(
                "unknown_member", f"{shown(name)} is none of {', '.join(LISTS)}.", pointer=pointer(table, name)
            )
    seen: set[str] = set()
    for operation in Operation:
        records = lists.get(operation.value, ())
        if not isinstance(records, (list, tuple)):
            raise Problem("wrong_type", "An array is needed.", pointer=pointer(table, operation.value))
        for place, record in enumerate(records):
            mutation = _read_record(table, operation, place, record)
            if mutation.id in seen:
                raise Problem(
                    "duplicate_id",
                    f"The id {mutation.id!r} comes twice in {table}.",
                    pointer=pointer(table, operation.value, place),
                )
            seen.add(mutation.id)
            yield mutation


def _read_record(table: str, operation: Operation, place: int, record: Any) -> Mutation:
    if operation is Operation.DELETED:
        return Mutation(table, _read_id(record, table, operation.value, place), operation, {})
    if not isinstance(record, dict):
        raise Problem("wrong_type", "An object is needed.", pointer=pointer(table, operation.value, place))
    record_id = _read_id(record.get("id"), table, operation.value, place, "id")
    accepted = _readers()[table]
    values: dict[str, Plain] = {}
    for column, value in record.items():
        types = accepted.get(column)
        if types is None:
            if column == "id" or column in _WATERMELON_COLUMNS:
                continue
            raise Problem(
                "unknown_column",
                f"{table} has no column {shown(column)}.",
                pointer=pointer(table, operation.value, place, column),
            )
        if type(value) not in types:
            raise Problem(
                "wrong_type",
                f"{column} is a JSON {_json_name(value)}; {_names(types)} is needed.",
                pointer=pointer(table, operation.value, place, column),
            )
        values[column] = value
    return Mutation(table, record_id, operation, values, _read_changed(operation, record.get("_changed"), accepted))


def _read_id(value: Any, *where: str | int) -> str:
    if not isinstance(value, str):
        raise Problem(
            "unsafe_id", f"The id is a JSON {_json_name(value)}; a string is needed.", pointer=pointer(*where)
        )
    if not SAFE_ID.fullmatch(value):
        raise Problem("unsafe_id", pointer=pointer(*where))
    return value


def _read_changed(operation: Operation, hint: Any, columns: Mapping[str, object]) -> frozenset[str] | None:
    """Read `_changed`, a hint that narrows an update; a created record has changed everywhere and says nothing.

    Anything that is no comma list of columns is no hint (push rule 8 says to ignore it): believed, a hint of unknown
    names would make every edit look like none.
    """
    if operation is not Operation.UPDATED or not isinstance(hint, str):
        return None
    named = frozenset(hint.split(","))
    return named if named <= columns.keys() else None


@cache
def _readers() -> Mapping[str, Mapping[str, frozenset[type]]]:
    return {e.table: {f.name: f.type.accepts for f in e.all_fields} for e in SYNCED}


def _json_name(value: Any) -> str:
    return _JSON_NAMES.get(type(value), type(value).__name__)


def _names(types: frozenset[type]) -> str:
    return " or ".join(sorted({_JSON_NAMES[t] for t in types} - {"null"}))
