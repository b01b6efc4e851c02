"""Live connections over real HTTP: what changes is told, to whom it may be, soon, after its commit, and without its data."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from sync_server.live.hub import Hub
from sync_server.live.members import Heard, pend
from sync_server.live.members import House as LiveHouse
from sync_server.live.news import Batch
from sync_server.store.database import Database
from sync_server.wire import live as frames
from tests.harness.listeners import Listener, listening
from tests.harness.office import Clerk, at_desk
from tests.harness.servers import Server
from tests.harness.world import ORG, OTHER_ORG, House

SOON = 3.0
"""Seconds within which a hint is there on a busy machine; it takes 5 ms for a commit of this process, 0.25 s for another's."""
QUIET = 0.6
"""Seconds after which a hint that did not come would have come: two looks at the log and more."""


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


async def listen(server: Server, house: House, stack: AsyncExitStack, user: str = "agent1") -> tuple[Clerk, Listener]:
    clerk = await at_desk(server, house, user)
    return clerk, await stack.enter_async_context(listening(server, clerk.headers))


async def test_first_frame_says_what_is_listened_to(server: Server, house: House, stack: AsyncExitStack) -> None:
    _, ear = await listen(server, house, stack)

    hello = ear.frames[0]
    assert hello["clock"] == await house.clock()
    assert hello["channels"] == [f"org:{ORG}", "user:agent1"]
    assert hello["heartbeat"] == server.settings.live_heartbeat_seconds
    assert 0 < hello["expires_in"] <= server.settings.access_token_seconds


async def test_change_by_one_is_told_to_another_with_tables_and_clock_and_nothing_else(
    server: Server, house: House, stack: AsyncExitStack
) -> None:
    writer = await at_desk(server, house, "agent2")
    _, ear = await listen(server, house, stack)

    answer = await writer.ask("PATCH", "/business_partners/p1", {"remarks": "secret-remark"}, If_Match="*")
    assert answer.status == 200, answer
    hint = await ear.hint_of("business_partners", SOON)

    assert hint == {
        "type": "hint",
        "clock": await house.clock(),
        "entities": ["business_partners"],
        "channels": [f"org:{ORG}"],
    }
    assert "secret-remark" not in json.dumps(ear.frames)


async def test_change_by_plain_sql_is_told(server: Server, house: House, stack: AsyncExitStack) -> None:
    _, ear = await listen(server, house, stack)

    await house.run(f"UPDATE business_partners SET remarks = 'by hand' WHERE org_id = '{ORG}' AND id = 'p1'")

    await ear.hint_of("business_partners", SOON)


async def test_hint_leaves_only_after_the_commit(server: Server, house: House, stack: AsyncExitStack) -> None:
    _, ear = await listen(server, house, stack)
    async with house.database.acquire_everywhere() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(f"UPDATE trades SET remarks = 'soon' WHERE org_id = '{ORG}' AND id = 't1'")
        await asyncio.sleep(QUIET)
        assert not ear.hints()
        await transaction.commit()

    assert (await ear.hint_of("trades", SOON))["clock"] == await house.clock()


async def test_clocks_of_hints_never_go_back(server: Server, house: House, stack: AsyncExitStack) -> None:
    _, ear = await listen(server, house, stack)
    await asyncio.gather(*(house.add_partners(f"n{n}") for n in range(20)))
    clock = await house.clock()
    await ear.until(lambda frame: frame["type"] == "hint" and frame["clock"] == clock)

    clocks = [frame["clock"] for frame in ear.hints()]
    assert clocks == sorted(clocks)
    assert len(clocks) < 20  # some came together


async def test_nobody_is_told_of_what_they_do_not_see(server: Server, house: House, stack: AsyncExitStack) -> None:
    await house.employ("desk1", "manager", branch_id="b1")
    await house.employ("desk2", "manager", branch_id="b2")
    _, here = await listen(server, house, stack, "desk1")
    _, elsewhere = await listen(server, house, stack, "desk2")
    await asyncio.sleep(QUIET)

    await house.run(f"UPDATE trades SET remarks = 'x' WHERE org_id = '{ORG}' AND branch_id = 'b1'")

    await here.hint_of("trades", SOON)
    await asyncio.sleep(QUIET)
    assert not [hint for hint in elsewhere.hints() if "trades" in hint["entities"]]


async def test_other_organisation_hears_nothing(
    server: Server, house: House, stack: AsyncExitStack, tmp_path: Path
) -> None:
    other = await House.settle(house.database, tmp_path / "b", OTHER_ORG)
    _, ours = await listen(server, house, stack)
    _, theirs = await listen(server, other, stack)

    await house.add_partners("new")

    await ours.hint_of("business_partners", SOON)
    await asyncio.sleep(QUIET)
    assert not theirs.hints()


