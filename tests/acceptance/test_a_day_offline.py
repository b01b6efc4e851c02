"""docs/A-DAY-OFFLINE.md, step by step: what stands there is sent to a server, and what it shows of the answers is compared.

The page's own words for that are at its head. A block holds steps, parted by empty lines; a step is `Who: METHOD /path`, a
body, and behind an arrow what is shown of the answer, which is 2xx. `Who: the same again` sends the last request once more,
whose answer was lost. In requests `<now>`, `<now + 2 h>` and the like are moments; any other name in angle brackets is a
value that an earlier answer showed under that name. A verify's digests are what the phone works out over the rows that its
answers brought.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from mobile.replica_rows import Row, sanitized
from mobile.replica_schema import read_schema
from mobile.replica_verify import digests
from sync_server.store.database import Database
from sync_server.web import keys
from sync_server.wire.schema import schema_document
from tests.harness.office import Clerk, at_desk
from tests.harness.servers import Server
from tests.harness.world import House

PAGE = Path(__file__).parents[2] / "docs" / "A-DAY-OFFLINE.md"
PEOPLE = {
    "Ramesh": ("ramesh", "phone-of-ramesh"),
    "Tablet": ("ramesh", "tablet-of-ramesh"),
    "Meena": ("meena", "phone-of-meena"),
    "Manager": ("manager", "desk-of-manager"),
}
SCHEMA = read_schema(schema_document())
BLOCK = re.compile(r"^```http\n(.*?)^```$", re.DOTALL | re.MULTILINE)
HEAD = re.compile(r"(\w+): ([A-Z]+) /api/v1(\S+(?: \S+)*)")
AGAIN = re.compile(r"(\w+): the same again")
PASSES = re.compile(r"^## (\d+) days later", re.MULTILINE)
MOMENT = re.compile(r"now(?: ([+-]) (\d+) h)?")
HOUR_MS = 3_600_000
AND_OTHERS = "…"


@dataclass(frozen=True)
class Step:
    """A request and what is shown of its answer; `line`: where it stands on the page; `days`: that pass before it; `lost`: the
    answer does not arrive."""

    line: int
    who: str
    method: str
    path: str
    body: Any
    shown: Any
    days: int = 0
    lost: bool = False


def steps(page: str) -> list[Step]:
    """Read the page, whose every fence is that of a block."""
    blocks = list(BLOCK.finditer(page))
    assert len(blocks) * 2 == page.count("```") + page.count("~~~"), "a fence that is not that of a block of steps"
    passing = [(found.start(), int(found[1])) for found in PASSES.finditer(page)]
    found: list[Step] = []
    for block in blocks:
        at = block.start(1)
        for text in block[1].split("\n\n"):
            step = _step(page.count("\n", 0, at) + 1, text, found)
            if passing and passing[0][0] < at:
                step = replace(step, days=passing.pop(0)[1])
            found.append(step)
            at += len(text) + 2
    assert not passing
    return found


def _step(line: int, text: str, before: list[Step]) -> Step:
    request, arrow, answer = text.partition("\n→ ")
    assert arrow, f"line {line}: no answer is shown"
    head, _, body = request.partition("\n")
    if again := AGAIN.fullmatch(head):
        assert before[-1].who == again[1], f"line {line}: {again[1]} did not ask last"
        before[-1] = replace(before[-1], lost=True)
        return replace(before[-1], line=line, shown=json.loads(answer), lost=False, days=0)
    match = HEAD.fullmatch(head)
    assert match, f"line {line}: {head}"
    who, method, path = match.groups()
    return Step(line, who, method, path, json.loads(body) if body.strip() else None, json.loads(answer))


@dataclass
class Names:
    """What the names in angle brackets stand for; `now`: when the page began."""

    known: dict[str, Any] = field(default_factory=dict)
    now: int = field(default_factory=lambda: int(time.time() * 1000))

    def fill(self, value: Any) -> Any:
        """Put values in place of names."""
        if isinstance(value, dict):
            return {key: self.fill(member) for key, member in value.items()}
        if isinstance(value, list):
            return [self.fill(member) for member in value]
        return self._value(value[1:-1]) if _is_name(value) else value

    def _value(self, name: str) -> Any:
        if moment := MOMENT.fullmatch(name):
            hours = int(f"{moment[1]}{moment[2]}") if moment[1] else 0
            return self.now + hours * HOUR_MS
        return self.known[name]

    def differences(self, shown: Any, got: Any, at: str = "") -> Iterator[str]:
        """Say where an answer is not what is shown; names that are met first are learned."""
        if isinstance(shown, dict) and isinstance(got, dict):
            for key, member in shown.items():
                if key in got:
                    yield from self.differences(member, got[key], f"{at}/{key}")
                else:
                    yield f"{at} has no {key!r}"
        elif isinstance(shown, list) and isinstance(got, list):
            yield from self._in_lists(shown, got, at)
        elif _is_name(shown):
            name = shown[1:-1]
            if got is None or self.known.setdefault(name, got) != got:
                yield f"{at} is {got!r}, and {shown} is {self.known.get(name)!r}"
        elif shown != got:
            yield f"{at} is {got!r}, and {shown!r} is shown"

    def _in_lists(self, shown: list[Any], got: list[Any], at: str) -> Iterator[str]:
        """Records are matched by what they are about, whatever their order; others by their places."""
        wanted = [member for member in shown if member != AND_OTHERS]
        if len(wanted) == len(shown) and len(got) != len(shown):
            yield f"{at} has {len(got)} members, and {len(shown)} are shown"
            return
        for place, member in enumerate(wanted):
            yield from self.differences(member, self._counterpart(member, place, got), f"{at}/{place}")

    def _counterpart(self, member: Any, place: int, got: list[Any]) -> Any:
        for key in ("id", "record_id"):
            if isinstance(member, dict) and key in member:
                id = self.known.get(member[key][1:-1]) if _is_name(member[key]) else member[key]
                return next((one for one in got if one.get(key) == id), None)
        return got[place] if place < len(got) else None


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("<") and value.endswith(">")


@dataclass
class Phone:
    """A device and the rows that it holds: what it was sent, and what it sent that was taken."""

    clerk: Clerk
    rows: dict[str, dict[str, Row]] = field(default_factory=lambda: {table: {} for table in SCHEMA})

    def take(self, sent: Any, answer: Any) -> None:
        """Do with an exchange's answer what an app does."""
        for table, lists in sent["changes"].items():
            for record in (*lists.get("created", ()), *lists.get("updated", ())):
                self._put(table, record)
            for id in lists.get("deleted", ()):
                del self.rows[table][id]
        for verdict in answer["verdicts"]:
            if "set" in verdict:
                self._put(verdict["table"], {"id": verdict["id"], **verdict["set"]})
        for table, lists in answer["changes"].items():
            for record in (*lists["created"], *lists["updated"]):
                self._put(table, record)
            for id in lists["deleted"]:
                self.rows[table].pop(id, None)

    def _put(self, table: str, record: Row) -> None:
        dirty = {**self.rows[table].get(record["id"], {}), **record}
        self.rows[table][record["id"]] = sanitized(dirty, SCHEMA[table], Random(0))

    def held(self, table: str) -> dict[str, Any]:
        """Say what the phone holds of a table as verify wants it."""
        rows = list(self.rows[table].values())
        return {"rows": len(rows), "digests": digests(rows, SCHEMA[table])}


