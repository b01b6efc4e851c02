"""A world for rules, over dictionaries, that knows what a rule may look at and refuses the rest.

Owns: `RuleWorld`, and rows of every entity that break no rule: a small house of partners, a lot, a trade and its papers.
Must not know: the engine; it judges rules alone.
Invariant: a look-up that the entity does not declare (a Reference of its own row, a Gather) fails the test, because the
engine would not have loaded the row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from erp_core.catalogue import BY_NAME
from erp_core.language import Entity, Violation
from erp_core.values import Row

TODAY: Final = date(2026, 11, 23)
NOON: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)


class RuleWorld:
    """`World` of erp_core/language.py over rows in memory; `looking` is the entity whose rules run."""

    def __init__(self, rows: Mapping[str, Mapping[str, Row]], looking: Entity, today: date = TODAY) -> None:
        self._rows, self._looking, self.today = rows, looking, today
        self.looked_at: set[tuple[str, str]] = set()

    def get(self, entity: str, id: str | None) -> Row | None:
        assert entity in {target for _, target in self._looking.references}, f"no field refers to {entity}"
        return None if id is None else self._rows.get(entity, {}).get(id)

    def siblings(self, entity: str, field: str, id: str | None) -> Sequence[Row]:
        declared = {(gather.entity, gather.field) for gather in self._looking.gathers}
        assert (entity, field) in declared, f"{self._looking.name} declares no Gather({entity!r}, {field!r})"
        self.looked_at.add((entity, field))
        return [row for row in self._rows.get(entity, {}).values() if id is not None and row[field] == id]


class House:
    """Rows by entity and id, as they would be once the unit commits."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, dict[str, Any]]] = {}
        for entity, id, values in _ROWS:
            self.put(entity, id, **values)

    def put(self, entity: str, id: str, **values: Any) -> dict[str, Any]:
        """Store a row: the one that is there, or a new one, with `values`."""
        held = self.rows.setdefault(entity, {})
        held[id] = {**held.get(id, BY_NAME[entity].empty()), **values}
        return held[id]

    def world(self, entity: str) -> RuleWorld:
        return RuleWorld(self.rows, BY_NAME[entity])

    def judge(self, entity: str, id: str, **changes: Any) -> list[Violation]:
        """Change a row, or make it anew if there is none, derive its fields, and give what its rules say."""
        before = self.rows.get(entity, {}).get(id)
        declared = BY_NAME[entity]
        after = self.put(entity, id, **changes)
        if declared.derive is not None:
            after.update(declared.derive(after, self.world(entity)))
        return [v for rule in declared.rules for v in rule({**after, "id": id}, before, self.world(entity))]

    def codes(self, entity: str, id: str, **changes: Any) -> list[str]:
        """As `judge`; the codes only, sorted."""
        return sorted(violation.code for violation in self.judge(entity, id, **changes))

    def judge_new(self, entity: str, like: str, **changes: Any) -> list[str]:
        """Judge a new row that is like an existing one but for `changes`; give the codes, sorted."""
        return self.codes(entity, "new", **{**self.rows[entity][like], **changes})

    def deletion(self, entity: str, id: str) -> list[str]:
        """Give the codes of what speaks against the deletion of a row."""
        row = self.rows[entity][id]
        return [v.code for rule in BY_NAME[entity].delete_rules for v in rule(row, self.world(entity))]


