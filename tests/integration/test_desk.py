"""The desk: what is kept from the log is what building anew gives and what the rows come to, read by those whose it is."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from erp_core.desk import aged
from erp_core.india import day_of
from sync_server.engine import desk
from sync_server.store import desk as store
from sync_server.store.database import Connection, Database
from sync_server.store.desk import MODELS
from sync_server.store.following import Follower
from tests.harness.counting import CountingDatabase
from tests.harness.desk import VARIETIES, Work
from tests.harness.office import at_desk
from tests.harness.servers import Server
from tests.harness.world import House, trade


async def lines(house: House) -> dict[str, dict[str, dict[str, Any]]]:
    async with house.database.acquire(house.org_id) as connection:
        return {name: await store.read_all(connection, house.org_id, name) for name in MODELS}


async def differences(house: House) -> list[desk.Difference]:
    return list(await desk.check(house.database, house.org_id))


@pytest.fixture
async def trading(house: House) -> House:
    """A house with two branches and two varieties, whose desk has been built."""
    await house.add_partners("p3")
    await house.run(VARIETIES)
    await desk.follow(house.database, house.org_id)
    return house


# --- Exactly what the rows come to ------------------------------------------------------------------------------------


async def test_after_random_work_kept_is_built_anew_is_what_the_rows_come_to(trading: House, seed: int) -> None:
    work, met = Work(trading, random.Random(seed)), set[str]()
    for _ in range(10):
        await work.do(25)
        await desk.follow(trading.database, "org_a")
        kept = await lines(trading)
        met |= {name for name, found in kept.items() if found}

    assert await differences(trading) == []
    assert met == kept.keys(), "the work was about every model"
    assert sum(map(len, kept.values())) == await desk.rebuild(trading.database, "org_a")
    assert await lines(trading) == kept


async def test_a_turn_of_one_event_gives_the_same(trading: House, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    await Work(trading, random.Random(seed)).do(30)
    monkeypatch.setattr(desk, "TURN_MAX", 1)

    await desk.follow(trading.database, "org_a")

    assert await differences(trading) == []


async def test_several_workers_and_writers_at_once_lose_nothing(trading: House, seed: int) -> None:
    work = Work(trading, random.Random(seed))

    await asyncio.gather(work.do(40), *(desk.follow(trading.database, "org_a") for _ in range(2)))
    await asyncio.gather(*(desk.follow(trading.database, "org_a") for _ in range(3)))

    assert await differences(trading) == []


async def test_a_late_commit_is_not_missed(trading: House, database_url: str) -> None:
    late = await asyncpg.connect(database_url)
    other = asyncio.create_task(asyncio.sleep(0))
    try:
        transaction = late.transaction()
        await transaction.start()
        await late.execute("UPDATE availabilities SET bales_reserved = 40 WHERE org_id = 'org_a' AND id = 'l1'")
        other = asyncio.create_task(trading.run("UPDATE requirements SET bales_max = 77 WHERE id = 'r1'"))
        await desk.follow(trading.database, "org_a")  # sees neither: the second waits for the clock
        assert (await lines(trading))["positions"]["b1/lint/"]["bales_open"] == 100
        await transaction.commit()
    finally:
        await other
        await late.close()

    await desk.follow(trading.database, "org_a")

    line = (await lines(trading))["positions"]["b1/lint/"]
    assert (line["bales_open"], line["bales_asked"], line["bales_net"]) == (60, 77, -17)


async def test_a_crash_between_lines_and_cursor_leaves_neither(trading: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def die(*_: Any) -> None:
        raise OSError("killed")

    before = await lines(trading)
    await trading.run("UPDATE availabilities SET bales_reserved = 40 WHERE org_id = 'org_a' AND id = 'l1'")
    with monkeypatch.context() as broken:
        broken.setattr(Follower, "move", die)
        with pytest.raises(OSError, match="killed"):
            await desk.follow(trading.database, "org_a")
    assert await lines(trading) == before

    await desk.follow(trading.database, "org_a")

    assert await differences(trading) == []
    assert await lines(trading) != before


async def test_exposure_is_what_the_partner_says(trading: House) -> None:
    await trading.run("UPDATE business_partners SET credit_limit = 9000000 WHERE id = 'p2'")
    wanted = trade("t8", "p2", "p1", state="confirmed", tax_pct=5)
    await trading.push(
        trading.actor(), await trading.clock(), {"trades": {"created": [wanted], "updated": [], "deleted": []}}
    )
    await desk.follow(trading.database, "org_a")

    line = (await lines(trading))["exposure"]["p2"]

    said = await trading.one("SELECT exposure FROM business_partners WHERE org_id = 'org_a' AND id = 'p2'")
    assert line["exposure"] == said > 0
    assert (line["open_trades"], line["credit_left"]) == (2, Decimal(9_000_000) - said)


async def test_lines_of_a_trade_on_its_way(trading: House) -> None:
    await trading.run(
        "INSERT INTO dispatches (org_id, id, trade_id, bales, state) VALUES ('org_a', 'd7', 't1', 20, 'delivered'),"
        " ('org_a', 'd8', 't1', 15, 'in_transit'), ('org_a', 'd9', 't1', 9, 'rejected')"
    )
    await desk.follow(trading.database, "org_a")

    kept = await lines(trading)

    line = kept["deliveries"]["t1"]
    names = ("bales", "bales_dispatched", "bales_delivered", "bales_left")
    assert [line[name] for name in names] == [50, 36, 20, 30]
    assert kept["positions"]["b1/lint/"]["bales_traded"] == 30


async def test_days_pass_without_an_event() -> None:
    due, amount = [date(2026, 11, 24)], [Decimal("500.00")]

    def bucket(days: int) -> list[str]:
        found = aged(due, amount, due[0] + timedelta(days=days))
        return [name for name, rupees in found.items() if rupees and name != "open_amount"]

    days = (-1, 0, 30, 31, 60, 61, 90, 91)
    first = ("not_due", "days_0_30", "days_0_30", "days_31_60", "days_31_60", "days_61_90", "days_61_90", "over_90")
    assert [bucket(each) for each in days] == [[name] for name in first]


async def test_statements_of_a_turn_do_not_grow_with_its_events(trading: House, database_url: str, seed: int) -> None:
    counting = await CountingDatabase.open(database_url, pool_max=1)
    work, counts = Work(trading, random.Random(seed)), []
    try:
        for times in (40, 120):
            await work.do(times)
            counting.statements.clear()
            await desk.follow(counting, "org_a")
            counts.append(len(counting.statements))
    finally:
        await counting.close()

    assert all(10 < count <= 26 for count in counts), "fewer where no line of a kind is concerned, never more"


# --- Who reads what -----------------------------------------------------------------------------------------------------


async def read(server: Server, house: House, user: str, path: str) -> Mapping[str, Any]:
    answer = await (await at_desk(server, house, user)).ask("GET", f"/desk/{path}")
    assert answer.status == 200, answer
    found: Mapping[str, Any] = answer.json
    return found


@pytest.fixture
async def branches(trading: House) -> House:
    """Lines of all kinds in both branches, and people of each."""
    await trading.run("""
      UPDATE business_partners SET credit_limit = 100, branch_id = 'b2' WHERE id = 'p3';
      UPDATE business_partners SET credit_limit = 100, assigned_agent_id = 'anil' WHERE id = 'p2';
      UPDATE trades SET deliver_until = current_date - 40 WHERE id = 't1';
      UPDATE invoices SET outstanding_amount = 500, due_date = current_date - 40 WHERE id = 'v2';
      INSERT INTO trades (org_id, id, branch_id, buyer_id, seller_id, commodity_id, variety_id, bales, price_per_candy,
          trade_date, state) VALUES ('org_a', 't2', 'b2', 'p3', 'p1', 'lint', 's6', 9, 61000, '2026-11-20', 'confirmed');
      INSERT INTO invoices (org_id, id, branch_id, buyer_id, seller_id, supplier_state, place_of_supply, total_amount,
          outstanding_amount, state) VALUES ('org_a', 'v7', 'b2', 'p3', 'p1', 'Gujarat', 'Gujarat', 70, 70, 'issued');
    """)
    await trading.employ("meena", "manager", branch_id="b1")
    await trading.employ("anil", "agent", agent_id="anil")
    await trading.employ("pia", "manager", partner_id="p2")
    await trading.employ("odd")
    await trading.run("INSERT INTO roles (org_id, id, title, codes) VALUES ('org_a', 'clerk', 'Clerk', '{desk.read}')")
    await trading.grant("odd", "clerk", branch_id="b1")
    await desk.follow(trading.database, "org_a")
    return trading


ALL = ("positions", "exposure", "deliveries", "ageing")


async def test_a_manager_reads_their_branch_and_who_works_across_reads_all(server: Server, branches: House) -> None:
    own = [{line["branch_id"] for line in (await read(server, branches, "meena", name))["lines"]} for name in ALL]
    whole = [{line["branch_id"] for line in (await read(server, branches, "agent1", name))["lines"]} for name in ALL]

    assert own == [{"b1"}] * 4
    assert whole == [{"b1", "b2"}] * 4
    assert (await read(server, branches, "meena", "positions?branch_id=b2"))["lines"] == []
    assert (await read(server, branches, "meena", "exposure?partner_id=p3"))["lines"] == []


@pytest.mark.parametrize("user", ["anil", "pia"])
async def test_an_agent_or_whoever_has_one_partner_has_no_desk(server: Server, branches: House, user: str) -> None:
    assert [(await read(server, branches, user, name))["lines"] for name in ALL] == [[]] * 4


async def test_a_sum_tells_nobody_what_its_records_would_not(server: Server, branches: House) -> None:
    """A clerk with desk.read and nothing else sees no partner, so neither its credit limit."""
    assert (await read(server, branches, "odd", "exposure"))["lines"] == []
    assert (await read(server, branches, "odd", "deliveries"))["lines"] != []


async def test_what_depends_on_the_day_is_worked_out_for_the_day(server: Server, branches: House) -> None:
    (late,) = (await read(server, branches, "agent1", "deliveries?branch_id=b1"))["lines"]
    answer = await read(server, branches, "agent1", "ageing?partner_id=p2")

    assert abs(late["days_left"] + 40) <= 1  # India's day is ahead of UTC's
    assert answer["on"] == day_of(datetime.now(UTC)).isoformat()
    (line,) = answer["lines"]
    assert (line["days_31_60"], line["open_amount"], line["not_due"]) == (500, 500, 0)
    assert "due_days" not in line


async def test_answer_says_up_to_where_it_is_and_goes_on_from_page_to_page(server: Server, branches: House) -> None:
    clock = await branches.clock()
    first = await read(server, branches, "agent1", "positions?limit=1")
    await branches.run("UPDATE availabilities SET bales_reserved = 1 WHERE org_id = 'org_a' AND id = 'l1'")
    second = await read(server, branches, "agent1", f"positions?limit=1&after={first['next']}")

    assert (first["as_of"]["cursor"], first["as_of"]["behind"]) == (clock, 0)
    assert (second["as_of"]["cursor"], second["as_of"]["behind"], second["next"]) == (clock, 1, None)
    assert [line["key"] for page in (first, second) for line in page["lines"]] == ["b1/lint/", "b2/lint/s6"]


@pytest.mark.parametrize(
    "query", ["partner_id=p1", "limit=0", "limit=x", "branch_id=a/b", "after=%00", "after=;", "x=1"]
)
async def test_unknown_parameters_are_refused(server: Server, branches: House, query: str) -> None:
    answer = await (await at_desk(server, branches, "agent1")).ask("GET", f"/desk/positions?{query}")

    assert (answer.status, answer.json["code"]) == (400, "bad_parameter")


async def test_two_organisations_share_nothing(database: Database, trading: House, tmp_path: Path) -> None:
    other = await House.settle(database, tmp_path, "org_b")
    await desk.rebuild(database, "org_b")

    assert not any((await lines(other)).values())
    assert await differences(trading) == []


# --- Planted bugs -------------------------------------------------------------------------------------------------------


async def test_planted_forgetting_of_what_a_record_left_is_found(
    trading: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    concerned = desk._concerned

    async def forget(connection: Connection, org_id: str, moved: Any) -> Any:
        return await concerned(connection, org_id, [replace(m, before=None) for m in moved])

    monkeypatch.setattr(desk, "_concerned", forget)
    await trading.run("UPDATE trades SET branch_id = 'b2', buyer_id = 'p3' WHERE org_id = 'org_a' AND id = 't1'")

    assert {one.model for one in await differences(trading)} == {"positions", "exposure"}


async def test_planted_blindness_to_lorries_is_found(trading: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "TABLES", desk.TABLES - {"dispatches"})
    await trading.run("UPDATE dispatches SET state = 'delivered', bales = 5 WHERE org_id = 'org_a' AND id = 'd1'")

    assert {one.model for one in await differences(trading)} == {"positions", "deliveries"}
