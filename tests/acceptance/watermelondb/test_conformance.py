"""The device in Python and the real WatermelonDB end with the same database, whatever they are told.

Random edits, pull answers (good, odd and unusable) and push answers are made from a seed and played to both; what each asked,
pushed, complained of and kept is compared. A failure prints the seed and the trace.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

from mobile.node import find_node, ready_sdk
from mobile.replica import ClientThrows, Column, Migration, Replica, read_schema
from tests.acceptance.watermelondb.traces import Tables, Trace, make_trace

TRACES = 150
"""Traces per adapter; they take two seconds."""


class AnswerLost(Exception):
    """The trace says that the answer to this push never arrives."""


# --- Playing them to the device in Python -----------------------------------------------------------------------------


def schema(tables: Tables) -> dict[str, tuple[Column, ...]]:
    return read_schema({"tables": [{"name": name, "columns": columns} for name, columns in tables.items()]})


class Player:
    """Plays one trace; it is the device's transport too, because answers and edits meanwhile stand in the same step."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.tables = trace["tables"]
        self.replica = Replica(
            schema(self.tables),
            self,
            migrations=(),
            migrations_enabled_at=trace["migrationsEnabledAtVersion"],
            send_created_as_updated=trace["sendCreatedAsUpdated"],
            conflict_resolver=self.resolve,
            random=Random(0),
        )
        self.step: dict[str, Any] = {}
        self.asked: list[Any] = []
        self.pushes: list[Any] = []

    def resolve(
        self, table: str, local: dict[str, Any], remote: Mapping[str, Any], resolved: dict[str, Any]
    ) -> dict[str, Any]:
        return {**resolved, **{column: remote[column] for column in self.trace["serverWins"] if column in remote}}

    def upgrade(self) -> None:
        later = self.trace["later"]
        new = tuple(later["tables"].keys() - self.tables.keys())
        self.tables = later["tables"]
        columns = {"tasks": tuple(column["name"] for column in later["added"])}
        self.replica.upgrade(schema(self.tables), 2, (Migration(2, tables=new, columns=columns),))

    def edit(self, edits: list[dict[str, Any]]) -> None:
        for edit in edits:
            table, row_id = edit["table"], edit["id"]
            there = row_id in self.replica.rows(table)
            match edit["do"]:
                case "create" if not there and row_id not in self.replica.deleted(table):
                    self.replica.create(table, edit["values"], id=row_id)
                case "update" if there:
                    self.replica.update(table, row_id, edit["values"])
                case "delete" if there:
                    self.replica.delete(table, row_id)

    async def pull(
        self, last_pulled_at: int | None, schema_version: int, migration: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        self.asked.append([last_pulled_at, schema_version, migration])
        self.edit(self.step["pulling"])
        return dict(self.step["answer"])

    async def push(self, changes: Mapping[str, Any], last_pulled_at: float) -> Mapping[str, Any] | None:
        self.pushes.append([changes, last_pulled_at])
        self.edit(self.step["pushing"])
        if self.step["pushed"] is None:
            raise AnswerLost
        return dict(self.step["pushed"])

    async def play(self) -> dict[str, Any]:
        threw = False
        for step in self.trace["steps"]:
            if step["do"] == "upgrade":
                self.upgrade()
                continue
            if step["do"] != "sync":
                self.edit([step])
                continue
            self.step = step
            try:
                await self.replica.sync()
            except AnswerLost:
                continue
            except ClientThrows:
                threw = True
                break
        disk = {
            table: {
                "rows": sorted(self.replica.rows(table).values(), key=lambda row: str(row["id"])),
                "deleted": sorted(self.replica.deleted(table)),
            }
            for table in self.tables
        }
        complaints = self.replica.complaints
        return {"asked": self.asked, "pushes": self.pushes, "threw": threw, "complaints": complaints, "disk": disk}


# --- Comparing --------------------------------------------------------------------------------------------------------


def comparable(result: dict[str, Any], trace: Trace) -> dict[str, Any]:
    """Bring a result to a form in which equal means the same: the order of rows in a push means nothing."""
    pushes = [
        [
            {
                table: {name: sorted(rows, key=repr_of_id) for name, rows in lists.items()}
                for table, lists in sent.items()
            },
            at,
        ]
        for sent, at in result["pushes"]
    ]
    # LokiJS has no transactions: what a failed batch leaves behind there is chance.
    disk = None if result["threw"] and trace["adapter"] == "loki" else result["disk"]
    return {"asked": result["asked"], "pushes": pushes, "threw": result["threw"], "disk": disk}


def repr_of_id(row: Any) -> str:
    return str(row["id"] if isinstance(row, dict) else row)


def same_complaints(ours: list[str], theirs: list[str]) -> bool:
    """The real client's sentences are longer; ours are how they begin."""
    return len(ours) == len(theirs) and all(t.startswith(o) for o, t in zip(sorted(ours), sorted(theirs), strict=True))


def read(text: str) -> Any:
    """Read JSON as JavaScript does: a number is a double, whichever way it is written."""
    return json.loads(text, parse_int=lambda digits: float(digits) if len(digits) > 15 else int(digits))


def play_real(corpus: Path) -> subprocess.CompletedProcess[str]:
    player = ready_sdk() / "dist" / "test" / "conformance" / "play.js"
    return subprocess.run([find_node(), str(player), str(corpus)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("adapter", ["sqlite", "loki"])
async def test_the_device_in_python_ends_as_the_real_client_does(adapter: str, seed: int, tmp_path: Path) -> None:
    random = Random(f"{seed} {adapter}")
    traces = [make_trace(random, adapter) for _ in range(TRACES)]
    corpus = tmp_path / "traces.json"
    corpus.write_text(json.dumps(traces))

    real = play_real(corpus)
    assert real.returncode == 0, real.stderr
    expected = read(real.stdout)

    assert len(expected) == TRACES
    for number, (trace, theirs) in enumerate(zip(traces, expected, strict=True)):
        ours = read(json.dumps(await Player(trace).play()))
        where = f"trace {number} of seed {seed}: {json.dumps(trace)}"
        for part, wanted in comparable(theirs, trace).items():
            assert comparable(ours, trace)[part] == wanted, where
        assert theirs["threw"] or same_complaints(ours["complaints"], theirs["complaints"]), where