_LINT: Final = {"branch_id": "rajkot", "commodity_id": "lint", "variety_id": "shankar6"}
_ROWS: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    (
        "organisation",
        "org",
        {"legal_name": "Cotton House", "pan": "AAPFU0939F", "gstin": "27AAPFU0939F1ZV", "state": "Maharashtra"},
    ),
    ("branch", "rajkot", {"code": "RJK", "name": "Rajkot", "state": "Gujarat"}),
    ("user", "meena", {"username": "meena", "name": "Meena Patel", "phone": "+916100000101", "branch_id": "rajkot"}),
    ("user", "ravi", {"username": "ravi", "name": "Ravi Rao"}),
    ("role", "agent", {"title": "Field agent", "codes": ("desk.read", "sync.use"), "ships": True}),
    ("role", "buyer", {"title": "Buyer", "codes": ("external.trade", "sync.use"), "external": True}),
    ("role", "clerk", {"title": "Clerk", "codes": ("desk.read",)}),
    ("grant", "of_meena", {"user_id": "meena", "role_id": "agent", "branch_id": "rajkot"}),
    (
        "financial_year",
        "fy27",
        {
            "organisation_id": "org",
            "name": "2026-27",
            "starts_on": date(2026, 4, 1),
            "ends_on": date(2027, 3, 31),
        },
    ),
    (
        "document_series",
        "trades",
        {"branch_id": "rajkot", "kind": "trade", "financial_year_id": "fy27", "prefix": "RJK/T", "width": 6},
    ),
    (
        "organisation_bank_account",
        "main",
        {"account_name": "Cotton House", "account_number": "30012345678", "ifsc": "SBIN0000300"},
    ),
    ("unit", "kg", {"code": "kg", "name": "Kilogram", "dimension": "mass", "factor_to_base": Decimal("1.000000")}),
    ("unit", "candy", {"code": "candy", "name": "Candy", "dimension": "mass", "factor_to_base": Decimal("355.620000")}),
    ("unit", "piece", {"code": "piece", "name": "Piece", "dimension": "count", "factor_to_base": Decimal("1.000000")}),
    ("location", "gondal", {"name": "Gondal yard", "kind": "market_yard", "state": "Gujarat", "pincode": "360311"}),
    (
        "commodity",
        "lint",
        {
            "name": "Lint",
            "category": "lint",
            "hsn": "5201",
            "gst_rate_pct": Decimal("5.00"),
            "base_unit_id": "kg",
            "trade_unit_id": "candy",
            "rate_unit_id": "candy",
        },
    ),
    (
        "commodity",
        "seed",
        {"name": "Cotton seed", "category": "cotton_seed", "hsn": "1207", "gst_rate_pct": Decimal("5.00")},
    ),
    ("variety", "shankar6", {"commodity_id": "lint", "name": "Shankar-6"}),
    ("variety", "of_seed", {"commodity_id": "seed", "name": "Hybrid seed"}),
    ("unit_conversion", "in_kg", {"from_unit_id": "candy", "to_unit_id": "kg", "factor": Decimal("355.62000000")}),
    (
        "quality_parameter",
        "staple",
        {
            "commodity_id": "lint",
            "parameter": "staple_mm",
            "unit": "mm",
            "limit_min": Decimal("20.00"),
            "limit_max": Decimal("40.00"),
        },
    ),
    ("payment_term", "month", {"code": "30D", "name": "30 days", "days": 30}),
    ("delivery_term", "ex_gin", {"code": "EXG", "name": "Ex gin"}),
    ("weighment_term", "at_mill", {"code": "MILL", "name": "At the mill", "weighed_at": "buyer"}),
    ("passing_term", "at_gin", {"code": "GIN", "name": "At the gin", "passed_at": "seller"}),
    ("trade_type", "home", {"code": "DOM", "name": "Domestic"}),
    ("bargain_type", "fixed", {"code": "FIX", "name": "Fixed price", "price_kind": "fixed"}),
    (
        "commission_structure",
        "usual",
        {"code": "USUAL", "name": "Usual", "slabs": {"slabs": [{"above": 0, "rate": 0.5}]}},
    ),
    (
        "business_partner",
        "mill",
        {"branch_id": "rajkot", "kind": ("buyer",), "legal_name": "Mill", "state": "approved"},
    ),
    (
        "business_partner",
        "ginner",
        {"branch_id": "rajkot", "kind": ("ginner",), "legal_name": "Gin", "state": "approved"},
    ),
    (
        "business_partner",
        "broker",
        {"branch_id": "rajkot", "kind": ("broker",), "legal_name": "Broker", "state": "approved"},
    ),
    ("business_partner", "lorries", {"branch_id": "rajkot", "kind": ("transporter",), "legal_name": "Lorries"}),
    ("partner_location", "gin", {"partner_id": "ginner", "kind": "gin", "is_primary": True, "state": "Gujarat"}),
    ("partner_contact", "owner", {"partner_id": "ginner", "kind": "owner", "is_primary": True, "name": "Meena Patel"}),
    (
        "partner_document",
        "pan",
        {"partner_id": "ginner", "kind": "pan_card", "is_primary": True, "number": "AAPFU0939F"},
    ),
    (
        "partner_vehicle",
        "truck",
        {"partner_id": "lorries", "is_primary": True, "vehicle_number": "GJ03BT4471", "capacity_kg": 17_000},
    ),
    (
        "partner_bank_account",
        "account",
        {
            "partner_id": "ginner",
            "is_primary": True,
            "account_name": "Gin",
            "account_number": "50100123456789",
            "ifsc": "HDFC0000001",
        },
    ),
    (
        "availability",
        "lot",
        {
            **_LINT,
            "seller_id": "ginner",
            "crop_year": "2026-27",
            "bales_offered": 100,
            "state": "active",
            "asking_price_per_candy": Decimal("62000.00"),
            "valid_until": date(2026, 12, 31),
        },
    ),
    (
        "requirement",
        "need",
        {
            **_LINT,
            "buyer_id": "mill",
            "bales_min": 50,
            "bales_max": 100,
            "deliver_from": date(2026, 12, 1),
            "deliver_until": date(2026, 12, 31),
        },
    ),
    (
        "trade",
        "deal",
        {
            **_LINT,
            "buyer_id": "mill",
            "seller_id": "ginner",
            "broker_id": "broker",
            "availability_id": "lot",
            "bales": 50,
            "price_per_candy": Decimal("62000.00"),
            "tax_pct": Decimal("5.00"),
            "state": "confirmed",
            "trade_date": date(2026, 11, 20),
            "deliver_from": date(2026, 11, 22),
            "deliver_until": date(2026, 12, 20),
            "quality_bases": {"staple_mm": {"base": 29, "allowance": 0.5, "reject": 1.5}, "trash_pct": {"base": 3}},
        },
    ),
    (
        "quality_inspection",
        "grading",
        {"trade_id": "deal", "method": "hvi", "inspected_at": NOON, "staple_mm": Decimal("29.1")},
    ),
    (
        "dispatch",
        "lorry",
        {"trade_id": "deal", "transporter_id": "lorries", "vehicle_number": "GJ03BT4471", "bales": 40},
    ),
    (
        "attachment",
        "photo",
        {"inspection_id": "grading", "sha256": "5a" * 32, "size_bytes": 1000, "media_type": "image/jpeg"},
    ),
    ("match", "fit", {"availability_id": "lot", "requirement_id": "need", "branch_id": "rajkot"}),
    (
        "negotiation",
        "talk",
        {
            "branch_id": "rajkot",
            "availability_id": "lot",
            "requirement_id": "need",
            "buyer_id": "mill",
            "seller_id": "ginner",
            "commodity_id": "lint",
        },
    ),
    (
        "offer",
        "bid",
        {
            "negotiation_id": "talk",
            "round": 1,
            "offered_by": "buyer",
            "answered_by": "seller",
            "price_per_candy": Decimal("61000.00"),
            "bales": 50,
        },
    ),
    (
        "amendment",
        "cheaper",
        {"trade_id": "deal", "proposed": {"price_per_candy": 61500}, "reason": "Short staple in two lots"},
    ),
    ("sample", "handful", {"trade_id": "deal", "bale_numbers": ("1", "2"), "drawn_at": NOON}),
    (
        "weighment",
        "slip",
        {"dispatch_id": "lorry", "slip_number": "4711", "gross_kg": Decimal("17000.00"), "tare_kg": Decimal("9800.00")},
    ),
    (
        "invoice",
        "bill",
        {
            "branch_id": "rajkot",
            "trade_id": "deal",
            "number": "RJK/26-27/1",
            "buyer_id": "mill",
            "seller_id": "ginner",
            "supplier_state": "Gujarat",
            "place_of_supply": "Tamil Nadu",
            "invoice_date": date(2026, 11, 22),
            "due_date": date(2026, 12, 7),
            "amount": Decimal("100000.00"),
            "igst_amount": Decimal("5000.00"),
            "total_amount": Decimal("105000.00"),
            "outstanding_amount": Decimal("105000.00"),
        },
    ),
    (
        "invoice_line",
        "goods",
        {
            "invoice_id": "bill",
            "position": 1,
            "description": "Cotton bales",
            "hsn": "5201",
            "quantity": Decimal("100.000"),
            "rate_amount": Decimal("1000.00"),
            "tax_pct": Decimal("5.00"),
            "amount": Decimal("100000.00"),
        },
    ),
    (
        "invoice",
        "sent_bill",
        {
            "branch_id": "rajkot",
            "number": "RJK/26-27/2",
            "buyer_id": "mill",
            "seller_id": "ginner",
            "supplier_state": "Gujarat",
            "place_of_supply": "Gujarat",
            "invoice_date": date(2026, 11, 22),
            "due_date": date(2026, 12, 7),
            "amount": Decimal("1000.00"),
            "total_amount": Decimal("1000.00"),
            "outstanding_amount": Decimal("1000.00"),
            "state": "issued",
        },
    ),
    (
        "payment",
        "transfer",
        {
            "branch_id": "rajkot",
            "payer_id": "mill",
            "payee_id": "ginner",
            "amount": Decimal("1500.00"),
            "mode": "rtgs",
            "reference": "UTIBR52026112300001",
            "paid_on": date(2026, 11, 23),
            "allocated_amount": Decimal("600.00"),
        },
    ),
    (
        "payment_allocation",
        "part",
        {"payment_id": "transfer", "invoice_id": "sent_bill", "amount": Decimal("600.00")},
    ),
    (
        "visit",
        "call",
        {"branch_id": "rajkot", "agent_id": "meena", "partner_id": "ginner", "planned_at": NOON},
    ),
    (
        "task",
        "chase",
        {"branch_id": "rajkot", "title": "Ask for the PAN", "assignee_id": "ravi", "partner_id": "ginner"},
    ),
    ("notification", "news", {"reader_id": "meena", "kind": "trade.confirmed", "title": "A trade was confirmed"}),
    ("setting", "printer", {"scope": "branch", "scope_id": "rajkot", "key": "dispatch.printer", "value": "lp0"}),
    (
        "sync_issue",
        "issue",
        {
            "author_id": "agent1",
            "table_name": "trades",
            "record_id": "deal",
            "kind": "refused",
            "operation": "updated",
            "reason_code": "locked",
            "sentence": "It is fixed by now.",
        },
    ),
)
