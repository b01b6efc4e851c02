"""Lanes: pushes of one organisation that arrive together share a transaction, and nothing else (engine/lanes.py)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sync_server.engine import judge, lanes
from sync_server.engine.lanes import Lanes, TooManyWaiting
from sync_server.engine.push import Conflict, PushAnswer
from sync_server.store.database import Database
from tests.harness.counting import CountingDatabase
from tests.harness.world import House, contact, partner, request


@pytest.fixture
async def counting(database_url: str) -> AsyncIterator[CountingDatabase]:
    opened = await CountingDatabase.open(database_url, pool_max=5)
    yield opened
    await opened.close()


@pytest.fixture
async def house(counting: CountingDatabase, tmp_path: Path) -> House:
    return await crowded(await House.settle(counting, tmp_path))


async def crowded(house: House) -> House:
    """Employ the people of every phone of these tests: agent0 to agent39, filler0 to filler39."""
    people = "SELECT kind || n AS id FROM generate_series(0, 39) n CROSS JOIN unnest('{agent,filler}'::text[]) kind"
    await house.run(f"""
      INSERT INTO users (org_id, id, username, name)
        SELECT '{house.org_id}', id, id || '@{house.org_id}', id FROM ({people}) p ON CONFLICT (org_id, id) DO NOTHING;
      INSERT INTO grants (org_id, id, user_id, role_id) SELECT '{house.org_id}', 'of.' || id, id, 'everything' FROM ({people}) p
    """)
    return house


def created(*ids: str, **values: Any) -> dict[str, Any]:
    return {"business_partners": {"created": [partner(id, **values) for id in ids]}}


async def together(house: House, *changes: dict[str, Any], cursor: int | None = None) -> list[Any]:
    """Push each change set as a phone of its own, all at once; give the answers and failures in order."""
    lane, at = Lanes(house.database, house.standings), cursor or await house.clock()
    pushes = (lane.push(house.actor(f"agent{n}", f"phone{n}"), request(at, one)) for n, one in enumerate(changes))
    return await asyncio.gather(*pushes, return_exceptions=True)


async def test_pushes_that_arrive_together_share_transactions(house: House, counting: CountingDatabase) -> None:
    changes = [created(f"p{n}") for n in range(40)]
    counting.statements.clear()

    answers = await together(house, *changes)

    assert answers == [PushAnswer({})] * 40
    assert sorted(await house.ids("business_partners")) == sorted(f"p{n}" for n in range(40))
    assert counting.statements.count("COMMIT") <= 4


async def test_each_push_is_logged_as_its_own_phones_doing(house: House) -> None:
    await together(house, *(created(f"p{n}") for n in range(10)))

    logged = {e["record_id"]: (e["actor"], e["session"]) for e in await house.events() if e["session"]}

    assert logged == {f"p{n}": (f"agent{n}", f"phone{n}") for n in range(10)}


async def test_clash_of_one_takes_no_other_with_it(house: House) -> None:
    await house.add_partners("hot")
    cursor = await house.clock()
    await house.run("UPDATE business_partners SET legal_name = 'Office'")
    hot = {"business_partners": {"updated": [{"id": "hot", "legal_name": "Phone"}], "created": [partner("with-hot")]}}

    answers = await together(house, created("a"), hot, created("b"), cursor=cursor)

    assert [type(answer) for answer in answers] == [PushAnswer, Conflict, PushAnswer]
    assert await house.ids("business_partners") == ["a", "b", "hot"]


async def test_refusal_in_one_takes_no_other_with_it(house: House) -> None:
    answers = await together(house, created("a"), created("bad", branch_id="nowhere"), created("b"))

    assert answers == [PushAnswer({})] * 3
    assert await house.ids("business_partners") == ["a", "b"]
    assert [(i["author_id"], i["record_id"]) for i in await house.issues()] == [("agent1", "bad")]


async def test_refused_child_of_one_phone_takes_no_document_of_another_with_it(house: House) -> None:
    """A group lives or dies together within what one phone sent; two phones have sent two groups."""
    await house.add_partners("p")
    edit = {"business_partners": {"updated": [{"id": "p", "trade_name": "New name"}]}}
    bad_child = {"partner_contacts": {"created": [contact("c", "p", kind="no such kind")]}}

    await together(house, created("a"), edit, bad_child)

    assert (await house.truth("business_partners"))["p"]["trade_name"] == "New name"
    assert [issue["record_id"] for issue in await house.issues()] == ["c"]


async def test_failure_of_one_takes_no_other_with_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    judged = judge.judge

    def breaks(draft: Any, world: Any) -> Any:
        if draft.mutation.id == "breaks":
            raise RuntimeError("no record's fault")
        return judged(draft, world)

    monkeypatch.setattr(judge, "judge", breaks)

    answers = await together(house, created("a"), created("breaks"), created("b"))

    assert [type(answer) for answer in answers] == [PushAnswer, RuntimeError, PushAnswer]
    assert await house.ids("business_partners") == ["a", "b"]


async def test_pushes_of_the_same_record_are_applied_one_after_the_other(house: House) -> None:
    await house.add_partners("p")
    cursor = await house.clock()
    edits = [{"business_partners": {"updated": [{"id": "p", "trade_name": f"edit {n}"}]}} for n in range(6)]

    answers = await together(house, *edits, cursor=cursor)

    assert [type(answer) for answer in answers].count(PushAnswer) == 1, "the others clash with the first"
    assert all(isinstance(answer, PushAnswer | Conflict) for answer in answers)


async def test_same_push_twice_in_one_lane_has_one_effect(house: House) -> None:
    lane, wanted = Lanes(house.database, house.standings), request(await house.clock(), created("p"))

    answers = await asyncio.gather(*(lane.push(house.actor(), wanted) for _ in range(5)))

    assert answers == [PushAnswer({})] * 5
    assert len([e for e in await house.events() if e["record_id"] == "p"]) == 1


async def test_merge_looks_from_each_phones_own_cursor(house: House) -> None:
    """Two phones at different cursors in one transaction: only the one that has not seen the change clashes."""
    await house.add_partners("p", "q")
    old = await house.clock()
    await house.run("UPDATE business_partners SET trade_name = 'Office'")
    new = await house.clock()
    lane = Lanes(house.database, house.standings)

    def edit(id: str, cursor: int) -> Any:
        return request(cursor, {"business_partners": {"updated": [{"id": id, "trade_name": "Phone"}]}})

    answers = await asyncio.gather(
        *(lane.push(house.actor(f"filler{n}", "f"), request(new, created(f"f{n}"))) for n in range(3)),
        lane.push(house.actor("agent1", "phone1"), edit("p", old)),
        lane.push(house.actor("agent2", "phone2"), edit("q", new)),
        return_exceptions=True,
    )

    assert [type(answer) for answer in answers[3:]] == [Conflict, PushAnswer]


async def test_pushes_of_two_organisations_do_not_share(house: House, tmp_path: Path) -> None:
    other = await crowded(await House.settle(house.database, tmp_path / "other", "org_b"))
    lane = Lanes(house.database, house.standings)

    await asyncio.gather(
        *(
            lane.push(one.actor(f"agent{n}"), request(None, created(f"p{n}")))
            for n in range(10)
            for one in (house, other)
        )
    )

    assert await house.ids("business_partners") == await other.ids("business_partners")
    assert len(await house.ids("business_partners")) == 10


async def test_full_lane_says_that_it_is_busy(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "WAITING_MAX", 3)

    answers = await together(house, *(created(f"p{n}") for n in range(12)))

    busy = [n for n, answer in enumerate(answers) if isinstance(answer, TooManyWaiting)]
    assert busy
    assert {f"p{n}" for n in busy}.isdisjoint(await house.ids("business_partners"))
    assert len(await house.ids("business_partners")) == 12 - len(busy)


async def test_large_push_has_a_transaction_of_its_own(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "SMALL_PUSH_MAX", 3)

    answers = await together(house, created("a", "b", "c", "d"), created("e"))

    assert answers == [PushAnswer({})] * 2
    assert await house.ids("business_partners") == ["a", "b", "c", "d", "e"]


async def test_phone_that_hangs_up_has_pushed_all_the_same(house: House) -> None:
    lane = Lanes(house.database, house.standings)
    hanging = asyncio.create_task(lane.push(house.actor(), request(await house.clock(), created("p"))))
    await asyncio.sleep(0)

    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    await house.database.close()

    reopened = await Database.open(await _url(house))
    assert await House(reopened, house.room).ids("business_partners") == ["p"]
    await reopened.close()


async def _url(house: House) -> str:
    arguments = house.database._pool._connect_args
    return str(arguments[0])
