"""Exposure: what a buyer owes for the trades that are open, and whether that is within the credit limit.

Owns: which trades count, what each comes to, and the rule.
Must not know: the declaration of the trade; it gathers the rows and hands them in.
Invariant: a partner's exposure is the value of its open purchases, tax included (tests/unit/test_trade_rules.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from erp_core.language import Violation, World
from erp_core.money import lint_amount, percent_of
from erp_core.rules import enters
from erp_core.values import Row, Value
from erp_core.vocabulary import RUPEES

OPEN = frozenset({"confirmed", "in_delivery", "disputed"})
"""Agreed and neither fulfilled nor called off: what the buyer will owe."""


def value_with_tax(row: Row) -> Decimal:
    """Give what the buyer of a trade will owe for all of it, in rupees; worked out from the terms, so that it holds for
    rows that SQL wrote without their amounts."""
    amount = lint_amount(row["bales"], row["bale_weight_kg"], row["price_per_candy"])
    return amount + percent_of(amount, row["tax_pct"])


def open_value(trades: Sequence[Row]) -> Decimal:
    """Add up what the open ones among `trades` come to, tax included."""
    return sum((value_with_tax(trade) for trade in trades if trade["state"] in OPEN), Decimal("0.00"))


def exposure(_: Row, trades: Sequence[Row]) -> Mapping[str, Value]:
    """Work out a buyer's exposure. A sum beyond what the field holds is written as the most it holds: one more trade must not
    make a push fail."""
    return {"exposure": min(open_value(trades), RUPEES.ceiling)}


def within_credit(after: Row, before: Row | None, world: World) -> Iterator[Violation]:
    """All open trades of a buyer together stay within the credit limit. A limit of 0, or none, means that the office has set
    none for this partner, and nothing is checked."""
    buyer = world.get("business_partner", after["buyer_id"])
    if buyer is None or not buyer["credit_limit"] or not enters(after, before, OPEN):
        return
    owed = open_value(world.siblings("trade", "buyer_id", after["buyer_id"]))
    if owed > buyer["credit_limit"]:
        limit = buyer["credit_limit"]
        sentence = f"With this trade {buyer['legal_name']} would owe {owed} rupees; the credit limit is {limit}."
        yield Violation(
            "over_credit_limit",
            sentence,
            ("buyer_id", "bales", "price_per_candy"),
            needs=("desk.read",),
            instead="This is more than is agreed with the buyer; ask the office.",
        )