@dataclass
class Players:
    """The house, and the phones of those who stand on the page."""

    house: House
    phones: dict[str, Phone]

    async def wait(self, days: int) -> None:
        """Let days pass: the log is dated back, as its moments alone say how long ago something was."""
        await self.house.run(f"""
          ALTER TABLE event DISABLE TRIGGER ALL;
          UPDATE event SET at = at - interval '{days} days';
          ALTER TABLE event ENABLE TRIGGER ALL;
        """)


@pytest.fixture
async def players(server: Server, database: Database, tmp_path: Path) -> Players:
    house = await House.settle(database, tmp_path)
    for user, role, place in (("ramesh", "agent", "b1"), ("meena", "agent", "b1"), ("manager", "manager", None)):
        await house.employ(user, role, branch_id=place)
        await house.settle_holds(house.actor(user))
    return Players(house, {name: Phone(await _seat(server, house, *seat)) for name, seat in PEOPLE.items()})


async def _seat(server: Server, house: House, user: str, device: str) -> Clerk:
    """Log a user in on a device."""
    clerk = await at_desk(server, house, user, f"session-{device}")
    await house.run(f"""
      INSERT INTO device (org_id, id, user_id) VALUES ('{house.org_id}', '{device}', '{user}');
      UPDATE session SET device_id = '{device}' WHERE org_id = '{house.org_id}' AND id = 'session-{device}';
    """)
    assert server.app is not None
    actor = replace(clerk.actor, device_id=device)
    return Clerk(server, actor, {"Authorization": f"Bearer {server.app[keys.TOKENS].issue(actor)}"})


