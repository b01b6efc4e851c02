"""The desk: what a trader asks of a morning, worked out of the rows of one key: positions, exposure, deliveries, ageing.

Owns: which rows count for each, what they come to, under which key, and what of a record each lets its reader infer.
Must not know: where the rows come from, how far a log was followed, who reads.
Invariant: a line follows from the present rows of its key and from nothing else, the day included; what depends on the day
is worked out when it is read (tests/integration/test_desk.py).

Every trade here has a buyer and a seller, so what is bought is sold: what a branch has still to place is what it has on offer
less what is asked of it. A worked example, figures assumed: 100 bales on offer of which 30 are sold, a need of 120, and a trade
of 50 bales of which a lorry with 20 has arrived.

>>> lot = {"state": "active", "bales_offered": 100, "bales_reserved": 0, "bales_sold": 30}
>>> need = {"state": "open", "bales_max": 120, "bales_fulfilled": 0}
>>> trade = {"id": "t1", "state": "in_delivery", "bales": 50, "price_per_candy": Decimal(62000)}
>>> lorries = {"t1": [{"state": "delivered", "bales": 20}, {"state": "in_transit", "bales": 20}]}
>>> line = position([{**lot, "asking_price_per_candy": Decimal(62500)}], [need], [trade], lorries)
>>> line["bales_open"], line["bales_asked"], line["bales_net"], line["bales_traded"], line["price_traded"]
(70, 120, -50, 30, Decimal('62000.00'))
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final, TypeAlias

from erp_core.entities.availability import ON_OFFER
from erp_core.entities.dispatch import ARRIVED, bales_sent
from erp_core.entities.requirement import WANTED
from erp_core.exposure import OPEN, exposure
from erp_core.money import to_paise
from erp_core.values import Row
from erp_core.vocabulary import RUPEES

Line: TypeAlias = dict[str, Any]
"""What the desk keeps under one key: column -> value."""
Lorries: TypeAlias = Mapping[str, Sequence[Row]]
"""Trade -> its dispatches."""

PENDING: Final = frozenset({"confirmed", "in_delivery"})
"""States of a trade whose bales are on their way or to be sent; while it is disputed nothing moves."""
NOTHING: Final = Decimal("0.00")

SHOWS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "positions": {
        "availability": ("asking_price_per_candy",),
        "requirement": (),
        "trade": ("price_per_candy",),
        "dispatch": (),
    },
    "exposure": {"business_partner": ("credit_limit", "exposure"), "trade": ("amount",)},
    "deliveries": {"trade": (), "dispatch": ()},
    "ageing": {"invoice": ()},
}
"""Of each read model: the entities that its lines tell of, and those of their fields that not every reader of them sees."""

BUCKETS: Final = ("not_due", "days_0_30", "days_31_60", "days_61_90", "over_90")


# --- Keys -------------------------------------------------------------------------------------------------------------


def position_key(row: Row) -> str:
    """Name the position that an availability, a requirement or a trade belongs to.

    >>> position_key({"branch_id": "rajkot", "commodity_id": "lint", "variety_id": None})
    'rajkot/lint/'
    """
    return f"{row['branch_id']}/{row['commodity_id']}/{row['variety_id'] or ''}"


def ageing_key(invoice: Row) -> str:
    """Name whose debt an invoice is, by branch: a branch sees what is owed to it."""
    return f"{invoice['branch_id']}/{invoice['buyer_id']}"


# --- Positions --------------------------------------------------------------------------------------------------------


def position(lots: Iterable[Row], needs: Iterable[Row], trades: Iterable[Row], lorries: Lorries) -> Line | None:
    """Work out one branch's position in one variety; None: there is nothing of it. Prices are averages by bales."""
    offered = [(left, lot["asking_price_per_candy"]) for lot in lots if (left := _on_offer(lot))]
    traded = [
        (left, row["price_per_candy"]) for row in trades if (left := _to_deliver(row, lorries.get(row["id"], ())))
    ]
    bales_open, bales_traded = sum(bales for bales, _ in offered), sum(bales for bales, _ in traded)
    asked = sum(max(need["bales_max"] - need["bales_fulfilled"], 0) for need in needs if need["state"] in WANTED)
    if not (bales_open or asked or bales_traded):
        return None
    return {
        "bales_open": bales_open,
        "bales_asked": asked,
        "bales_net": bales_open - asked,
        "bales_traded": bales_traded,
        "price_open": _average(offered),
        "price_traded": _average(traded),
    }


