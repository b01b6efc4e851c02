"""Random traces for a device: edits, pull answers (good, odd and unusable) and push answers.

Owns: what a trace may hold; test_conformance.py beside it and mobile/sdk/test/conformance/play.ts play them.
Must not know: either client. Invariant: the same source of chance gives the same trace.
"""

from __future__ import annotations

from random import Random
from typing import Any

Trace = dict[str, Any]
Lists = dict[str, list[Any]]

Tables = dict[str, list[dict[str, Any]]]

TABLES: Tables = {
    "tasks": [
        {"name": "name", "type": "string"},
        {"name": "note", "type": "string", "isOptional": True},
        {"name": "size", "type": "number"},
        {"name": "weight", "type": "number", "isOptional": True},
        {"name": "done", "type": "boolean"},
        {"name": "seen", "type": "boolean", "isOptional": True},
    ],
    "projects": [{"name": "name", "type": "string"}],
}
LATER_TABLE, LATER_COLUMNS = "projects", ("weight", "seen")
OLD_TABLES: Tables = {"tasks": [column for column in TABLES["tasks"] if column["name"] not in LATER_COLUMNS]}
ADDED = [column for column in TABLES["tasks"] if column["name"] in LATER_COLUMNS]
IDS = [f"r{n}" for n in range(6)]
VALUES: list[Any] = ["", "a", "ginning", 0, 1, 2, -1.5, 1e300, 2**60, True, False, None]


def make_trace(random: Random, adapter: str) -> Trace:
    """Make a trace; some start as an older app, without a table and two columns, and are upgraded on the way."""
    clock = iter(range(1, 1000))
    rounds = random.randint(2, 8)
    upgrade = random.randrange(rounds) if random.random() < 0.3 else None
    tables = TABLES if upgrade is None else OLD_TABLES
    steps: list[dict[str, Any]] = []
    for number in range(rounds):
        if number == upgrade:
            steps.append({"do": "upgrade"})
            tables = TABLES
        steps += [*make_edits(random, tables, 4), make_sync(random, tables, next(clock) * 10)]
    return {
        "adapter": adapter,
        "tables": TABLES if upgrade is None else OLD_TABLES,
        "later": {"tables": TABLES, "added": ADDED},
        "migrationsEnabledAtVersion": random.choice([1, None]),
        "sendCreatedAsUpdated": random.random() < 0.2,
        "serverWins": random.choice([[], [], ["size"], ["name", "done"]]),
        "steps": steps,
    }


def make_edits(random: Random, tables: Tables, most: int) -> list[dict[str, Any]]:
    edits = []
    for _ in range(random.randint(0, most)):
        edit: dict[str, Any] = {"do": random.choice(["create", "update", "update", "delete"])}
        edit["table"] = random.choice(list(tables))
        edit["id"] = random.choice(IDS)
        if edit["do"] != "delete":
            columns = [column["name"] for column in tables[edit["table"]]]
            edit["values"] = {c: random.choice(VALUES) for c in random.sample(columns, random.randint(0, len(columns)))}
        edits.append(edit)
    return edits


def make_sync(random: Random, tables: Tables, timestamp: int) -> dict[str, Any]:
    answer: dict[str, Any] = {"timestamp": timestamp, "changes": {}}
    for table in ("tasks", "projects", "unheard_of"):
        if random.random() < 0.85:
            answer["changes"][table] = make_lists(random, table)
    if random.random() < 0.15:
        override = {table: random.choice(["incremental", "replacement"]) for table in TABLES if random.random() < 0.5}
        default = random.choice(["incremental", "replacement"])
        answer["experimentalStrategy"] = random.choice(["replacement", {"default": default, "override": override}])
    if random.random() < 0.06:
        spoil(random, answer)
    rejected = {table: random.sample(IDS, 2) for table in TABLES if random.random() < 0.5}
    return {
        "do": "sync",
        "answer": answer,
        "pulling": make_edits(random, tables, 2) if random.random() < 0.3 else [],
        "pushing": make_edits(random, tables, 3) if random.random() < 0.5 else [],
        "pushed": random.choice([{}, {}, {}, {"experimentalRejectedIds": rejected}, None]),
    }


def make_lists(random: Random, table: str) -> Lists:
    """Make a change set; an id is in one list, as the protocol says (`spoil` breaks that)."""
    lists: Lists = {"created": [], "updated": [], "deleted": []}
    for row_id in random.sample(IDS, random.randint(0, 3)):
        where = random.choice(list(lists))
        lists[where].append(row_id if where == "deleted" else make_row(random, table, row_id))
    return lists


def make_row(random: Random, table: str, row_id: str) -> dict[str, Any]:
    columns = [column["name"] for column in TABLES.get(table, [])]
    row = {column: random.choice(VALUES) for column in columns if random.random() < 0.95}
    return {**row, "id": row_id, **({"column_of_a_later_version": 1} if random.random() < 0.1 else {})}


def spoil(random: Random, answer: dict[str, Any]) -> None:
    """Make the answer one that no server should give."""
    lists = answer["changes"].setdefault("tasks", {"created": [], "updated": [], "deleted": []})
    both = make_row(random, "tasks", random.choice(IDS))
    match random.randrange(9):
        case 0:
            answer["timestamp"] = random.choice([0, -1, None, "5", 0.5, True])
        case 1:
            answer["timestamp"] = 1
        case 2:
            del answer["changes"]
        case 3:
            del lists[random.choice(list(lists))]
        case 4:
            lists[random.choice(["created", "updated"])].append(random.choice([None, "r1", {"name": "no id"}]))
        case 5:
            lists["updated"].append({**both, "_status": "synced"})
        case 6:
            lists["updated"] += [both, make_row(random, "tasks", both["id"])]
        case 7:
            lists["updated"].append(both)
            lists["deleted"].append(both["id"])
        case _:
            answer["experimentalStrategy"] = random.choice(["sometimes", {"default": "incremental"}])
