"""Through the engine: what is paid and what is outstanding add up to what was invoiced, whatever is allocated or taken back."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sync_server.store.database import Database
from tests.harness.office import Clerk, at_desk
from tests.harness.servers import Server
from tests.harness.world import House

INVOICE = {
    "branch_id": "b1",
    "buyer_id": "p",
    "seller_id": "q",
    "supplier_state": "Gujarat",
    "place_of_supply": "Kerala",
}
LINE = {"position": 1, "description": "Bales", "quantity": 3, "rate_amount": 100, "tax_pct": 5}
ISSUE = {"state": "issued", "invoice_date": "2026-11-20", "due_date": "2026-12-20"}
STEPS = 25


@pytest.fixture
async def house(server: Server, database: Database, tmp_path: Path) -> House:
    settled = await House.settle(database, tmp_path)
    await settled.add_partners("p", "q")
    return settled


@pytest.fixture
async def clerk(server: Server, house: House) -> Clerk:
    return await at_desk(server, house, "agent1")


async def ask(clerk: Clerk, method: str, path: str, body: Any = None, status: int = 201) -> Any:
    answer = await clerk.ask(method, path, body)
    assert answer.status == status, answer.json
    return answer.json


async def issued(clerk: Clerk, id: str, rate: int) -> None:
    await ask(clerk, "POST", "/invoices", {"id": id, "number": id, **INVOICE})
    await ask(clerk, "POST", "/invoice_lines", {"invoice_id": id, **LINE, "rate_amount": rate})
    await ask(clerk, "PATCH", f"/invoices/{id}", ISSUE, 200)


async def test_invoice_is_made_of_its_lines_and_then_never_changes(clerk: Clerk) -> None:
    await ask(clerk, "POST", "/invoices", {"id": "i", "number": "I-1", **INVOICE})
    assert (await clerk.ask("PATCH", "/invoices/i", ISSUE)).json["code"] == "rule_broken"
    await ask(clerk, "POST", "/invoice_lines", {"id": "l1", "invoice_id": "i", **LINE})
    await ask(clerk, "POST", "/invoice_lines", {"id": "l2", "invoice_id": "i", **LINE, "position": 2, "tax_pct": 18})

    invoice = await ask(clerk, "PATCH", "/invoices/i", ISSUE, 200)

    assert (invoice["amount"], invoice["igst_amount"], invoice["cgst_amount"]) == (600, 69, 0)
    assert (invoice["total_amount"], invoice["outstanding_amount"]) == (669, 669)
    for method, path, body in (
        ("PATCH", "/invoices/i", {"due_date": "2027-01-01"}),
        ("PATCH", "/invoices/i", {"state": "draft"}),
        ("DELETE", "/invoices/i", None),
        ("PATCH", "/invoice_lines/l1", {"quantity": 4}),
        ("DELETE", "/invoice_lines/l1", None),
        ("POST", "/invoice_lines", {"invoice_id": "i", **LINE}),
    ):
        assert (await clerk.ask(method, path, body)).status in (409, 422), (method, path)


@pytest.mark.parametrize("again", range(3))
async def test_paid_and_outstanding_are_what_was_invoiced(clerk: Clerk, house: House, seed: int, again: int) -> None:
    draw = Random(f"{seed}/{again}")
    for n in range(3):
        await issued(clerk, f"i{n}", draw.randint(1, 9))
        paid = {
            "payer_id": "p",
            "payee_id": "q",
            "amount": draw.randint(1, 30),
            "mode": "cash",
            "paid_on": "2026-11-20",
        }
        await ask(clerk, "POST", "/payments", {"id": f"y{n}", "branch_id": "b1", **paid})
    taken = 0
    for step in range(STEPS):
        ids = await house.ids("payment_allocations")
        if ids and draw.random() < 0.3:
            await ask(clerk, "DELETE", f"/payment_allocations/{draw.choice(ids)}", None, 204)
        else:
            body = {"payment_id": f"y{draw.randrange(3)}", "invoice_id": f"i{draw.randrange(3)}"}
            answer = await clerk.ask(
                "POST", "/payment_allocations", {"id": f"a{step}", **body, "amount": draw.randint(1, 12)}
            )
            taken += answer.status == 201
            assert answer.status == 201 or answer.json["code"] == "rule_broken", answer.json
        await _adds_up(house)
    assert taken


async def _adds_up(house: House) -> None:
    for table, whole, given, left, via in (
        ("invoices", "total_amount", "paid_amount", "outstanding_amount", "invoice_id"),
        ("payments", "amount", "allocated_amount", "unallocated_amount", "payment_id"),
    ):
        for row in await house.fetch(
            f"SELECT d.*, (SELECT coalesce(sum(a.amount), 0) FROM payment_allocations a WHERE a.{via} = d.id) allocated"
            f" FROM {table} d"
        ):
            assert row[given] == row["allocated"]
            assert row[given] + row[left] == row[whole]
            assert Decimal(0) <= row[left]
