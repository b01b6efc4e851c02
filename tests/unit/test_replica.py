"""The device in Python behaves as WatermelonDB's published algorithm says; each test names the rule it holds to.

Must not know: the server. Whole databases are compared with the real client in tests/acceptance/test_watermelondb.py.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

from mobile import replica as module
from mobile.replica import ClientThrows, Column, Migration, Replica

Changes = dict[str, dict[str, list[Any]]]
SCHEMA = {
    "tasks": (
        Column("name", "string", optional=False),
        Column("note", "string"),
        Column("size", "number", optional=False),
        Column("done", "boolean", optional=False),
        Column("updated_at", "number", optional=False),
    ),
    "projects": (Column("name", "string", optional=False),),
}


class Script:
    """A transport that gives prepared answers, in order, and keeps what it was asked."""

    def __init__(self, *answers: dict[str, Any], rejected: dict[str, list[str]] | None = None) -> None:
        self.answers = list(answers)
        self.rejected = rejected
        self.asked: list[tuple[int | None, int, Mapping[str, Any] | None]] = []
        self.pushed: list[tuple[Any, float]] = []

    async def pull(
        self, last_pulled_at: int | None, schema_version: int, migration: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        self.asked.append((last_pulled_at, schema_version, migration))
        return self.answers.pop(0)

    async def push(self, changes: Mapping[str, Any], last_pulled_at: float) -> dict[str, Any] | None:
        self.pushed.append((changes, last_pulled_at))
        return None if self.rejected is None else {"experimentalRejectedIds": self.rejected}


def answer(timestamp: float, table: str = "tasks", **lists: Any) -> dict[str, Any]:
    return {"timestamp": timestamp, "changes": {table: {"created": [], "updated": [], "deleted": [], **lists}}}


def device(*answers: dict[str, Any], rejected: dict[str, list[str]] | None = None, **options: Any) -> Replica:
    return Replica(SCHEMA, Script(*answers, rejected=rejected), random=Random(7), **options)


def task(id: str = "t1", **values: Any) -> dict[str, Any]:
    return {"id": id, "name": "gin", "note": None, "size": 1, "done": False, "updated_at": 0, **values}


async def synced(*answers: dict[str, Any], **options: Any) -> Replica:
    replica = device(answer(1, created=[task()]), *answers, **options)
    await replica.sync()
    return replica


def test_the_device_shares_no_code_with_the_server() -> None:
    judged = {"sync_server", "erp_core", "conflict", "migrations"}

    for path in Path(module.__file__).parent.glob("replica*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not judged & {name.split(".")[0] for name in names}, path


async def test_a_first_sync_asks_with_null_and_stores_the_timestamp() -> None:
    replica = await synced(answer(2))

    assert replica.rows("tasks") == {"t1": {**task(), "_status": "synced", "_changed": ""}}
    assert replica.last_pulled_at == 1
    await replica.sync()
    transport = replica.transport
    assert isinstance(transport, Script)
    assert transport.asked == [(None, 1, None), (1, 1, None)]
    assert (transport.pushed, replica.complaints) == ([], [])


async def test_a_push_names_every_table_and_carries_status_and_changed() -> None:
    replica = await synced(answer(2))
    replica.update("tasks", "t1", {"size": 2})
    replica.create("projects", {"name": "p"}, id="p1")

    await replica.sync()

    assert isinstance(replica.transport, Script)
    assert replica.transport.pushed == [
        (
            {
                "tasks": {"created": [], "updated": [task(size=2, _status="updated", _changed="size")], "deleted": []},
                "projects": {
                    "created": [{"id": "p1", "name": "p", "_status": "created", "_changed": ""}],
                    "updated": [],
                    "deleted": [],
                },
            },
            2,
        )
    ]
    assert not replica.has_unsynced_changes()


def test_an_edit_notes_only_the_columns_whose_value_changed() -> None:
    replica = device()
    row_id = replica.create("tasks", {"name": "gin"})

    replica.update("tasks", row_id, {"name": "gin", "size": 3, "done": True, "note": 7})

    row = replica.rows("tasks")[row_id]
    assert (row["_status"], row["_changed"], row["note"], len(row_id)) == ("created", "size,done", None, 16)


def test_an_edit_touches_updated_at_as_a_model_with_updated_at_does() -> None:
    clock = iter((99, 100))
    replica = device(now=lambda: next(clock))
    row_id = replica.create("tasks", {"name": "gin"})
    assert replica.rows("tasks")[row_id]["updated_at"] == 99

    replica.update("tasks", row_id, {"name": "mill"})

    row = replica.rows("tasks")[row_id]
    assert (row["_changed"], row["updated_at"]) == ("updated_at,name", 100)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"name": 5}, {"name": ""}),
        ({"note": 5}, {"note": None}),
        ({"size": "5"}, {"size": 0}),
        ({"size": True}, {"size": 0}),
        ({"size": float("inf")}, {"size": 0}),
        ({"size": 2**53 + 1}, {"size": float(2**53)}),
        ({"done": 1}, {"done": True}),
        ({"done": "yes"}, {"done": False}),
        ({"unknown": 1}, {}),
    ],
)
async def test_a_value_of_another_type_becomes_the_columns_empty_value(
    sent: dict[str, Any], kept: dict[str, Any]
) -> None:
    replica = device(answer(1, created=[task(**sent)]))

    await replica.sync()

    assert replica.rows("tasks")["t1"] == {**task(**kept), "_status": "synced", "_changed": ""}


async def test_a_conflict_keeps_the_columns_changed_here_and_takes_the_rest() -> None:
    replica = await synced(answer(2, updated=[task(name="theirs", size=9)]))
    replica.update("tasks", "t1", {"size": 2})

    replica.apply(await replica.pull())

    assert replica.rows("tasks")["t1"] == task(name="theirs", size=2, _status="updated", _changed="size")


async def test_the_conflict_resolver_has_the_last_word() -> None:
    def theirs(
        table: str, local: dict[str, Any], remote: Mapping[str, Any], resolved: dict[str, Any]
    ) -> dict[str, Any]:
        return {**resolved, "size": local["size"] + remote["size"]}

    replica = await synced(answer(2, updated=[task(size=9)]), conflict_resolver=theirs)
    replica.update("tasks", "t1", {"size": 2})

    replica.apply(await replica.pull())

    assert replica.rows("tasks")["t1"]["size"] == 11


async def test_an_edit_during_the_push_stays_dirty() -> None:
    replica = await synced(answer(2), answer(3))
    replica.update("tasks", "t1", {"size": 2})
    local = replica.collect(replica.apply(await replica.pull()))
    assert local is not None

    replica.update("tasks", "t1", {"name": "mill"})
    replica.mark(local, await replica.push(local))

    assert replica.rows("tasks")["t1"]["_changed"] == "size,name"
    await replica.sync()
    assert not replica.has_unsynced_changes()


async def test_a_row_deleted_during_its_push_is_pushed_as_deleted_later() -> None:
    replica = device(answer(1), answer(2))
    row_id = replica.create("tasks", {"name": "gin"})
    local = replica.collect(replica.apply(await replica.pull()))
    assert local is not None

    replica.delete("tasks", row_id)
    replica.mark(local, await replica.push(local))

    assert replica.deleted("tasks") == [row_id]
    await replica.sync()
    assert replica.deleted("tasks") == []


async def test_a_lost_push_answer_is_pushed_again() -> None:
    replica = await synced(answer(2))
    replica.update("tasks", "t1", {"size": 2})
    local = replica.collect(replica.apply(await replica.pull()))
    assert local is not None

    await replica.push(local)

    assert replica.collect() == local


async def test_rejected_ids_stay_dirty() -> None:
    replica = await synced(answer(2), answer(3), rejected={"tasks": ["t1", "gone"]})
    replica.update("tasks", "t1", {"size": 2})
    replica.create("tasks", {"name": "other"}, id="t2")
    replica.create("tasks", {"name": "third"}, id="gone")
    replica.delete("tasks", "gone")

    await replica.sync()

    assert replica.rows("tasks")["t1"]["_status"] == "updated"
    assert replica.rows("tasks")["t2"]["_status"] == "synced"
    assert replica.deleted("tasks") == ["gone"]


async def test_a_created_echo_of_a_locally_deleted_row_resurrects_it_with_a_complaint() -> None:
    replica = await synced(answer(2, created=[task()]))
    replica.delete("tasks", "t1")

    await replica.sync()

    assert list(replica.rows("tasks")) == ["t1"]
    assert "marked as deleted" in replica.complaints[0]


async def test_an_updated_echo_of_a_locally_deleted_row_is_left_deleted() -> None:
    replica = await synced(answer(2, updated=[task(size=4)]))
    replica.delete("tasks", "t1")

    replica.apply(await replica.pull())

    assert (replica.rows("tasks"), replica.deleted("tasks"), replica.complaints) == ({}, ["t1"], [])


async def test_created_of_a_known_row_and_updated_of_an_unknown_one_are_complaints() -> None:
    replica = await synced(answer(2, created=[task(size=2)]), answer(3, updated=[task("t2")]))

    await replica.sync()
    await replica.sync()

    assert set(replica.rows("tasks")) == {"t1", "t2"}
    assert ["already exists" in replica.complaints[0], "doesn't exist" in replica.complaints[1]] == [True, True]


async def test_send_created_as_updated_silences_the_complaint_about_unknown_rows() -> None:
    replica = device(answer(1, updated=[task()]), answer(2, created=[task("t2")]), send_created_as_updated=True)

    await replica.sync()
    assert (list(replica.rows("tasks")), replica.complaints) == (["t1"], [])

    await replica.sync()
    assert "sendCreatedAsUpdated" in replica.complaints[0]


async def test_deleted_ids_destroy_rows_dirty_ones_included_and_tombstones() -> None:
    replica = device(answer(1, created=[task(), task("t2")]), answer(2, deleted=["t1", "t2", "unknown"]))
    await replica.sync()
    replica.update("tasks", "t1", {"size": 5})
    replica.delete("tasks", "t2")

    await replica.sync()

    assert (replica.rows("tasks"), replica.deleted("tasks")) == ({}, [])


async def test_a_replacement_keeps_what_is_new_here_and_drops_what_it_does_not_name() -> None:
    first = answer(1, created=[task("a"), task("b"), task("c"), task("d"), task("e")])
    replica = device(
        first, {**answer(2, updated=[task("a", size=7), task("d")]), "experimentalStrategy": "replacement"}
    )
    await replica.sync()
    replica.update("tasks", "a", {"name": "mine"})
    replica.update("tasks", "b", {"name": "lost"})
    replica.delete("tasks", "d")
    replica.delete("tasks", "e")
    replica.create("tasks", {"name": "new"}, id="n")

    replica.apply(await replica.pull())

    rows = replica.rows("tasks")
    assert set(rows) == {"a", "n"}
    assert (rows["a"]["name"], rows["a"]["size"], replica.deleted("tasks")) == ("mine", 7, ["d"])


async def test_a_replacement_may_be_set_per_table() -> None:
    strategy = {"default": "incremental", "override": {"projects": "replacement"}}
    both: Changes = {
        "tasks": {"created": [], "updated": [], "deleted": []},
        "projects": {"created": [], "updated": [], "deleted": []},
    }
    first: dict[str, Any] = {"timestamp": 1, "changes": {**both, "tasks": {**both["tasks"], "created": [task()]}}}
    first["changes"]["projects"] = {**both["projects"], "created": [{"id": "p1", "name": "p"}]}
    replica = device(first, {"timestamp": 2, "changes": both, "experimentalStrategy": strategy})

    await replica.sync()
    await replica.sync()

    assert (list(replica.rows("tasks")), list(replica.rows("projects"))) == (["t1"], [])


async def test_missing_changes_are_taken_as_success() -> None:
    replica = await synced({"timestamp": 2})

    await replica.sync()

    assert (replica.last_pulled_at, list(replica.rows("tasks"))) == (2, ["t1"])


async def test_a_table_that_the_app_does_not_know_is_skipped() -> None:
    replica = await synced(answer(2, "later", created=[{"id": "x"}]))

    await replica.sync()

    assert (replica.last_pulled_at, replica.complaints) == (2, [])


@pytest.mark.parametrize(
    "bad",
    [
        {"changes": {}},
        answer(0),
        answer(-1),
        {**answer(2), "timestamp": "2"},
        {**answer(2), "timestamp": True},
        {"timestamp": 2, "changes": {"tasks": {"created": [], "updated": []}}},
        {"timestamp": 2, "changes": {"tasks": None}},
        answer(2, created=[None]),
        answer(2, created=["t9"]),
        answer(2, created=[{"name": "no id"}]),
        answer(2, updated=[task(_status="synced")]),
        answer(2, updated=[task(_changed="")]),
        answer(2, created=[task("t9"), task("t9")]),
        answer(2, updated=[task(size=5), task(size=6)]),
        answer(2, updated=[task(size=5)], deleted=["t1"]),
        answer(2, created=[{**task("t9"), "__proto__": {}}]),
        {**answer(2), "experimentalStrategy": "sometimes"},
        {**answer(2), "experimentalStrategy": {"default": "incremental"}},
    ],
)
async def test_an_answer_that_the_real_client_throws_at_throws_and_changes_nothing(bad: dict[str, Any]) -> None:
    replica = await synced(bad)
    before = replica.snapshot()

    with pytest.raises(ClientThrows):
        await replica.sync()

    assert replica.snapshot() == before


async def test_a_smaller_timestamp_is_only_complained_about() -> None:
    replica = await synced(answer(5), answer(4))
    await replica.sync()

    await replica.sync()

    assert (replica.last_pulled_at, len(replica.complaints)) == (4, 1)


async def test_of_two_syncs_at_once_the_later_answer_is_thrown_away() -> None:
    replica = await synced(answer(2), answer(3, created=[task("t2")]))
    first, second = await replica.pull(), await replica.pull()
    replica.apply(first)

    with pytest.raises(ClientThrows, match="Concurrent"):
        replica.apply(second)

    assert list(replica.rows("tasks")) == ["t1"]


async def test_a_reset_aborts_the_sync_under_way() -> None:
    replica = await synced(answer(2))
    pulled = await replica.pull()
    replica.reset()

    with pytest.raises(ClientThrows, match="reset"):
        replica.apply(pulled)

    assert (replica.rows("tasks"), replica.last_pulled_at) == ({}, None)


async def test_a_clone_starts_from_a_copy_of_the_disk() -> None:
    replica = await synced()
    clone = device()
    clone.restore(replica.snapshot())

    clone.update("tasks", "t1", {"size": 8})

    assert (replica.rows("tasks")["t1"]["size"], clone.last_pulled_at) == (1, 1)


async def test_a_migration_sync_names_new_tables_and_columns_once() -> None:
    old = {"tasks": SCHEMA["tasks"][:2]}
    transport = Script(answer(1, created=[task()]), answer(2), answer(3))
    replica = Replica(old, transport, migrations=(), migrations_enabled_at=1)
    await replica.sync()
    migrations = (
        Migration(3, columns={"tasks": ("done", "updated_at"), "projects": ("name",)}),
        Migration(2, tables=("projects",), columns={"tasks": ("size",)}),
    )

    replica.upgrade(SCHEMA, 3, migrations)
    await replica.sync()
    await replica.sync()

    columns = [{"table": "tasks", "columns": ["size", "done", "updated_at"]}]
    wanted = {"from": 1, "tables": ["projects"], "columns": columns}
    assert transport.asked == [(None, 1, None), (1, 3, wanted), (2, 3, None)]
    assert replica.rows("tasks")["t1"]["done"] is False


async def test_without_migrations_enabled_none_is_asked_for_and_the_version_is_remembered() -> None:
    transport = Script(answer(1), answer(2), answer(3))
    replica = Replica({"tasks": SCHEMA["tasks"]}, transport, migrations=())
    await replica.sync()
    replica.upgrade(SCHEMA, 2, (Migration(2, tables=("projects",)),))
    await replica.sync()

    replica.migrations_enabled_at = 2
    await replica.sync()

    assert transport.asked[1:] == [(1, 2, None), (2, 2, {"from": 1, "tables": ["projects"], "columns": []})]


@pytest.mark.parametrize(
    ("enabled", "migrations"), [(2, ()), (1, None), (1, (Migration(3),)), (-1, ())], ids=["high", "none", "low", "neg"]
)
async def test_wrong_migration_options_throw(enabled: int, migrations: tuple[Migration, ...] | None) -> None:
    replica = device(answer(1), migrations=migrations, migrations_enabled_at=enabled)

    with pytest.raises(ClientThrows):
        await replica.sync()
