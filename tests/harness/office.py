"""Somebody at a desk, for tests of REST: asks over HTTP as a user of a house, and keeps every byte of the answers.

Owns: opening the session, and the requests.
Must not know: what an answer should be.
Invariant: nothing is asked without a live session of that user.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from erp_core.catalogue import BY_NAME
from erp_core.language import Field
from erp_core.values import Choice, Day, Document, Flag, Instant, Integer, Number, Reference, Words
from sync_server.store.actor import Actor
from sync_server.web import keys
from tests.harness.servers import Server
from tests.harness.stock import open_session
from tests.harness.world import House


@dataclass(frozen=True)
class Answer:
    """An answer: its status, its JSON (None: no body, or no JSON), its headers."""

    status: int
    json: Any
    headers: Mapping[str, str]

    @property
    def reasons(self) -> list[str]:
        """The reason codes of a refusal."""
        return [reason["code"] for reason in self.json.get("reasons", ())]


@dataclass
class Clerk:
    """A user of a house at a desk; `seen` has the headers and bodies of all answers."""

    server: Server
    actor: Actor
    headers: Mapping[str, str] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Ask below /api/v1; a header's underscores stand for hyphens."""
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with self.server.session.request(method, f"/api/v1{path}", json=body, headers=sent) as answer:
            text = await answer.text()
            self.seen += [str(answer.headers), text]
            is_json = answer.content_type.endswith("json") and "ndjson" not in answer.content_type
            return Answer(answer.status, json.loads(text) if text and is_json else None, answer.headers)


async def at_desk(server: Server, house: House, user: str, session: str = "") -> Clerk:
    """Open a session for `user` and seat them."""
    actor = house.actor(user, session or f"desk-of-{user}")
    await open_session(server, actor)
    assert server.app is not None
    return Clerk(server, actor, {"Authorization": f"Bearer {server.app[keys.TOKENS].issue(actor)}"})


# --- A record of every entity -----------------------------------------------------------------------------------------