def _on_offer(lot: Row) -> int:
    if lot["state"] not in ON_OFFER:
        return 0
    return int(max(lot["bales_offered"] - lot["bales_reserved"] - lot["bales_sold"], 0))


def _to_deliver(trade: Row, lorries: Sequence[Row]) -> int:
    return max(trade["bales"] - _arrived(lorries), 0) if trade["state"] in PENDING else 0


def _arrived(lorries: Sequence[Row]) -> int:
    return sum(lorry["bales"] for lorry in lorries if lorry["state"] in ARRIVED)


def _average(priced: Sequence[tuple[int, Decimal]]) -> Decimal | None:
    """Give the average price by bales, rounded to the paisa, half to even; None: there are no bales.

    >>> _average([(10, Decimal(62000)), (30, Decimal(62001))])
    Decimal('62000.75')
    """
    bales = sum(count for count, _ in priced)
    return to_paise(sum((count * price for count, price in priced), NOTHING) / bales) if bales else None


# --- Exposure ---------------------------------------------------------------------------------------------------------


def credit(partner: Row, trades: Sequence[Row]) -> Line | None:
    """Hold a partner's open purchases against its credit limit; None: there is neither. `credit_left` below 0: it is passed.

    `exposure` is the partner's field of that name, by the same function. A limit of 0 is none, as in the rule.

    >>> credit({"credit_limit": Decimal(500)}, [])
    {'exposure': Decimal('0.00'), 'open_trades': 0, 'credit_limit': Decimal('500'), 'credit_left': Decimal('500.00')}
    """
    count = sum(trade["state"] in OPEN for trade in trades)
    limit = partner["credit_limit"] or None
    if not count and limit is None:
        return None
    owed = exposure(partner, trades)["exposure"]
    left = None if limit is None else limit - owed
    return {"exposure": owed, "open_trades": count, "credit_limit": limit, "credit_left": left}


# --- Deliveries -------------------------------------------------------------------------------------------------------


def delivery(trade: Row, lorries: Sequence[Row]) -> Line | None:
    """Say how far the delivery of a trade has come; None: it is not under way. Dispatched is as the trade itself counts it."""
    if trade["state"] not in PENDING:
        return None
    return {
        "bales": trade["bales"],
        "bales_dispatched": bales_sent(lorries),
        "bales_delivered": _arrived(lorries),
        "bales_left": _to_deliver(trade, lorries),
    }


def days_left(last: date | None, today: date) -> int | None:
    """Count the days until the last day of delivery; below 0: the days since. None: none was agreed.

    >>> days_left(date(2026, 11, 30), date(2026, 11, 24)), days_left(date(2026, 11, 20), date(2026, 11, 24))
    (6, -4)
    """
    return None if last is None else (last - today).days


# --- Ageing -----------------------------------------------------------------------------------------------------------


def dues(invoices: Iterable[Row]) -> Line | None:
    """List what is open of issued invoices by the day it is due, each day once; None: nothing is open.

    An invoice without a due date is due on its own day, and one without either is not due. Which bucket a day is in is not
    kept: `aged` says so for a day.
    """
    by_day: dict[date | None, Decimal] = {}
    for row in invoices:
        if row["state"] == "issued" and row["outstanding_amount"] > 0:
            day = row["due_date"] or row["invoice_date"]
            by_day[day] = by_day.get(day, NOTHING) + row["outstanding_amount"]
    days = sorted(by_day, key=lambda day: day or date.min)
    return {"due_days": days, "amounts": [by_day[day] for day in days]} if days else None


def aged(days: Sequence[date | None], amounts: Sequence[Decimal], today: date) -> dict[str, Decimal]:
    """Sort open amounts by how many days after their due day it is: rupees by bucket, and `open_amount`, all of them.

    >>> days = [date(2026, 8, 20), date(2026, 10, 24), date(2026, 11, 24), date(2026, 11, 25)]
    >>> [str(rupees) for rupees in aged(days, [Decimal(n) for n in (1, 2, 4, 8)], date(2026, 11, 24)).values()]
    ['8.00', '4.00', '2.00', '0.00', '1.00', '15.00']
    """
    sums = dict.fromkeys((*BUCKETS, "open_amount"), NOTHING)
    for day, amount in zip(days, amounts, strict=True):
        for name in (_bucket(day, today), "open_amount"):
            sums[name] = min(sums[name] + amount, RUPEES.ceiling)
    return sums


def _bucket(day: date | None, today: date) -> str:
    late = -1 if day is None else (today - day).days
    if late < 0:
        return "not_due"
    return next((name for most, name in zip((30, 60, 90), BUCKETS[1:4], strict=True) if late <= most), "over_90")