async def play(players: Players, page: str) -> None:
    """Send every request of the page and compare every answer."""
    names = Names()
    for step in steps(page):
        if step.days:
            await players.wait(step.days)
        phone, where = players.phones[step.who], f"{PAGE.name}, line {step.line}: {step.who} {step.method} {step.path}"
        if step.path == "/sync/verify":
            differences = list(names.differences(step.body["tables"], {t: phone.held(t) for t in step.body["tables"]}))
            assert not differences, f"{where}\nthe phone does not hold that: " + "\n".join(differences)
        path = re.sub(r"<([^>]+)>", lambda found: str(names.known[found[1]]), step.path)
        sent = names.fill(step.body)
        answer = await phone.clerk.ask(step.method, path, sent)
        assert answer.status in (200, 201), f"{where}\n{answer.status} {json.dumps(answer.json, indent=1)}"
        differences = list(names.differences(step.shown, answer.json))
        assert not differences, f"{where}\n" + "\n".join(differences) + f"\n{json.dumps(answer.json, indent=1)[:6000]}"
        if step.path == "/sync/exchange" and not step.lost:
            phone.take(sent, answer.json)


async def test_every_step_of_the_page_is_what_happens(players: Players) -> None:
    await play(players, PAGE.read_text())

    # The phones worked out the digests, and the server agreed; neither is to be wrong in the same way as the other.
    for table in ("trades", "availabilities", "business_partners", "quality_inspections"):
        truth = await players.house.truth(table)
        for name in ("Ramesh", "Meena", "Manager"):
            held = players.phones[name].rows[table]
            assert held.keys() == truth.keys(), f"{name}'s {table}"
            assert all(held[id]["state"] == row["state"] for id, row in truth.items() if "state" in row)
    lot, gin = (await players.house.truth("availabilities"))["lot-17"], (await players.house.truth("business_partners"))
    assert (lot["bales_reserved"], gin["kisan"]["remarks"]) == (60, "flooded yard, bad road")


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ('"kept": 60', '"kept": 30'),
        ('"verdict": "parked"', '"verdict": "merged"'),
        ('"<Ramesh at 18>", "schema', '"<Meena at 18>", "schema'),
        ('"conclusion": "not_visible"', '"conclusion": "on_device"'),
        ('"rows": 2, "digests": ["<the partners>"]', '"rows": 2, "digests": ["<the lots>"]'),
        ("## 35 days later", "## 25 days later"),
    ],
)
async def test_a_page_that_says_something_else_is_found_out(players: Players, written: str, instead: str) -> None:
    page = PAGE.read_text()
    assert written in page

    with pytest.raises(AssertionError, match="line"):
        await play(players, page.replace(written, instead))


@pytest.mark.parametrize("block", ["```json\n{}\n```\n", "```http\nMeena: GET /api/v1/sync\n```\n", "```http\n"])
def test_no_block_of_the_page_can_be_passed_over(block: str) -> None:
    with pytest.raises(AssertionError):
        steps(PAGE.read_text() + block)