EXAMPLES: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # table -> (what makes a record, what changes it); partners p1 and p2, the lot l1, the trade t1 and the year fy1 are there
    "branches": ({"code": "NGP", "name": "Nagpur", "state": "Maharashtra"}, {"name": "Nagpur East"}),
    "users": ({"username": "neha", "name": "Neha"}, {"language": "gu"}),
    "roles": ({"title": "Clerk", "codes": '["desk.read"]'}, {"title": "Head clerk"}),
    "financial_years": (
        {"organisation_id": "org_a", "name": "2027-28", "starts_on": "2027-04-01", "ends_on": "2028-03-31"},
        {"is_closed": True},
    ),
    "document_series": (
        {"branch_id": "b1", "kind": "trade", "financial_year_id": "fy1", "prefix": "RJK/T", "width": 5},
        {"prefix": "RJK/26/T"},
    ),
    "organisation_bank_accounts": (
        {"account_name": "House", "account_number": "30012345678", "ifsc": "SBIN0000300"},
        {"bank_name": "State Bank"},
    ),
    "units": (
        {"code": "qtl", "name": "Quintal", "dimension": "mass", "factor_to_base": 100},
        {"name": "Metric quintal"},
    ),
    "locations": ({"name": "Gin 1", "kind": "gin"}, {"address": "Station Road"}),
    "commodities": (
        {"name": "Cotton seed", "category": "cotton_seed", "hsn": "1207", "base_unit_id": "kg", "trade_unit_id": "kg"}
        | {"rate_unit_id": "kg", "gst_rate_pct": 5},
        {"gst_rate_pct": 12},
    ),
    "varieties": ({"commodity_id": "lint", "name": "Shankar-6"}, {"name": "Shankar-8"}),
    "unit_conversions": ({"from_unit_id": "candy", "to_unit_id": "kg", "factor": 355.62}, {"factor": 355.620001}),
    "quality_parameters": ({"commodity_id": "lint", "parameter": "staple_mm"}, {"limit_min": 24}),
    "payment_terms": ({"code": "30D", "name": "30 days", "days": 30}, {"interest_pct": 12}),
    "delivery_terms": ({"code": "EXG", "name": "Ex gin"}, {"loading_included": True}),
    "weighment_terms": ({"code": "GIN", "name": "At the gin", "weighed_at": "seller"}, {"tolerance_pct": 0.5}),
    "passing_terms": ({"code": "HVI", "name": "By HVI", "passed_at": "laboratory"}, {"days": 5}),
    "trade_types": ({"code": "DOM", "name": "Domestic"}, {"tax_included": True}),
    "bargain_types": ({"code": "FIX", "name": "Fixed", "price_kind": "fixed"}, {"price_kind": "on_call"}),
    "commission_structures": (
        {"code": "USUAL", "name": "Usual", "slabs": '{"slabs": [{"rate": 0.5, "above": 0}]}'},
        {"seller_share": 2},
    ),
    "business_partners": ({"branch_id": "b1", "legal_name": "Anew", "kind": '["buyer"]'}, {"remarks": "pays at once"}),
    "grants": ({"user_id": "agent2", "role_id": "agent"}, {"valid_until": 1_900_000_000_000}),
    "partner_locations": ({"partner_id": "p1", "kind": "gin"}, {"address": "Highway 27"}),
    "partner_contacts": ({"partner_id": "p1", "kind": "other", "name": "Hetal"}, {"name": "Hetal S"}),
    "partner_documents": ({"partner_id": "p1", "kind": "licence", "number": "17"}, {"valid_until": "2027-03-31"}),
    "partner_vehicles": ({"partner_id": "p1", "vehicle_number": "GJ03BT4471"}, {"capacity_kg": 17_000}),
    "partner_bank_accounts": (
        {"partner_id": "p1", "account_name": "P1", "account_number": "50100123456789", "ifsc": "HDFC0000001"},
        {"bank_name": "HDFC Bank"},
    ),
    "availabilities": (
        {"branch_id": "b1", "seller_id": "p1", "commodity_id": "lint", "crop_year": "2026-27", "bales_offered": 100}
        | {"asking_price_per_candy": 62_000},
        {"asking_price_per_candy": 61_500},
    ),
    "requirements": (
        {"branch_id": "b1", "buyer_id": "p2", "commodity_id": "lint", "bales_min": 10, "bales_max": 20},
        {"bales_max": 30},
    ),
    "trades": (
        {"branch_id": "b1", "buyer_id": "p2", "seller_id": "p1", "commodity_id": "lint", "bales": 50}
        | {"price_per_candy": 62_500.5, "trade_date": "2026-11-20"},
        {"remarks": "by phone"},
    ),
    "quality_inspections": ({"availability_id": "l1"}, {"lot_number": "17"}),
    "dispatches": ({"trade_id": "t1", "bales": 10}, {"vehicle_number": "GJ03AB1234"}),
    "matches": ({"availability_id": "l1", "requirement_id": "r1"}, {"is_dismissed": True}),
    "negotiations": (
        {"branch_id": "b1", "buyer_id": "p2", "seller_id": "p1", "commodity_id": "lint"},
        {"valid_until": "2099-12-31"},
    ),
    "offers": (
        {"negotiation_id": "n1", "offered_by": "buyer", "price_per_candy": 61_000, "bales": 50},
        {"answered_by": "seller"},
    ),
    "amendments": (
        {"trade_id": "t1", "proposed": '{"bales": 40}', "reason": "Agreed by telephone"},
        {"reason": "Agreed in writing"},
    ),
    "samples": ({"availability_id": "l1"}, {"seal_number": "17"}),
    "weighments": (
        {"dispatch_id": "d1", "slip_number": "17", "gross_kg": 17_000, "tare_kg": 9_800},
        {"weighed_at": 1_795_000_000_000},
    ),
    "invoices": (
        {"branch_id": "b1", "buyer_id": "p2", "seller_id": "p1"}
        | {"supplier_state": "Gujarat", "place_of_supply": "Tamil Nadu"},
        {"due_date": "2026-12-31"},
    ),
    "invoice_lines": (
        {"invoice_id": "v1", "position": 1, "description": "Bales", "quantity": 3, "rate_amount": 100.5, "tax_pct": 5},
        {"quantity": 4},
    ),
    "payments": (
        {"branch_id": "b1", "payer_id": "p2", "payee_id": "p1", "amount": 100, "mode": "cash", "paid_on": "2026-11-20"},
        {"reference": "17"},
    ),
    "payment_allocations": ({"payment_id": "y1", "invoice_id": "v2", "amount": 10}, {"remarks": "in part"}),
    "attachments": (
        {"partner_id": "p1", "sha256": "5a" * 32, "size_bytes": 1000, "media_type": "image/jpeg"},
        {"kind": "document"},
    ),
    "visits": ({"branch_id": "b1", "agent_id": "agent1", "partner_id": "p1"}, {"purpose": "See the lot"}),
    "tasks": ({"branch_id": "b1", "title": "Call", "assignee_id": "agent1"}, {"due_on": "2026-12-01"}),
    "settings": ({"scope": "org", "scope_id": "org_a", "key": "dispatch.printer", "value": "1"}, {"value": "2"}),
}


