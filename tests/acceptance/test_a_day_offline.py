"""docs/A-DAY-OFFLINE.md, step by step: what stands there is sent to a server, and what it shows of the answers is compared.

The page's own words for that are at its head. In requests `<now>`, `<now + 2 h>` and the like are moments; any other name in
angle brackets is a value that an earlier answer showed under that name.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from sync_server.store.database import Database
from sync_server.web import keys
from tests.harness.office import Clerk, at_desk
from tests.harness.servers import Server
from tests.harness.world import House

PAGE = Path(__file__).parents[2] / "docs" / "A-DAY-OFFLINE.md"
PEOPLE = {"Ramesh": "agent1", "Meena": "agent2", "Manager": "agent3"}
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
HEAD = re.compile(r"(\w+): ([A-Z]+) /api/v1(\S+(?: \S+)*)")
MOMENT = re.compile(r"now(?: ([+-]) (\d+) h)?")
HOUR_MS = 3_600_000
AND_OTHERS = "…"


@dataclass(frozen=True)
class Step:
    """A request and what is shown of its answer; `line`: where it stands on the page."""

    line: int
    who: str
    method: str
    path: str
    body: Any
    shown: Any


def steps(page: str) -> list[Step]:
    """Read the page. Each block is a request or the answer to the one before; nothing else is a block."""
    blocks = [(page.count("\n", 0, m.start()) + 1, m[1], m[2]) for m in FENCE.finditer(page)]
    assert len(blocks) * 2 == page.count("```"), "a block that is not closed"
    assert [language for _, language, _ in blocks] == ["http", "json"] * (len(blocks) // 2)
    found = []
    for (line, _, request), (_, _, answer) in zip(blocks[::2], blocks[1::2], strict=True):
        head, _, body = request.partition("\n")
        match = HEAD.fullmatch(head)
        assert match, f"line {line}: {head}"
        who, method, path = match.groups()
        found.append(Step(line, who, method, path, json.loads(body) if body.strip() else None, json.loads(answer)))
    return found


@dataclass
class Names:
    """What the names in angle brackets stand for."""

    known: dict[str, Any] = field(default_factory=dict)

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
            return int(time.time() * 1000) + hours * HOUR_MS
        return self.known[name]

    def differences(self, shown: Any, got: Any, at: str = "") -> Iterator[str]:
        """Say where an answer is not what is shown; names that are met first are learned."""
        if isinstance(shown, dict) and isinstance(got, dict):
            for key, member in shown.items():
                yield from self.differences(member, got.get(key), f"{at}/{key}")
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


@pytest.fixture
async def people(server: Server, database: Database, tmp_path: Path) -> dict[str, Clerk]:
    house = await House.settle(database, tmp_path)
    return {name: await _seat(server, house, user, f"phone-of-{name.lower()}") for name, user in PEOPLE.items()}


async def _seat(server: Server, house: House, user: str, device: str) -> Clerk:
    """Log a user in on a device of their own."""
    clerk = await at_desk(server, house, user)
    await house.run(f"""
      INSERT INTO device (org_id, id, user_id) VALUES ('{house.org_id}', '{device}', '{user}');
      UPDATE session SET device_id = '{device}' WHERE org_id = '{house.org_id}' AND user_id = '{user}';
    """)
    assert server.app is not None
    actor = replace(clerk.actor, device_id=device)
    return Clerk(server, actor, {"Authorization": f"Bearer {server.app[keys.TOKENS].issue(actor)}"})


async def play(people: dict[str, Clerk], page: str) -> Names:
    """Send every request of the page and compare every answer."""
    names = Names()
    for step in steps(page):
        path = re.sub(r"<([^>]+)>", lambda found: str(names.known[found[1]]), step.path)
        answer = await people[step.who].ask(step.method, path, names.fill(step.body))
        where = f"{PAGE.name}, line {step.line}: {step.who} {step.method} {path}"
        assert answer.status == 200, f"{where}\n{answer.status} {json.dumps(answer.json, indent=1)}"
        differences = list(names.differences(step.shown, answer.json))
        assert not differences, f"{where}\n" + "\n".join(differences) + f"\n{json.dumps(answer.json, indent=1)[:6000]}"
    return names


async def test_every_step_of_the_page_is_what_happens(people: dict[str, Clerk]) -> None:
    await play(people, PAGE.read_text())

    held = []
    for name, clerk in people.items():
        asked: dict[str, Any] = {
            "push_id": f"last-of-{name}",
            "last_pulled_at": None,
            "schema_version": 2,
            "changes": {},
        }
        answer = await clerk.ask("POST", "/sync/exchange", asked)
        changes = answer.json["changes"]
        held.append({t: {r["id"]: r for r in lists["created"]} for t, lists in changes.items() if t != "sync_issues"})
    assert held[0] == held[1] == held[2]
    lot, gin = held[0]["availabilities"]["lot-17"], held[0]["business_partners"]["kisan"]
    assert (lot["bales_reserved"], gin["remarks"]) == (60, "flooded yard, bad road")


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ('"kept": 60', '"kept": 30'),
        ('"verdict": "parked"', '"verdict": "merged"'),
        ('"<Ramesh at 18>"', '"<Meena at 18>"'),
    ],
)
async def test_a_page_that_says_something_else_is_found_out(
    people: dict[str, Clerk], written: str, instead: str
) -> None:
    page = PAGE.read_text()
    assert written in page

    with pytest.raises(AssertionError, match="line"):
        await play(people, page.replace(written, instead))
