"""A fleet: several phones of two users, the office's plain SQL, and a network that loses and doubles; one step at a time.

Owns: the steps, the record of what was acknowledged, and what must hold once the network is healed.
Must not know: who chooses the steps (a Hypothesis state machine, or a list of steps in a test of the test).
Invariant: after `heal` every phone equals plain SQL; every record and edit that was acknowledged is in the log, or an issue
says why not; no record was created twice or came back; what a user deleted is gone; and no push of a phone changed a
column to something that was not typed on that phone.

Records are partners; texts are unique per edit, so that a value says where it was typed. Edits of a record happen between the
steps of a sync too, for a sync in flight is a `Flight` that each step moves on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mobile.replica import ClientThrows, Local, Pulled, Replica
from sync_server.engine.push import Conflict
from tests.harness.world import House

TABLE = "business_partners"
TEXTS = ("trade_name", "address", "remarks")
"""Columns that take any text; an e-mail address would be refused."""
ROUNDS_MAX = 5
"""Rounds of syncs after which every phone must have come to rest."""

_Result = TypeVar("_Result")


@dataclass
class Flight:
    """A sync under way on one phone: what was pulled, what was collected, what the server answered."""

    pulled: Pulled | None = None
    local: Local | None = None
    answer: dict[str, Any] | None = None


@dataclass
class Phone:
    device: Replica
    name: str
    flight: Flight = field(default_factory=Flight)


class Fleet:
    """Synchronous on the outside; `loop` runs the engine."""

    def __init__(self, loop: asyncio.AbstractEventLoop, house: House, seed: int) -> None:
        self._loop = loop
        self.house = house
        names = (("agent1", "phone1"), ("agent1", "phone2"), ("agent2", "phone3"))
        self.phones = [Phone(house.device(user, phone, seed=seed), phone) for user, phone in names]
        self.edits = 0
        self.acknowledged: set[str] = set()
        self.owed: set[tuple[str, str, str]] = set()
        self.deleted: set[str] = set()
        self.typed: dict[str, set[str | None]] = {phone: set() for _, phone in names}
        self.log: list[str] = []

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        return self._loop.run_until_complete(work)

    def _text(self) -> str:
        self.edits += 1
        return f"edit {self.edits}"

    def _say(self, *what: object) -> None:
        self.log.append(" ".join(map(str, what)))

    # --- Users --------------------------------------------------------------------------------------------------------

    def create(self, phone: int, *, bad: bool = False) -> None:
        values = {"branch_id": "nowhere" if bad else "b1", "legal_name": self._text(), "kind": '["buyer"]'}
        id = self.phones[phone].device.create(TABLE, values, id=f"r{self.edits}")
        self._say("create", phone, id, "bad" if bad else "")

    def edit(self, phone: int, choice: int, column: int) -> None:
        device = self.phones[phone].device
        if rows := sorted(device.rows(TABLE)):
            id = rows[choice % len(rows)]
            device.update(TABLE, id, {TEXTS[column % len(TEXTS)]: self._text()})
            self.typed[self.phones[phone].name].add(f"edit {self.edits}")
            self._say("edit", phone, id)

    def delete(self, phone: int, choice: int) -> None:
        device = self.phones[phone].device
        if rows := sorted(device.rows(TABLE)):
            id = rows[choice % len(rows)]
            device.delete(TABLE, id)
            self.deleted.add(id)
            self._say("delete", phone, id)

    def sql(self, choice: int, what: str) -> None:
        """Let the office insert, update or delete by plain SQL."""
        ids = self.run(self.house.ids(TABLE))
        if what == "insert" or not ids:
            self.edits += 1
            self.run(self.house.add_partners(f"s{self.edits}"))
            return
        id = ids[choice % len(ids)]
        statement = {
            "update": f"UPDATE {TABLE} SET {TEXTS[choice % len(TEXTS)]} = '{self._text()}'",
            "delete": f"DELETE FROM {TABLE}",
        }[what] + f" WHERE org_id = '{self.house.org_id}' AND id = '{id}'"
        self.run(self.house.run(statement))
        self._say("sql", what, id)

    # --- The steps of a sync, any of which may be the last --------------------------------------------------------------

    def pull(self, phone: int) -> None:
        one = self.phones[phone]
        one.flight = Flight(pulled=self.run(one.device.pull()))
        self._say("pull", phone)

    def land(self, phone: int) -> None:
        """Apply what was pulled and collect what is to be pushed."""
        one = self.phones[phone]
        if one.flight.pulled is not None:
            with contextlib.suppress(ClientThrows):  # another sync of this phone came between
                one.flight.local = one.device.collect(one.device.apply(one.flight.pulled))
            one.flight.pulled = None
            self._say("land", phone)

    def push(self, phone: int, *, lose_answer: bool, twice: bool) -> None:
        one = self.phones[phone]
        local = one.flight.local
        if local is None:
            return
        try:
            for _ in range(2 if twice else 1):
                answer = dict(self.run(one.device.push(local)))
        except Conflict:
            one.flight = Flight()
            self._say("push", phone, "conflict")
            return
        one.flight = Flight() if lose_answer else Flight(local=local, answer=answer)
        self._note(local)
        self._say("push", phone, "lost" if lose_answer else "", "twice" if twice else "")

    def mark(self, phone: int) -> None:
        one = self.phones[phone]
        if one.flight.local is not None and one.flight.answer is not None:
            one.device.mark(one.flight.local, one.flight.answer)
            self._say("mark", phone)
        one.flight = Flight()

    def step(self, phone: int, *, lose_answer: bool, twice: bool) -> None:
        """Take the next step of the phone's sync, whichever it is."""
        flight = self.phones[phone].flight
        if flight.pulled is not None:
            self.land(phone)
        elif flight.answer is not None:
            self.mark(phone)
        elif flight.local is not None:
            self.push(phone, lose_answer=lose_answer, twice=twice)
        else:
            self.pull(phone)

    def _note(self, local: Local) -> None:
        """The server has answered 200: it owes what was pushed, even if the phone never hears of it."""
        self.acknowledged |= {record["id"] for record in local.changes[TABLE]["created"]}
        for record in local.changes[TABLE]["updated"]:
            self.owed |= {(record["id"], c, record[c]) for c in record["_changed"].split(",") if c in TEXTS}

    # --- What must hold -----------------------------------------------------------------------------------------------

    def heal(self) -> None:
        """Let every phone sync, over a good network, until nothing moves any more."""
        for one in self.phones:
            one.flight = Flight()
        for _ in range(ROUNDS_MAX):
            before = self.run(self.house.clock())
            for number, one in enumerate(self.phones):
                self.sync(number)
                assert not one.device.has_unsynced_changes(), "a phone is stuck with changes"
            if self.run(self.house.clock()) == before:
                return
        raise AssertionError(f"the phones still move after {ROUNDS_MAX} rounds")

    def sync(self, phone: int) -> None:
        """Sync as an app does: once more if the server found a clash."""
        try:
            self.run(self.phones[phone].device.sync())
        except Conflict:
            self.run(self.phones[phone].device.sync())

    def check(self) -> None:
        """Compare with plain SQL; every difference is shown with the steps that led to it."""
        truth = self.run(self.house.truth(TABLE))
        story = "\n".join(self.log)
        for number, one in enumerate(self.phones):
            held = one.device.rows(TABLE)
            assert held.keys() == truth.keys(), f"phone {number}\n{story}"
            for id, row in held.items():
                for column in ("branch_id", "legal_name", *TEXTS):
                    assert (row[column] or None) == truth[id][column], f"phone {number}, {id}.{column}\n{story}"
        self._check_log(truth, story)

    def _check_log(self, truth: dict[str, Any], story: str) -> None:
        rows: dict[str, dict[str, Any] | None] = {}
        written: set[tuple[str, str, str]] = set()
        for event in self.run(self.house.events()):
            if event["entity"] != TABLE:
                continue
            id, new = event["record_id"], event["new"] and json.loads(event["new"])
            assert event["op"] != b"i" or id not in rows, f"{id} was created twice or came back\n{story}"
            for column in TEXTS if new else ():
                written.add((id, column, new[column]))
                moved = event["op"] == b"u" and new[column] != (rows[id] or {})[column]
                if moved and event["session"]:
                    assert new[column] in self.typed[event["session"]], f"{id}.{column} was overwritten\n{story}"
            rows[id] = new
        assert truth.keys() == {id for id, row in rows.items() if row is not None}, story
        issues = self.run(self.house.issues())
        refused = {issue["record_id"] for issue in issues}
        waiting = {issue["record_id"] for issue in issues if issue["operation"] == "deleted"}
        assert self.acknowledged <= rows.keys() | refused, f"an acknowledged record is gone\n{story}"
        lost = {owed for owed in self.owed - written if owed[0] not in refused and rows.get(owed[0]) is not None}
        assert not lost, f"acknowledged edits are gone: {lost}\n{story}"
        # A deletion of what others changed meanwhile waits for a person, and the record with it.
        assert not (self.deleted - waiting) & truth.keys(), f"what a user deleted is still there\n{story}"
