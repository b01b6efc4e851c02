"""What follows from records that are there is drawn up from them: a deal from its lot to its payment (erp_core/makers.py).

Planted at the end: a maker that does not hold what it counts from, and one that leaves out what a rule refused.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from conflict.mutation import Mutation
from erp_core.access import ROLES
from erp_core.makers import MAKERS, Maker
from sync_server.engine import making, papers
from sync_server.engine.singly import Singly
from tests.harness.office import EXAMPLES, Answer, Clerk, at_desk
from tests.harness.servers import Server
from tests.harness.world import House

BUYER, SELLER, BROKER = "buyer", "seller", "broker"
BASES = {"micronaire": {"base": 3.8, "allowance": 0.3, "reject": 1, "down": [{"up_to": 0.5, "percent": 2}]}}
WEIGHT = {"tolerance_pct": 0.5, "packing_kg": 0.9, "moisture_pct": 8.5}


class Deal:
    """A deal on its way: each step asks the server, and fails with what it answered."""

    def __init__(self, clerk: Clerk) -> None:
        self.clerk = clerk

    async def do(self, path: str, body: Any = None, status: int = 201) -> dict[str, Any]:
        answer = await self.clerk.ask("POST", path, body)
        assert answer.status == status, (path, answer.status, answer.json)
        found: dict[str, Any] = answer.json
        return found

    async def read(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.clerk.ask("GET", path)).json
        return found

    async def refused(self, path: str, body: Any = None) -> list[str]:
        return (await self.clerk.ask("POST", path, body)).reasons

    async def lines(self, invoice: str) -> list[dict[str, Any]]:
        listed = await self.read(f"/invoice_lines?invoice_id={invoice}&sort=position")
        found: list[dict[str, Any]] = listed["records"]
        return found

    async def parties(self) -> None:
        """Three approved partners: a buyer in Tamil Nadu, a seller in Gujarat, a broker who is not registered."""
        gstins = {BUYER: "33AAPFU0939F1Z2", SELLER: "24AAPFU0939F1Z1", BROKER: None}
        kinds = {BUYER: "buyer", SELLER: "ginner", BROKER: "broker"}
        for id, gstin in gstins.items():
            body = {"id": id, "branch_id": "b1", "legal_name": id.capitalize(), "kind": json.dumps([kinds[id]])}
            await self.do("/business_partners", body if gstin is None else body | {"gstin": gstin})
            await self.do(f"/business_partners/{id}/submit", status=200)
            await self.do(f"/business_partners/{id}/approve", status=200)

    async def matched(self) -> str:
        """A lot and a requirement that meet; gives their match."""
        lot = {**EXAMPLES["availabilities"][0], "id": "lot", "seller_id": SELLER}
        need = {**EXAMPLES["requirements"][0], "id": "need", "buyer_id": BUYER, "bales_min": 50, "bales_max": 100}
        await self.do("/availabilities", lot)
        await self.do("/requirements", need)
        await self.do("/availabilities/lot/publish", status=200)
        await self.do("/requirements/need/publish", status=200)
        match: str = (await self.do("/availabilities/lot/match"))["id"]
        return match

    async def agreed(self) -> str:
        """A negotiation that came to an agreement: 100 bales at 62 000; gives it."""
        talk = await self.do(
            f"/matches/{await self.matched()}/negotiate",
            {"offered_by": "buyer", "price_per_candy": 61_000, "bales": 100},
        )
        (bid,) = (await self.read(f"/offers?negotiation_id={talk['id']}"))["records"]
        counter = await self.do(f"/offers/{bid['id']}/counter", {"price_per_candy": 62_000})
        await self.do(f"/offers/{counter['id']}/accept", status=200)
        id: str = talk["id"]
        return id

    async def confirmed(self, **terms: Any) -> str:
        """A confirmed trade of it; gives the trade."""
        sent = {"broker_id": BROKER, "brokerage_pct": 0.5, **terms}
        trade = await self.do(f"/negotiations/{await self.agreed()}/contract", sent)
        await self.do(f"/trades/{trade['id']}/confirm", status=200)
        id: str = trade["id"]
        return id

    async def lorry(self, trade: str, bales: int, **slip: float) -> str:
        """A lorry of the trade that arrived, and its slip of the weighbridge; gives the lorry."""
        id: str = (await self.do(f"/trades/{trade}/schedule", {"bales": bales, "vehicle_number": "GJ03AB1234"}))["id"]
        for step in ("load", "depart", "deliver"):
            await self.do(f"/dispatches/{id}/{step}", status=200)
        if slip:
            await self.do("/weighments", {"dispatch_id": id, "slip_number": "17", **slip})
        return id

    async def inspection(self, trade: str, **readings: float) -> str:
        """An accepted inspection; gives it."""
        body = {"trade_id": trade, "inspected_at": 1_795_000_000_000, **readings}
        id: str = (await self.do("/quality_inspections", body))["id"]
        await self.do(f"/quality_inspections/{id}/submit", status=200)
        await self.do(f"/quality_inspections/{id}/accept", status=200)
        return id


@pytest.fixture
async def deal(clerk: Clerk) -> Deal:
    made = Deal(clerk)
    await made.parties()
    return made


# --- One lot, from the offer to the money -------------------------------------------------------------------------------


async def test_one_lot_is_traded_from_availability_to_payment(deal: Deal) -> None:
    trade = await deal.confirmed(quality_bases=json.dumps(BASES), weight_terms=json.dumps(WEIGHT))
    agreed = await deal.read(f"/trades/{trade}")
    assert (agreed["bales"], agreed["price_per_candy"], agreed["buyer_id"]) == (100, 62_000, BUYER)
    assert (await deal.read("/availabilities/lot"))["bales_reserved"] == 100
    assert (await deal.read("/requirements/need"))["state"] == "fulfilled"
    await deal.do(f"/trades/{trade}/begin_delivery", status=200)
    await deal.inspection(trade, micronaire=3.25, moisture_pct=9.5)
    await deal.lorry(trade, 100, gross_kg=26_540, tare_kg=9_450)

    bill = await deal.do(f"/trades/{trade}/invoice")

    lines = {line["description"].split()[0]: line for line in await deal.lines(bill["id"])}
    assert [line["position"] for line in lines.values()] == [1, 2, 3]
    goods, weight, quality = lines.values()
    assert (goods["quantity"], goods["rate_amount"], goods["rate_quantity"]) == (17_000, 62_000, 355.62)
    # 26 540 less 9 450 less 90 of packing, dried from 9.5 to 8.5 %: 16 814.21 kg, and 85 kg of the difference are free.
    assert (goods["amount"], weight["amount"], quality["amount"]) == (2_963_837.80, -17_572.07, -58_925.31)
    assert bill["amount"] == 2_887_340.42
    assert (bill["igst_amount"], bill["cgst_amount"]) == (144_367.02, 0)
    stands = await deal.read(f"/trades/{trade}/settlement")
    assert (stands["supplied_amount"], stands["billed_amount"]) == (bill["amount"], bill["amount"])
    assert stands["accounts"][0]["balance"] == bill["total_amount"]
    assert stands["accounts"][1]["lines"] == [{"what": "brokerage", "amount": 7_409.60}]

    numbered = {"number": "RJK/26-27/1", "invoice_date": "2026-11-24", "due_date": "2026-12-24"}
    await deal.do(f"/invoices/{bill['id']}/issue", numbered, status=200)
    paid = await deal.do(f"/invoices/{bill['id']}/pay", {"mode": "cash", "amount": 1_000_000})
    assert (paid["payer_id"], paid["payee_id"], paid["unallocated_amount"]) == (BUYER, SELLER, 0)
    rest = await deal.do(f"/invoices/{bill['id']}/pay", {"mode": "rtgs", "reference": "UTR17"})
    assert rest["amount"] == round(bill["total_amount"] - 1_000_000, 2)
    assert await deal.refused(f"/invoices/{bill['id']}/pay", {"mode": "cash"}) == ["nothing_due"]
    settled = await deal.do(f"/trades/{trade}/settle", status=200)
    assert settled["state"] == "completed"
    stands = await deal.read(f"/trades/{trade}/settlement")
    assert (stands["accounts"][0]["balance"], stands["due_amount"], stands["lorries_unbilled"]) == (0, 0, 0)


async def test_lines_and_tax_of_what_is_settled_add_up_to_the_invoices(deal: Deal) -> None:
    trade = await deal.confirmed(quality_bases=json.dumps(BASES))
    await deal.do(f"/trades/{trade}/begin_delivery", status=200)
    await deal.lorry(trade, 60, gross_kg=19_000, tare_kg=9_000)
    first = await deal.do(f"/trades/{trade}/invoice")
    await deal.lorry(trade, 40)
    await deal.inspection(trade, micronaire=3.3)

    await deal.do(f"/trades/{trade}/settle", status=200)

    bills = (await deal.read(f"/invoices?trade_id={trade}"))["records"]
    stands = await deal.read(f"/trades/{trade}/settlement")
    assert len(bills) == 2
    assert first["amount"] > 0
    assert round(sum(bill["amount"] for bill in bills), 2) == stands["billed_amount"] == stands["supplied_amount"]
    last = await deal.lines(next(bill["id"] for bill in bills if bill["id"] != first["id"]))
    assert last[-1]["description"].startswith("Weights and quality found out")
    for account in stands["accounts"]:
        assert round(sum(line["amount"] for line in account["lines"]), 2) == account["balance"]


# --- Each lorry once, each agreement once --------------------------------------------------------------------------------


async def test_lorry_is_billed_once_however_many_ask_at_once(deal: Deal) -> None:
    trade = await deal.confirmed()
    await deal.lorry(trade, 10)

    answers = await asyncio.gather(*(deal.clerk.ask("POST", f"/trades/{trade}/invoice") for _ in range(4)))

    assert sorted(answer.status for answer in answers) == [201, 422, 422, 422]
    assert {code for answer in answers if answer.status == 422 for code in answer.reasons} == {"nothing_to_bill"}


async def test_lorry_of_another_invoice_is_not_billed_by_hand_either(deal: Deal) -> None:
    trade = await deal.confirmed()
    lorry = await deal.lorry(trade, 10)
    bill = await deal.do(f"/trades/{trade}/invoice")
    head = {
        name: bill[name]
        for name in ("branch_id", "trade_id", "buyer_id", "seller_id", "supplier_state", "place_of_supply")
    }
    other = (await deal.do("/invoices", head))["id"]
    line = {
        "invoice_id": other,
        "position": 1,
        "description": "Again",
        "quantity": 1,
        "rate_amount": 1,
        "dispatch_id": lorry,
    }

    assert await deal.refused("/invoice_lines", line) == ["billed_already"]
    await deal.do(f"/invoices/{bill['id']}/cancel", status=200)
    await deal.do("/invoice_lines", line)


async def test_negotiation_becomes_one_trade(deal: Deal) -> None:
    talk = await deal.agreed()
    answers = await asyncio.gather(*(deal.clerk.ask("POST", f"/negotiations/{talk}/contract", {}) for _ in range(3)))

    assert sorted(answer.status for answer in answers) == [201, 422, 422]
    assert (await deal.read("/availabilities/lot"))["bales_reserved"] == 100
    (made,) = (await deal.read(f"/trades?negotiation_id={talk}"))["records"]
    await deal.do(f"/trades/{made['id']}/cancel", status=200)
    again = await deal.do(f"/negotiations/{talk}/contract", {"reserve": False})
    assert again["state"] == "draft"


async def test_two_contracts_at_once_reserve_both_on_one_lot(deal: Deal, house: House) -> None:
    first = await deal.agreed()
    talk = await deal.read(f"/negotiations/{first}")
    await house.run("UPDATE offers SET bales = 40; UPDATE requirements SET bales_max = 900")
    copies = []
    for n in range(2):
        body = {name: talk[name] for name in ("branch_id", "availability_id", "buyer_id", "seller_id", "commodity_id")}
        id = (await deal.do("/negotiations", {"id": f"talk{n}", **body}))["id"]
        offer = {"negotiation_id": id, "offered_by": "buyer", "price_per_candy": 60_000, "bales": 30}
        made = await deal.do("/offers", offer)
        await deal.do(f"/offers/{made['id']}/accept", status=200)
        copies.append(id)

    answers = await asyncio.gather(*(deal.clerk.ask("POST", f"/negotiations/{id}/contract", {}) for id in copies))

    assert [answer.status for answer in answers] == [201, 201]
    assert (await deal.read("/availabilities/lot"))["bales_reserved"] == 60


async def test_what_is_made_again_under_its_key_is_made_once(deal: Deal) -> None:
    match = await deal.matched()
    ask = ("POST", f"/matches/{match}/negotiate", {"offered_by": "seller", "price_per_candy": 62_000, "bales": 60})

    first, second = [await deal.clerk.ask(*ask, Idempotency_Key="k1") for _ in range(2)]

    assert (first.status, second.status) == (201, 201)
    assert first.json == second.json
    assert first.headers["Location"] == f"/api/v1/negotiations/{first.json['id']}"
    assert len((await deal.read("/negotiations?availability_id=lot"))["records"]) == 1
    assert len((await deal.read(f"/offers?negotiation_id={first.json['id']}"))["records"]) == 1


# --- Payments -----------------------------------------------------------------------------------------------------------


async def test_payment_settles_the_oldest_debts_first(deal: Deal) -> None:
    bills = []
    for n, due in enumerate(("2026-12-20", "2026-12-10", "2026-12-30")):
        head = {"branch_id": "b1", "buyer_id": BUYER, "seller_id": SELLER, "supplier_state": "Gujarat"}
        bill = (await deal.do("/invoices", {**head, "place_of_supply": "Gujarat"}))["id"]
        line = {"invoice_id": bill, "position": 1, "description": "Lint", "quantity": 1, "rate_amount": 100}
        await deal.do("/invoice_lines", line)
        await deal.do(f"/invoices/{bill}/issue", {"number": f"{n}", "invoice_date": "2026-11-24", "due_date": due}, 200)
        bills.append(bill)
    sent = {"branch_id": "b1", "payer_id": BUYER, "payee_id": SELLER, "mode": "cash", "paid_on": "2026-11-20"}
    payment = (await deal.do("/payments", {**sent, "amount": 150}))["id"]

    done = await deal.do(f"/payments/{payment}/allocate", status=200)

    left = [(await deal.read(f"/invoices/{bill}"))["outstanding_amount"] for bill in bills]
    assert (done["unallocated_amount"], left) == (0, [50, 0, 100])
    assert await deal.refused(f"/payments/{payment}/allocate") == ["nothing_due"]


# --- What is not there yet, what is not for everybody --------------------------------------------------------------------


async def test_nothing_is_invoiced_while_its_price_is_open(deal: Deal) -> None:
    trade = await deal.confirmed(quality_bases=json.dumps(BASES))
    assert await deal.refused(f"/trades/{trade}/invoice") == ["nothing_to_bill"]
    await deal.lorry(trade, 10)
    body = {"trade_id": trade, "inspected_at": 1_795_000_000_000, "micronaire": 2.5}
    grading = (await deal.do("/quality_inspections", body))["id"]
    await deal.do(f"/quality_inspections/{grading}/submit", status=200)
    assert await deal.refused(f"/trades/{trade}/invoice") == ["inspection_open"]
    await deal.do(f"/quality_inspections/{grading}/accept", status=200)

    assert await deal.refused(f"/trades/{trade}/invoice") == ["lot_rejected"]
    assert (await deal.read(f"/trades/{trade}/settlement"))["rejected"] is True


async def test_trade_is_settled_once_its_lorries_have_arrived(deal: Deal) -> None:
    trade = await deal.confirmed()
    await deal.do(f"/trades/{trade}/begin_delivery", status=200)
    assert await deal.refused(f"/trades/{trade}/settle") == ["nothing_to_bill"]
    planned = (await deal.do(f"/trades/{trade}/schedule"))["id"]
    assert (await deal.read(f"/dispatches/{planned}"))["bales"] == 100
    assert await deal.refused(f"/trades/{trade}/schedule") == ["nothing_left"]
    assert await deal.refused(f"/trades/{trade}/settle") == ["lorries_under_way"]


async def test_lorries_to_two_states_are_invoiced_one_by_one(deal: Deal) -> None:
    trade = await deal.confirmed()
    lorries = [await deal.lorry(trade, 10) for _ in range(2)]
    for lorry, state in zip(lorries, ("Gujarat", "Maharashtra"), strict=True):
        place = (await deal.do("/locations", {"name": state, "kind": "mill", "state": state}))["id"]
        await deal.clerk.ask("PATCH", f"/dispatches/{lorry}", {"to_location_id": place})

    assert await deal.refused(f"/trades/{trade}/invoice") == ["several_places"]

    home, away = [await deal.do(f"/trades/{trade}/invoice", {"dispatch_id": lorry}) for lorry in lorries]
    assert home["cgst_amount"] >= home["sgst_amount"] > home["igst_amount"] == 0
    assert away["igst_amount"] > away["cgst_amount"] == 0


async def test_match_of_a_requirement_names_what_is_not_matched_yet(deal: Deal) -> None:
    await deal.matched()

    assert await deal.refused("/availabilities/lot/match") == ["nothing_fits"]
    await deal.do("/requirements/need/match")
    matches = (await deal.read("/matches?requirement_id=need"))["records"]
    assert sorted(match["availability_id"] for match in matches) == ["l1", "lot"]
    assert await deal.refused("/requirements/need/match") == ["nothing_fits"]


@pytest.mark.parametrize("role", ["grader", "agent", "dispatcher", "accountant", "external_buyer", "auditor"])
async def test_maker_is_for_who_may_make_it_and_sees_what_it_is_made_of(
    server: Server, house: House, deal: Deal, role: str
) -> None:
    trade = await deal.confirmed()
    await deal.lorry(trade, 10)
    held = {"partner_id": BUYER} if ROLES[role].external else {"branch_id": "b1"}
    await house.employ("newcomer", role, **held)
    other = await at_desk(server, house, "newcomer")
    codes = set(ROLES[role].codes)

    for name in ("invoice", "propose", "schedule"):
        maker = next(m for m in MAKERS if (m.entity.name, m.name) == ("trade", name))
        body = {"proposed": '{"bales": 90}', "reason": "Less"} if name == "propose" else {}
        answer = await other.ask("POST", f"/trades/{trade}/{name}", body)
        may = bool(codes & set(maker.needs)) and bool(codes & set(maker.reads))
        assert (answer.status == 201) is may, (role, name, answer.json)
    stands = await other.ask("GET", f"/trades/{trade}/settlement")
    assert (stands.status == 200) is ("desk.read" in codes)


async def test_what_is_elsewhere_is_not_there(server: Server, house: House, deal: Deal) -> None:
    trade = await deal.confirmed()
    await deal.lorry(trade, 10)
    await house.employ("newcomer", "manager", branch_id="b2")
    elsewhere = await at_desk(server, house, "newcomer")

    for ask in (("POST", f"/trades/{trade}/invoice"), ("GET", f"/trades/{trade}/settlement")):
        answer = await elsewhere.ask(*ask)
        none = await elsewhere.ask(ask[0], ask[1].replace(trade, "nobody"))
        assert (answer.status, answer.json["code"]) == (none.status, none.json["code"]) == (404, "not_found")


@pytest.mark.parametrize("maker", MAKERS, ids=lambda m: f"{m.entity.name}.{m.name}")
async def test_maker_is_refused_in_any_other_state(clerk: Clerk, house: House, maker: Maker) -> None:
    body: dict[str, Any] = {
        name: value for name, value in EXAMPLES[maker.entity.table][0].items() if name not in ("pan", "gstin", "phone")
    }
    made = await clerk.ask("POST", f"/{maker.entity.table}", {"id": "one", **body})
    assert made.status == 201, made.json
    others = [s for s in maker.entity.machines[maker.machine].words if s not in maker.starts] if maker.starts else []
    sent = {"offered_by": "buyer", "price_per_candy": 1_000, "bales": 1, "proposed": '{"bales": 1}', "reason": "x"}
    needed = {p.name: sent[p.name] for p in maker.parameters if p.required}
    for state in others:
        await house.run(f"UPDATE {maker.entity.table} SET {maker.machine} = '{state}' WHERE id = 'one'")
        answer = await clerk.ask("POST", f"/{maker.entity.table}/one/{maker.name}", needed)
        assert (answer.status, answer.reasons) == (422, ["wrong_state"]), answer.json
        assert " or ".join(maker.starts) in answer.json["reasons"][0]["sentence"]


# --- Nothing half done ---------------------------------------------------------------------------------------------------


async def count(house: House) -> list[int]:
    rows = await house.fetch("SELECT (SELECT count(*) FROM trades), (SELECT count(*) FROM event)")
    return list(rows[0])


async def too_much_is_refused_whole(deal: Deal, house: House) -> Answer:
    talk = await deal.agreed()
    await house.run("UPDATE requirements SET bales_max = 60, bales_fulfilled = 0, state = 'open'")
    before = await count(house)
    answer = await deal.clerk.ask("POST", f"/negotiations/{talk}/contract", {})
    assert answer.status == 422, answer.json
    assert await count(house) == before
    return answer


async def test_one_record_that_is_refused_takes_the_others_with_it(deal: Deal, house: House) -> None:
    answer = await too_much_is_refused_whole(deal, house)

    assert answer.reasons


# --- Planted -------------------------------------------------------------------------------------------------------------


async def test_planted_maker_that_does_not_hold_its_lot_is_found(
    deal: Deal, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, write, first_tries = asyncio.Barrier(2), making._write, iter(range(2))

    async def forget(*_: object) -> None:
        return None

    async def once_both_have_read(unit: Singly, mutations: Sequence[Mutation]) -> None:
        if any(one.table == "trades" for one in mutations) and next(first_tries, None) is not None:
            await both.wait()
        await write(unit, mutations)

    monkeypatch.setattr(papers, "lock", forget)
    monkeypatch.setattr(making, "_write", once_both_have_read)

    with pytest.raises(AssertionError):
        await test_two_contracts_at_once_reserve_both_on_one_lot(deal, house)


async def test_planted_maker_that_keeps_what_was_not_refused_is_found(
    deal: Deal, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def one_by_one(unit: Singly, mutations: Sequence[Mutation]) -> None:
        await unit.apply(mutations, lambda _: False, careful=False)

    monkeypatch.setattr(making, "_write", one_by_one)

    with pytest.raises(AssertionError):
        await too_much_is_refused_whole(deal, house)


def test_worked_figures_are_what_a_trader_would_write_down() -> None:
    """The figures of the first test, step by step."""
    agreed = Decimal(17_000)
    lint = Decimal(26_540) - Decimal(9_450) - 100 * Decimal("0.9")
    dry = (lint * Decimal("90.5") / Decimal("91.5")).quantize(Decimal("0.01"))
    short = agreed - dry - agreed * Decimal("0.005")
    assert (dry, short) == (Decimal("16814.21"), Decimal("100.79"))
    assert (short * 62_000 / Decimal("355.62")).quantize(Decimal("0.01")) == Decimal("17572.07")
