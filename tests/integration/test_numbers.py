"""Numbers of documents through the engine: leased to devices, brought by pushes, given by the server, never twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from erp_core.entities.document_series import written
from sync_server.engine import devices, number_report, numbering, wipe
from sync_server.engine.leasing import LEASE_DAYS, Leased, Wanted, give_back, lease, reclaim_late
from sync_server.engine.numbers_given import Numbering, Wish
from sync_server.store import number_blocks
from sync_server.store.actor import Actor
from tests.harness.office import Clerk, at_desk
from tests.harness.servers import Server
from tests.harness.stock import open_session
from tests.harness.world import House

DEVICES = 50
DOCUMENTS = 20


def trade(id: str, number: str | None) -> dict[str, Any]:
    terms = {"buyer_id": "p2", "seller_id": "p1", "commodity_id": "lint", "bales": 1, "price_per_candy": 60_000}
    return {"id": id, "branch_id": "b1", "number": number, **terms, "trade_date": "2026-11-20"}


def created(*records: dict[str, Any]) -> dict[str, Any]:
    return {"trades": {"created": list(records), "updated": [], "deleted": []}, "sync_issues": EMPTY}


EMPTY: dict[str, list[Any]] = {"created": [], "updated": [], "deleted": []}


@pytest.fixture
async def series(house: House) -> str:
    await house.run(
        "INSERT INTO document_series (org_id, id, branch_id, kind, financial_year_id, prefix, width, next_number)"
        f" VALUES ('{house.org_id}', 's1', 'b1', 'trade', 'fy1', 'RJK/T', 4, 1),"
        f" ('{house.org_id}', 's2', 'b1', 'invoice', 'fy1', 'RJK/I', 4, 1)"
    )
    return "s1"


async def phone(server: Server, house: House, name: str) -> Actor:
    actor = replace(house.actor("agent1", f"session-{name}"), device_id=name)
    await open_session(server, actor)
    await house.fetch("INSERT INTO device (org_id, id, user_id) VALUES ($1, $2, $3)", house.org_id, name, "agent1")
    return actor


async def leased(house: House, actor: Actor, count: int = 20, **said: Any) -> Leased:
    return await lease(house.database, house.standings, actor, Wanted("trade", "b1", count, **said))


def numbers_of(lease: Leased) -> list[str]:
    return [f"RJK/T{n:04d}" for block in lease.blocks for n in range(block.first, block.last + 1)]


async def numbered(house: House) -> dict[str, str]:
    return {row["id"]: row["number"] for row in await house.fetch("SELECT id, number FROM trades WHERE number <> ''")}


async def explained(house: House, series: str = "s1") -> list[tuple[int, int, str]]:
    page = await number_report.report(house.database, house.org_id, series, 0, 1_000)
    return [(one.first, one.last, one.what) for one in page.stretches]


async def test_fifty_devices_number_twenty_documents_each_offline_and_no_two_alike(
    server: Server, house: House, series: str
) -> None:
    phones = [await phone(server, house, f"d{n}") for n in range(DEVICES)]
    leases = await asyncio.gather(*(leased(house, one, DOCUMENTS) for one in phones))
    pushes = [
        created(*(trade(f"{actor.device_id}-{n}", number) for n, number in enumerate(numbers_of(got))))
        for actor, got in zip(phones, leases, strict=True)
    ]

    for start in range(0, DEVICES, 10):
        some = range(start, start + 10)
        at = await house.clock()
        await asyncio.gather(*(house.push(phones[n], at, pushes[n]) for n in some))

    sent = {record["id"]: record["number"] for push in pushes for record in push["trades"]["created"]}
    assert await numbered(house) == sent
    assert len(set(sent.values())) == DEVICES * DOCUMENTS
    states = await house.fetch("SELECT DISTINCT state FROM number_block")
    assert [row["state"] for row in states] == ["used_up"]
    assert {what for _, _, what in await explained(house)} == {"used"}


async def test_lost_answer_loses_no_numbers(server: Server, house: House, series: str) -> None:
    asha = await phone(server, house, "d1")
    first = await leased(house, asha, 10)

    again = await leased(house, asha, 10)
    more = await leased(house, asha, 10, holds=[block.id for block in again.blocks], left=4)

    assert again.blocks == first.blocks
    assert [(block.first, block.last) for block in more.blocks] == [(1, 10), (11, 16)]
    assert await house.one("SELECT next_number FROM document_series WHERE id = 's1'") == 17


async def test_number_of_another_device_or_of_nobody_is_refused_with_a_reason(
    server: Server, house: House, series: str
) -> None:
    asha, bela = await phone(server, house, "d1"), await phone(server, house, "d2")
    await leased(house, asha, 5)

    at = await house.clock()
    await house.push(bela, at, created(trade("a", "RJK/T0001"), trade("b", "RJK/T0009"), trade("c", "T9")))

    issues = {row["record_id"]: row["reason_code"] for row in await house.issues() if row["record_id"] != "t9"}
    assert issues == {"a": "number_not_leased", "b": "number_not_leased", "c": "malformed"}
    assert await numbered(house) == {}


async def test_document_without_a_number_gets_the_next_one_and_its_device_hears_of_it(
    server: Server, house: House, series: str
) -> None:
    asha = await phone(server, house, "d1")
    await leased(house, asha, 5)
    at = await house.clock()

    await house.push(asha, at, created(trade("a", ""), trade("b", None)))

    assert await numbered(house) == {"a": "RJK/T0006", "b": "RJK/T0007"}
    pulled = (await house.pull(asha, at))["changes"]["trades"]
    assert {r["id"]: r["number"] for r in (*pulled["created"], *pulled["updated"])} == await numbered(house)


async def test_refused_document_leaves_no_gap_between_those_that_came_with_it(
    server: Server, house: House, series: str
) -> None:
    asha = await phone(server, house, "d1")
    odd = {**trade("b", None), "seller_id": "p2"}

    await house.push(asha, await house.clock(), created(trade("a", None), odd, trade("c", None)))

    assert await numbered(house) == {"a": "RJK/T0001", "c": "RJK/T0002"}
    assert await explained(house) == [(1, 1, "used"), (2, 2, "used")]


async def test_number_of_a_reclaimed_block_is_kept_while_it_is_free_and_else_made_anew(
    server: Server, house: House, series: str
) -> None:
    asha, bela = await phone(server, house, "d1"), await phone(server, house, "d2")
    await leased(house, asha, 3)
    await devices.revoke(house.database, house.org_id, "d1", by=bela)
    at = await house.clock()

    await house.push(bela, at, created(trade("late", "RJK/T0002")))
    await house.push(bela, at, created(trade("later", "RJK/T0002")))

    assert await numbered(house) == {"late": "RJK/T0002", "later": "RJK/T0004"}
    assert (await house.pull(bela, at))["changes"]["trades"]["updated"]
    outcomes = await house.one("SELECT outcomes::text FROM resolution WHERE record_id = 'later'")
    assert "RJK/T0002" in outcomes
    assert "RJK/T0004" in outcomes
    report = await number_report.report(house.database, house.org_id, "s1", 0, 100)
    assert [(one.first, one.what, one.block and one.block.why) for one in report.stretches] == [
        (1, "reclaimed", "device_revoked"),
        (2, "used", None),
        (3, "reclaimed", "device_revoked"),
        (4, "used", None),
    ]
    assert report.stretches[3].use is not None
    assert report.stretches[3].use.instead_of == "RJK/T0002"


async def test_document_sent_as_new_again_keeps_the_number_that_it_got_and_takes_the_edit(
    server: Server, house: House, series: str
) -> None:
    asha = await phone(server, house, "d1")
    block = await leased(house, asha, 3)
    at = await house.clock()
    await house.push(asha, at, created(trade("a", "RJK/T0002"), trade("b", "")))
    await house.push(asha, at, created(trade("c", "RJK/T0002")))

    for id, number in (("b", ""), ("c", "RJK/T0002")):
        await house.push(asha, at, created({**trade(id, number), "remarks": "edited"}))

    assert block.blocks
    assert await numbered(house) == {"a": "RJK/T0002", "b": "RJK/T0004", "c": "RJK/T0005"}
    edited = await house.fetch("SELECT id FROM trades WHERE remarks = 'edited' ORDER BY id")
    assert [row["id"] for row in edited] == ["b", "c"]
    assert {row["record_id"] for row in await house.issues()} == {"t9"}


async def test_leases_end_when_they_are_late_or_the_device_is_to_be_wiped(
    server: Server, house: House, series: str
) -> None:
    asha, bela = await phone(server, house, "d1"), await phone(server, house, "d2")
    await leased(house, asha, 3)
    now = datetime.now(UTC)

    assert await reclaim_late(house.database, now + timedelta(days=LEASE_DAYS - 1)) == 0
    assert await reclaim_late(house.database, now + timedelta(days=LEASE_DAYS + 1)) == 1
    await leased(house, bela, 2)
    await wipe.order(house.database, house.org_id, "d2", by=asha, immediately=False)

    why = await house.fetch("SELECT state, why FROM number_block ORDER BY first")
    assert [tuple(row) for row in why] == [("reclaimed", "late"), ("reclaimed", "wipe_ordered")]
    again = await leased(house, asha, 3)
    assert [(block.first, block.last) for block in again.blocks] == [(6, 8)]


async def test_unused_numbers_come_back_and_are_accounted_for(server: Server, house: House, series: str) -> None:
    asha = await phone(server, house, "d1")
    block = (await leased(house, asha, 10)).blocks[0]
    await house.push(asha, await house.clock(), created(trade("a", "RJK/T0001")))

    await give_back(house.database, asha, {block.id: 3})
    await give_back(house.database, asha, {block.id: 3})

    assert await explained(house) == [(1, 1, "used"), (2, 2, "leased"), (3, 10, "returned")]
    await house.push(asha, await house.clock(), created(trade("b", "RJK/T0002")))
    assert await explained(house) == [(1, 1, "used"), (2, 2, "used"), (3, 10, "returned")]


# --- The office -------------------------------------------------------------------------------------------------------


async def test_office_is_given_numbers_beside_leases_and_may_not_set_the_series_back(
    server: Server, house: House, series: str
) -> None:
    clerk, asha = await at_desk(server, house, "agent1"), await phone(server, house, "d1")
    await leased(house, asha, 5)

    made = await clerk.ask("POST", "/trades", {**trade("a", None), "number": None})
    back = await clerk.ask("PATCH", "/document_series/s1", {"next_number": 3})
    on = await clerk.ask("PATCH", "/document_series/s1", {"next_number": 10})

    assert (made.status, made.json["number"]) == (201, "RJK/T0006")
    assert (back.status, back.reasons) == (422, ["number_given_out"])
    assert on.status == 200, on.json
    assert await explained(house) == [(1, 5, "leased"), (6, 6, "used"), (7, 9, "unexplained")]


async def test_series_set_back_during_leases_is_refused_whoever_comes_first(
    server: Server, house: House, series: str
) -> None:
    clerk = await at_desk(server, house, "agent1")
    phones = [await phone(server, house, f"d{n}") for n in range(12)]

    patching = asyncio.create_task(clerk.ask("PATCH", "/document_series/s1", {"next_number": 2}))
    leases = await asyncio.gather(*(leased(house, one, 3) for one in phones))
    patched = await patching

    taken = [number for one in leases for number in numbers_of(one)]
    assert len(set(taken)) == len(taken) == 36
    assert patched.status in (200, 422)


async def issue(clerk: Clerk, id: str) -> Any:
    return await clerk.ask(
        "PATCH", f"/invoices/{id}", {"state": "issued", "invoice_date": "2026-11-20", "due_date": "2026-12-20"}
    )


async def test_invoices_are_numbered_without_gaps_when_they_are_issued(
    server: Server, house: House, series: str
) -> None:
    clerk = await at_desk(server, house, "agent1")
    head = {"branch_id": "b1", "buyer_id": "p2", "seller_id": "p1"}
    place = {"supplier_state": "Gujarat", "place_of_supply": "Kerala"}
    line = {"position": 1, "description": "Bales", "quantity": 3, "rate_amount": 100, "tax_pct": 5}
    for n in range(9):
        assert (await clerk.ask("POST", "/invoices", {"id": f"i{n}", **head, **place})).status == 201
        if n % 3:
            assert (await clerk.ask("POST", "/invoice_lines", {"invoice_id": f"i{n}", **line})).status == 201
    own = await clerk.ask("PATCH", "/invoices/i1", {"number": "X-1", "invoice_date": "2026-11-20"})

    answers = await asyncio.gather(*(issue(clerk, f"i{n}") for n in range(9)))

    assert own.reasons == ["number_by_server"]
    assert [answer.status for answer in answers] == [422, 200, 200] * 3
    assert sorted(a.json["number"] for a in answers if a.status == 200) == [f"RJK/I{n:04d}" for n in range(1, 7)]
    assert [what for _, _, what in await explained(house, "s2")] == ["used"] * 6


# --- Over HTTP --------------------------------------------------------------------------------------------------------


async def test_leases_returns_and_the_report_over_http(server: Server, house: House, series: str) -> None:
    clerk = await at_desk(server, house, "agent1")
    wanted = {"kind": "trade", "branch_id": "b1", "count": 5}

    first = await clerk.ask("POST", "/numbers/lease", wanted, Idempotency_Key="k1")
    again = await clerk.ask("POST", "/numbers/lease", wanted, Idempotency_Key="k1")
    block = first.json["blocks"][0]
    back = await clerk.ask("POST", "/numbers/return", {"blocks": {block["id"]: 3}})
    page = await clerk.ask("GET", "/series/s1/numbers?limit=3")
    rest = await clerk.ask("GET", f"/series/s1/numbers?after={page.json['next']}")

    assert (first.status, first.json) == (200, again.json)
    assert (first.json["series"]["prefix"], block["first"], block["last"]) == ("RJK/T", 1, 5)
    assert back.status == 204
    stretches = [(one["first"], one["last"], one["what"]) for one in page.json["numbers"]]
    assert stretches == [(1, 2, "leased"), (3, 3, "returned")]
    assert [(one["first"], one["last"]) for one in rest.json["numbers"]] == [(4, 5)]
    assert rest.json["next"] is None


async def test_a_gap_is_given_a_reason_once_and_only_where_no_document_is(
    server: Server, house: House, series: str
) -> None:
    clerk = await at_desk(server, house, "agent1")
    await clerk.ask("PATCH", "/document_series/s1", {"next_number": 5})
    await clerk.ask("POST", "/trades", trade("a", None))

    torn = await clerk.ask("POST", "/series/s1/gaps", {"first": 2, "last": 3, "reason": "torn out"})
    wrong = [
        await clerk.ask("POST", "/series/s1/gaps", {"first": first, "last": last, "reason": "no"})
        for first, last in ((3, 3), (5, 5), (6, 6), (4, 3))
    ]

    assert (torn.status, torn.json["by"]) == (201, "agent1")
    assert [answer.status for answer in wrong] == [422] * 4
    assert await explained(house) == [(1, 1, "unexplained"), (2, 3, "voided"), (4, 4, "unexplained"), (5, 5, "used")]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/numbers/lease", {"kind": "invoice", "branch_id": "b1", "count": 1}),
        ("/numbers/lease", {"kind": "trade", "branch_id": "b1", "count": 201}),
        ("/numbers/lease", {"kind": "trade", "branch_id": "nowhere", "count": 1}),
        ("/numbers/lease", {"kind": "trade", "branch_id": "b1", "count": 1, "on": "2020-01-01"}),
        ("/numbers/lease", {"kind": "trade", "branch_id": "b1"}),
        ("/numbers/return", {"blocks": []}),
        ("/series/none/gaps", {"first": 1, "last": 1, "reason": "x"}),
    ],
)
async def test_what_makes_no_sense_has_no_effect(
    server: Server, house: House, series: str, path: str, body: dict[str, Any]
) -> None:
    clerk = await at_desk(server, house, "agent1")

    answer = await clerk.ask("POST", path, body)

    assert answer.status in (404, 422), answer.json
    assert await house.one("SELECT count(*) FROM number_block") == 0


@pytest.mark.parametrize("again", range(3))
async def test_after_any_history_no_number_is_double_and_each_is_explained(
    server: Server, house: House, series: str, seed: int, again: int
) -> None:
    draw = Random(f"{seed}/{again}")
    clerk, phones = await at_desk(server, house, "agent1"), [await phone(server, house, f"d{n}") for n in range(3)]
    hands: dict[str, list[str]] = {}
    for step in range(30):
        actor = draw.choice(phones)
        match draw.choice(("lease", "push", "push", "office", "late", "revoke", "stray")):
            case "lease":
                hands.setdefault(actor.device_id, []).extend(numbers_of(await leased(house, actor, draw.randint(1, 4))))
            case "push" if hands.get(actor.device_id):
                number = draw.choice(hands[actor.device_id])
                await house.push(actor, await house.clock(), created(trade(f"r{step}", number)))
            case "office":
                assert (await clerk.ask("POST", "/trades", trade(f"r{step}", None))).status == 201
            case "late":
                await reclaim_late(house.database, datetime.now(UTC) + timedelta(days=LEASE_DAYS + 1))
            case "revoke":
                await number_blocks_end(house, actor)
            case "stray":
                await house.push(actor, await house.clock(), created(trade(f"r{step}", "RJK/T0777")))

    numbers = (await numbered(house)).values()
    assert len(set(numbers)) == len(numbers)
    assert "RJK/T0777" not in numbers
    report = await explained(house)
    last = await house.one("SELECT next_number - 1 FROM document_series WHERE id = 's1'")
    assert [n for first, end, _ in report for n in range(first, end + 1)] == list(range(1, last + 1))
    assert "unexplained" not in {what for _, _, what in report}
    used = {f"RJK/T{n:04d}" for first, end, what in report if what == "used" for n in range(first, end + 1)}
    assert used == set(numbers)


async def number_blocks_end(house: House, actor: Actor) -> None:
    """End the leases of a device, as shutting it out does."""
    async with house.database.acquire(house.org_id) as connection:
        await number_blocks.reclaim_of_device(connection, house.org_id, actor.device_id, devices.DEVICE_REVOKED)


# --- Planted bugs -----------------------------------------------------------------------------------------------------


async def _forgets(*_: object) -> list[Any]:
    return []


def _gives_to_refused(self: Numbering) -> dict[str, list[tuple[int, Wish]]]:
    given = {id: list(zip(free, self.wishes, strict=False)) for id, free in self.free.items()}
    for id, pairs in given.items():
        for n, wish in pairs:
            wish.draft.after = {**(wish.draft.after or {}), "number": written(self.held[id], n)}
    return given


@pytest.mark.parametrize(
    ("where", "what", "bug", "promise"),
    [
        (number_blocks, "open_blocks", _forgets, test_lost_answer_loses_no_numbers),
        (number_blocks, "reclaim_of_device", _forgets, test_leases_end_when_they_are_late_or_the_device_is_to_be_wiped),
        (
            *(numbering, "SET_FREE", ()),
            test_number_of_a_reclaimed_block_is_kept_while_it_is_free_and_else_made_anew,
        ),
        (Numbering, "give", _gives_to_refused, test_refused_document_leaves_no_gap_between_those_that_came_with_it),
    ],
)
async def test_a_planted_bug_is_noticed(
    server: Server,
    house: House,
    series: str,
    monkeypatch: pytest.MonkeyPatch,
    where: object,
    what: str,
    bug: object,
    promise: Any,
) -> None:
    monkeypatch.setattr(where, what, bug)

    with pytest.raises(AssertionError):
        await promise(server, house, series)