async def furnish(house: House) -> None:
    """Insert, by plain SQL, what the examples name."""
    await house.add_partners("p1", "p2")
    await house.run(f"""
      UPDATE business_partners SET state = 'approved' WHERE org_id = '{house.org_id}';
      INSERT INTO availabilities (org_id, id, branch_id, seller_id, commodity_id, crop_year, bales_offered,
          asking_price_per_candy, state)
        VALUES ('{house.org_id}', 'l1', 'b1', 'p1', 'lint', '2026-27', 100, 62000, 'active');
      INSERT INTO trades (org_id, id, branch_id, buyer_id, seller_id, commodity_id, bales, price_per_candy, trade_date, state)
        VALUES ('{house.org_id}', 't1', 'b1', 'p2', 'p1', 'lint', 50, 62000, '2026-11-20', 'confirmed');
      INSERT INTO requirements (org_id, id, branch_id, buyer_id, commodity_id, bales_min, bales_max, state)
        VALUES ('{house.org_id}', 'r1', 'b1', 'p2', 'lint', 10, 20, 'open');
      INSERT INTO negotiations (org_id, id, branch_id, buyer_id, seller_id, commodity_id)
        VALUES ('{house.org_id}', 'n1', 'b1', 'p2', 'p1', 'lint');
      INSERT INTO dispatches (org_id, id, trade_id, bales) VALUES ('{house.org_id}', 'd1', 't1', 1);
      INSERT INTO invoices (org_id, id, branch_id, buyer_id, seller_id, supplier_state, place_of_supply, total_amount, state)
        VALUES ('{house.org_id}', 'v1', 'b1', 'p2', 'p1', 'Gujarat', 'Gujarat', 0, 'draft'),
          ('{house.org_id}', 'v2', 'b1', 'p2', 'p1', 'Gujarat', 'Gujarat', 500, 'issued');
      INSERT INTO payments (org_id, id, branch_id, payer_id, payee_id, amount, mode, paid_on)
        VALUES ('{house.org_id}', 'y1', 'b1', 'p2', 'p1', 100, 'cash', '2026-11-20');
      INSERT INTO financial_years (org_id, id, organisation_id, name, starts_on, ends_on)
        VALUES ('{house.org_id}', 'fy1', '{house.org_id}', '2026-27', '2026-04-01', '2027-03-31');
      INSERT INTO units (org_id, id, code, name, dimension, factor_to_base)
        VALUES ('{house.org_id}', 'candy', 'candy', 'Candy', 'mass', 355.62) ON CONFLICT (org_id, id) DO NOTHING;
      INSERT INTO notifications (org_id, id, reader_id, kind, title)
        VALUES ('{house.org_id}', 'm1', 'agent1', 'task.assigned', 'You have a new task');
      INSERT INTO sync_issues (org_id, id, author_id, table_name, record_id, kind, operation, reason_code, sentence, state)
        VALUES ('{house.org_id}', 'i1', 'agent1', 'trades', 't9', 'refused', 'updated', 'locked', 'It is fixed.', 'open');
    """)


def values_of(field: Field, ids: Mapping[str, list[str]]) -> Iterator[Any]:
    """Give a few values of a field, in plain form; `ids`: table -> the ids that a reference may name."""
    match field.type:
        case Reference(entity=target):
            yield from ids[BY_NAME[target].table]
        case Choice(words=words):
            yield from words
        case Integer(least=least) | Number(least=least):
            yield from (float(least) + 1, float(least) + 2)
        case Flag():
            yield from (True, False)
        case Day():
            yield from ("2026-11-21", "2026-11-22")
        case Instant():
            yield from (1_795_000_000_000, 1_795_000_000_001)
        case Words(allowed=allowed):
            yield from (json.dumps([word]) for word in (allowed or ("one", "two"))[:2])
        case Document():
            yield from ('{"a":"b"}', '{"a":"c"}')
        case _:
            yield from (getattr(field.type, "example", "") or "changed", "changed too")
