"""Pulls on the wire: parameters in, change sets out (wire/pulling.py)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from erp_core.catalogue import SYNCED
from sync_server.engine.showing import Moved
from sync_server.wire.problems import Problem
from sync_server.wire.pulling import (
    StreamedTable,
    read_cursor,
    read_pull,
    stream_changes,
    write_delta,
    write_kept_back,
)

# --- Parameters -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [None, "", "null", "undefined", "NaN", "0", "000"])
def test_ways_of_saying_that_the_phone_has_nothing(text: str | None) -> None:
    assert read_cursor(text) is None


@pytest.mark.parametrize("text", ["1", "2199023255553", str(2**53 - 1)])
def test_cursor_is_read_as_it_was_given(text: str) -> None:
    assert read_cursor(text) == int(text)


@pytest.mark.parametrize(
    "text",
    [
        "-1",
        "1.5",
        "1e9",
        " 1",
        "0x10",
        "Infinity",
        "abc",
        str(2**53),
        "9" * 17,
        "1" * 100_000,
        "٣",
        "1;DROP",
        "[1]",
        "true",
    ],
)
def test_garbage_cursor_is_refused(text: str) -> None:
    with pytest.raises(Problem) as caught:
        read_cursor(text)
    assert (caught.value.code, caught.value.status) == ("bad_cursor", 400)


@pytest.mark.parametrize("text", ["0", "-1", "1.0", "one", "99999999999999999"])
def test_schema_version_that_no_app_has_is_refused(text: str) -> None:
    with pytest.raises(Problem) as caught:
        read_pull({"schema_version": text})
    assert caught.value.code == "bad_schema_version"


def test_without_parameters_it_is_a_first_sync_of_every_table() -> None:
    asked = read_pull({})

    assert asked.cursor is None
    assert asked.tables == tuple(entity.table for entity in SYNCED)
    assert not asked.new_tables
    assert not asked.new_columns


def test_version_newer_than_ours_gets_what_we_have() -> None:
    assert read_pull({"schema_version": "9999"}).tables == tuple(entity.table for entity in SYNCED)


def migration(**asked: Any) -> dict[str, str]:
    return {"migration": json.dumps({"from": 1, "tables": [], "columns": [], **asked})}


def test_migration_names_new_tables_and_columns() -> None:
    columns = [{"table": "trades", "columns": ["remarks"]}, {"table": "trades", "columns": ["bales"]}]

    asked = read_pull(migration(tables=["dispatches"], columns=columns))

    assert asked.new_tables == {"dispatches"}
    assert asked.new_columns == {"trades": ("remarks", "bales")}


@pytest.mark.parametrize("text", ["null", "", "undefined"])
def test_no_migration_is_none(text: str) -> None:
    assert not read_pull({"migration": text}).new_tables


@pytest.mark.parametrize(
    "asked",
    [
        {"tables": ["app_user"]},
        {"tables": ["event"]},
        {"tables": [["trades"]]},
        {"tables": "trades"},
        {"columns": [{"table": "app_user", "columns": ["password_hash"]}]},
        {"columns": [{"table": "trades", "columns": ["org_id"]}]},
        {"columns": [{"table": "trades", "columns": ["remarks'); DROP TABLE feed; --"]}]},
        {"columns": [{"table": "trades", "columns": [None]}]},
        {"columns": [{"columns": ["remarks"]}]},
        {"columns": ["remarks"]},
        {"columns": {"trades": ["remarks"]}},
    ],
)
def test_only_names_that_phones_have_pass(asked: dict[str, Any]) -> None:
    """Hole 13: a migration must not be a way to internal columns."""
    with pytest.raises(Problem) as caught:
        read_pull(migration(**asked))
    assert (caught.value.code, caught.value.status) == ("bad_migration", 400)


@pytest.mark.parametrize(
    "text", ["{", "[]", "7", '"x"', "{}}", '{"a":1,"a":2}', '{"tables":' + "[" * 100 + "]" * 100 + "}"]
)
def test_migration_that_cannot_be_read_is_the_clients_fault(text: str) -> None:
    with pytest.raises(Problem) as caught:
        read_pull({"migration": text})
    assert caught.value.status == 400


# --- Answers ----------------------------------------------------------------------------------------------------------


def record(id: str, **values: Any) -> str:
    return json.dumps({"id": id, **values})


def test_delta_has_three_lists_for_every_table_asked_for() -> None:
    body = json.loads(write_delta(42, ("units", "trades"), []))

    empty: dict[str, list[Any]] = {"created": [], "updated": [], "deleted": []}
    assert body == {"changes": {"units": empty, "trades": empty}, "timestamp": 42}


def test_delta_puts_each_record_in_the_list_that_the_phone_needs() -> None:
    moved = [
        Moved("trades", "new", record("new"), True),
        Moved("trades", "known", record("known"), False),
        Moved("trades", "gone", None, False),
        Moved("trades", "never seen and gone", None, True),
    ]

    lists = json.loads(write_delta(1, ("trades",), moved))["changes"]["trades"]

    assert lists == {
        "created": [{"id": "new"}],
        "updated": [{"id": "known"}],
        "deleted": ["gone", "never seen and gone"],
    }


def test_push_without_refusals_is_answered_with_an_empty_object() -> None:
    assert write_kept_back({}) == {}
    assert write_kept_back({"trades": ("t",)}) == {"experimentalRejectedIds": {"trades": ["t"]}}


async def _pieces(*elements: str, size: int = 7) -> AsyncIterator[bytes]:
    body = "".join("," + element for element in elements).encode()
    for start in range(0, len(body), size):
        yield body[start : start + size]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize("replaces", [False, True])
async def test_streamed_answer_is_the_same_json_however_it_is_cut(size: int, replaces: bool) -> None:
    corrections = (
        Moved("trades", "back", record("back"), True),
        Moved("trades", "put right", record("put right"), False),
        Moved("trades", "gone", None, False),
    )
    tables = [
        StreamedTable("units", _pieces(), _pieces(), _pieces()),
        StreamedTable(
            "trades",
            _pieces(record("a", name="कपास"), record("b"), size=size),
            _pieces(size=size),
            _pieces('"x"', '"y"', size=size),
            corrections,
        ),
    ]

    body = json.loads(b"".join([piece async for piece in stream_changes(42, tables, replaces=replaces)]))

    assert body["timestamp"] == 42
    assert body.get("experimentalStrategy") == ("replacement" if replaces else None)
    assert body["changes"] == {
        "units": {"created": [], "updated": [], "deleted": []},
        "trades": {
            "created": [{"id": "a", "name": "कपास"}, {"id": "b"}, {"id": "back"}],
            "updated": [{"id": "put right"}],
            "deleted": ["x", "y", "gone"],
        },
    }


async def test_streamed_answer_without_tables_has_changes_all_the_same() -> None:
    body = b"".join([piece async for piece in stream_changes(1, [], replaces=False)])

    assert json.loads(body) == {"changes": {}, "timestamp": 1}