async def test_record_is_watched_until_it_is_no_more_seen(server: Server, house: House, stack: AsyncExitStack) -> None:
    await house.employ("desk1", "manager", branch_id="b1")
    _, ear = await listen(server, house, stack, "desk1")
    assert (await ear.subscribe("entity:trades:t1"))["type"] == "subscribed"
    assert (await ear.subscribe("entity:trades:none"))["code"] == "forbidden"
    await ear.say(type="unsubscribe", channel=f"org:{ORG}")
    await ear.kind("unsubscribed")

    await house.run(f"UPDATE trades SET remarks = 'x' WHERE org_id = '{ORG}' AND id = 't1'")
    assert (await ear.hint_of("trades", SOON))["channels"] == ["entity:trades:t1"]

    await house.run(f"UPDATE trades SET branch_id = 'b2' WHERE org_id = '{ORG}' AND id = 't1'")
    lost = await ear.until(lambda f: f["type"] == "unsubscribed" and f["channel"] == "entity:trades:t1", SOON)
    assert lost["code"] == "forbidden"


async def test_grant_that_is_taken_narrows_within_five_seconds(
    server: Server, house: House, stack: AsyncExitStack
) -> None:
    await house.employ("desk")
    kept, taken = (
        await house.grant("desk", "manager", branch_id="b1"),
        await house.grant("desk", "manager", branch_id="b2"),
    )
    _, ear = await listen(server, house, stack, "desk")
    for branch in ("b1", "b2"):
        assert (await ear.subscribe(f"branch:{branch}"))["type"] == "subscribed"

    began = time.monotonic()
    await house.take(taken)
    lost = await ear.until(lambda frame: frame["type"] == "unsubscribed")

    assert time.monotonic() - began < 5
    assert (lost["channel"], lost["code"]) == ("branch:b2", "forbidden")
    assert (await ear.subscribe("branch:b2"))["type"] == "refused"
    assert kept


async def test_grant_that_is_given_is_told_and_widens(server: Server, house: House, stack: AsyncExitStack) -> None:
    await house.employ("newcomer")
    _, ear = await listen(server, house, stack, "newcomer")
    await house.add_partners("unseen")
    await asyncio.sleep(QUIET)
    assert not [hint for hint in ear.hints() if hint["entities"]]

    await house.grant("newcomer", "manager")
    await ear.until(lambda frame: frame["type"] == "hint" and not frame["entities"], SOON)  # pull now
    await house.add_partners("seen")
    await ear.hint_of("business_partners", SOON)


async def test_grant_that_runs_out_by_itself_narrows(server: Server, house: House, stack: AsyncExitStack) -> None:
    await house.employ("temp")
    until = await house.one("SELECT now() + interval '1.5 seconds'")
    await house.grant("temp", "manager", branch_id="b1", valid_until=until)
    _, ear = await listen(server, house, stack, "temp")
    assert (await ear.subscribe("branch:b1"))["type"] == "subscribed"

    await ear.until(lambda frame: frame["type"] == "unsubscribed", 6)


async def test_heartbeat_has_the_newest_clock_and_what_is_due(house: House, database_url: str, tmp_path: Path) -> None:
    from tests.harness.servers import serve_here

    async with serve_here(database_url, tmp_path / "s", live_heartbeat_seconds=1) as server:
        clerk = await at_desk(server, house, "agent1")
        async with listening(server, clerk.headers) as ear:
            await house.add_partners("new")
            clock = await house.clock()
            beat = await ear.until(lambda frame: frame["type"] == "heartbeat" and frame["clock"] == clock)
            assert beat["due"] == clock


async def test_bulk_is_told_too(server: Server, house: House, stack: AsyncExitStack) -> None:
    _, ear = await listen(server, house, stack)

    await house.add_partners(*(f"bulk{n}" for n in range(1_500)))

    await ear.until(lambda frame: frame["type"] == "hint" and frame["entities"] in ([], ["business_partners"]), SOON)


# --- Planted bugs -------------------------------------------------------------------------------------------------------


async def test_planted_row_data_in_a_hint_is_found(
    server: Server, house: House, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        frames,
        "hint",
        lambda clock, entities, channels: json.dumps(
            {
                "type": "hint",
                "clock": clock,
                "entities": [*entities],
                "channels": [*channels],
                "rows": ["secret-remark"],
            }
        ),
    )
    with pytest.raises(AssertionError):
        await test_change_by_one_is_told_to_another_with_tables_and_clock_and_nothing_else(server, house, stack)


async def test_planted_hint_to_somebody_without_rights_is_found(
    server: Server, house: House, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(self: Hub, house: LiveHouse, batch: Batch, heard: Heard) -> None:
        for viewer in house.viewers.values():
            for member in viewer.members:
                pend(member, batch.upto, {touched.table for touched in batch.touched}, f"org:{ORG}", heard)

    monkeypatch.setattr(Hub, "_tell_by_label", careless)
    with pytest.raises(AssertionError):
        await test_nobody_is_told_of_what_they_do_not_see(server, house, stack)


async def test_planted_hint_before_the_commit_is_found(
    server: Server, house: House, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a hint sent by the code that writes would be."""
    assert server.app is not None
    from sync_server.web.live_tasks import LIVE_ROOM

    hall = server.app[LIVE_ROOM].hall
    execute = type(house.database).acquire_everywhere

    def early(self: Database) -> object:
        for member in hall.sockets:
            pend(member, member.org.clock, {"trades"}, f"org:{ORG}", Heard())
            hall.tell(Heard(ready={member}))
        return execute(self)

    monkeypatch.setattr(type(house.database), "acquire_everywhere", early)
    with pytest.raises(AssertionError):
        await test_hint_leaves_only_after_the_commit(server, house, stack)
