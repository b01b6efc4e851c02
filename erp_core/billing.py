"""Billing: what the lorries of a trade come to, as weighed and graded, line by line; and where everybody stands after it.

Owns: which weighing and which readings count, the lines of a lorry, the settlement of a trade out of its papers.
Must not know: how rows are loaded, how an invoice is written.
Invariant: the same papers give the same lines, be it for an invoice or for the settlement (tests/unit/test_billing.py).

A lorry is paid by the contract: its bales at the agreed weight and price, then what its weighing moves beyond the tolerance,
then what the readings of the accepted inspections move, parameter by parameter. The newest slip of the lorry counts, without
one what was weighed as it was loaded, without that the agreed weight. Readings are the mean of the accepted inspections, by
the bales that each stands for. Moisture moves the weight, unless the contract has steps of price for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from erp_core.brokerage import Basis, Brokerage, Slab, Structure, brokerage
from erp_core.entities.commission_structure import structure_of
from erp_core.entities.dispatch import ARRIVED
from erp_core.entities.invoice import CODE_OF
from erp_core.gst import PaidBy, state_code
from erp_core.language import World
from erp_core.net_weight import Weighing, net_weight, weight_difference, weight_terms
from erp_core.premiums import mean_reading, quality_value, scales_of
from erp_core.quality import BY_NAME, PARAMETERS
from erp_core.rates import rounded
from erp_core.settlement import Account, Parties, Supplied, settle
from erp_core.units import CANDY_KG
from erp_core.values import Row

ONE: Final = Decimal("1.000")
ASSESSED: Final = frozenset({"submitted", "disputed"})
"""States of an inspection on which people have still to agree."""


@dataclass(frozen=True, slots=True)
class BillLine:
    """One line of a lorry: `quantity` at `rate` rupees for each `per` of it; below 0 it is taken off."""

    what: str
    description: str
    quantity: Decimal
    rate: Decimal
    per: Decimal = ONE

    @property
    def rupees(self) -> Decimal:
        return rounded(Fraction(self.quantity) * Fraction(self.rate) / Fraction(self.per))


# --- The papers of a trade ----------------------------------------------------------------------------------------------


def arrived(trade: Row, world: World) -> Sequence[Row]:
    """Give the lorries of a trade that arrived, by id."""
    return [row for row in world.siblings("dispatch", "trade_id", trade["id"]) if row["state"] in ARRIVED]


def under_way(trade: Row, world: World) -> Sequence[Row]:
    """Give the lorries of a trade that have not arrived, by id."""
    every = world.siblings("dispatch", "trade_id", trade["id"])
    return [row for row in every if row["state"] in ("planned", "loaded", "in_transit")]


def live_invoices(trade: Row, world: World) -> Sequence[Row]:
    """Give the invoices of a trade that hold."""
    return [row for row in world.siblings("invoice", "trade_id", trade["id"]) if row["state"] != "cancelled"]


def unbilled(trade: Row, world: World) -> Sequence[Row]:
    """Give the lorries that arrived and are on no invoice that holds."""
    invoices = live_invoices(trade, world)
    billed = {
        line["dispatch_id"] for one in invoices for line in world.siblings("invoice_line", "invoice_id", one["id"])
    }
    return [lorry for lorry in arrived(trade, world) if lorry["id"] not in billed]


def open_inspections(trade: Row, world: World) -> int:
    """Count the inspections of a trade that were submitted and not agreed on."""
    return sum(row["state"] in ASSESSED for row in world.siblings("quality_inspection", "trade_id", trade["id"]))


def readings_of(inspections: Iterable[Row]) -> Mapping[str, Decimal | None]:
    """Give the mean of the accepted inspections, each weighed by its bales, or as one where it names none."""
    accepted = [row for row in inspections if row["state"] == "accepted"]
    found: dict[str, Decimal | None] = {}
    for parameter in PARAMETERS:
        name = parameter.name
        samples = [(row[name], max(len(row["bale_numbers"] or ()), 1)) for row in accepted if row[name] is not None]
        found[name] = mean_reading(name, samples)
    return found


# --- The lines of a lorry -----------------------------------------------------------------------------------------------


def lines_of(trade: Row, lorry: Row, slips: Sequence[Row], readings: Mapping[str, Decimal | None]) -> list[BillLine]:
    """Work out what a lorry comes to. 100 bales that weigh 190.74 kg less than agreed (assumed figures):

    >>> trade = {"price_per_candy": Decimal(62000), "bale_weight_kg": Decimal(170), "quality_bases": None, "weight_terms": None}
    >>> lorry = {"bales": 100, "gross_kg": Decimal("26259.26"), "tare_kg": Decimal(9450)}
    >>> [(line.what, str(line.rupees)) for line in lines_of(trade, lorry, [], {})]
    [('goods', '2963837.80'), ('weight', '-33254.26')]
    """
    price = trade["price_per_candy"]
    agreed_kg = (lorry["bales"] * trade["bale_weight_kg"]).quantize(ONE)
    goods = f"{lorry['bales']} bales at {trade['bale_weight_kg']} kg, {price} a candy of {CANDY_KG} kg"
    lines = [BillLine("goods", goods, agreed_kg, price, CANDY_KG)]
    terms, bases = weight_terms(trade["weight_terms"]), trade["quality_bases"] or {}
    weighed_kg = _weighed_kg(trade, lorry, slips, readings)
    if weighed_kg is not None:
        moved = weight_difference(agreed_kg, weighed_kg, price, tolerance_pct=terms.tolerance_pct).settled_kg
        if moved:
            said = f"Weighed {weighed_kg} kg, agreed {agreed_kg} kg, free {terms.tolerance_pct} %"
            rate = price if moved > 0 else -price
            lines.append(BillLine("weight", said, abs(moved).quantize(ONE), rate, CANDY_KG))
    value = sum((line.rupees for line in lines), Decimal(0))
    for line in quality_value(value, readings, bases, scales_of(bases)).lines:
        if line.rupees:
            said = f"{line.parameter} {line.reading}, agreed {line.base}: {line.percent} %"
            lines.append(BillLine("quality", said, ONE, line.rupees))
    return lines


def _weighed_kg(trade: Row, lorry: Row, slips: Sequence[Row], readings: Mapping[str, Decimal | None]) -> Decimal | None:
    """Give the weight that is paid of a lorry; None: nobody weighed it."""
    newest = max(
        slips, key=lambda slip: (slip["weighed_at"] is not None, slip["weighed_at"], slip["id"]), default=lorry
    )
    gross, tare = newest["gross_kg"], newest["tare_kg"]
    if gross is None or tare is None or not gross > tare > 0:
        return None
    terms, scales = weight_terms(trade["weight_terms"]), scales_of(trade["quality_bases"])
    by_price = "moisture_pct" in scales and bool(scales["moisture_pct"].down)
    moisture = None if by_price else readings.get("moisture_pct")
    slip = Weighing(gross, tare, lorry["bales"], terms.packing_per_bale_kg, moisture_pct=moisture)
    return net_weight(slip, moisture_base_pct=terms.moisture_base_pct, credit_dry=terms.credit_dry).payable_kg


def bill(trade: Row, lorries: Iterable[Row], world: World) -> Iterator[tuple[Row, BillLine]]:
    """Work out the lines of `lorries` of a trade: (lorry, line)."""
    readings = readings_of(world.siblings("quality_inspection", "trade_id", trade["id"]))
    for lorry in lorries:
        slips = world.siblings("weighment", "dispatch_id", lorry["id"])
        yield from ((lorry, line) for line in lines_of(trade, lorry, slips, readings))


# --- The settlement -----------------------------------------------------------------------------------------------------


def place_of(trade: Row, lorry: Row, world: World) -> str | None:
    """Name the state where a lorry's goods are supplied: where it was sent to, else where the buyer is registered."""
    to = world.get("location", lorry["to_location_id"])
    if to is not None and to["state"] is not None:
        state: str = to["state"]
        return state
    return registered_in(world.get("business_partner", trade["buyer_id"]))


def registered_in(partner: Row | None) -> str | None:
    """Name the state that a partner is registered in."""
    code = _code(partner)
    return next((name for name, known in CODE_OF.items() if known == code), None)


def _code(partner: Row | None) -> str | None:
    return state_code(partner["gstin"]) if partner is not None and partner["gstin"] else None


def earned_on(trade: Row, lines: Sequence[tuple[Row, BillLine]], world: World) -> Brokerage | None:
    """Work out the brokerage on the goods that arrived, at the agreed weight and price; None: there is no broker."""
    if trade["broker_id"] is None:
        return None
    structure = world.get("commission_structure", trade["commission_structure_id"])
    how = (
        Structure(Basis.PERCENT_OF_VALUE, (Slab(Decimal(0), trade["brokerage_pct"]),))
        if structure is None
        else structure_of(structure)
    )
    goods = [(lorry, line) for lorry, line in lines if line.what == "goods"]
    return brokerage(
        how,
        value=sum((line.rupees for _, line in goods), Decimal(0)),
        bales=sum(lorry["bales"] for lorry, _ in goods),
        candies=sum((Fraction(line.quantity) / Fraction(line.per) for _, line in goods), Fraction(0)),
    )


@dataclass(frozen=True, slots=True)
class Settlement:
    """Where a trade stands. `supplied`: what arrived, before tax; `billed`: what of it is on invoices that hold; `due`: what
    those still ask for. `rejected`: a reading is beyond what the contract takes, so that no price follows from it."""

    accounts: tuple[Account, ...]
    supplied: Decimal
    billed: Decimal
    due: Decimal
    lorries: int
    unbilled: int
    under_way: int
    open_inspections: int
    rejected: bool


def settlement_of(trade: Row, world: World) -> Settlement:
    """Settle a trade by its papers. Raises ValueError if its structure of commission cannot be worked out (SQL wrote it)."""
    lorries, invoices = arrived(trade, world), live_invoices(trade, world)
    lines = list(bill(trade, lorries, world))
    parties = Parties(
        *(_code(world.get("business_partner", trade[f"{side}_id"])) for side in ("buyer", "seller", "broker"))
    )
    supplied = [
        Supplied(line.what, line.rupees, trade["tax_pct"], CODE_OF.get(place_of(trade, lorry, world) or ""))
        for lorry, line in lines
    ]
    reverse = any(invoice["reverse_charge"] for invoice in invoices)
    accounts = settle(
        parties,
        supplied,
        paid_by=PaidBy.RECIPIENT if reverse else PaidBy.SUPPLIER,
        earned=earned_on(trade, lines, world),
        paid=[invoice["paid_amount"] for invoice in invoices if invoice["paid_amount"]],
    )
    return Settlement(
        accounts,
        supplied=sum((line.rupees for _, line in lines), Decimal("0.00")),
        billed=sum((invoice["amount"] for invoice in invoices), Decimal("0.00")),
        due=sum((invoice["outstanding_amount"] for invoice in invoices), Decimal("0.00")),
        lorries=len(lorries),
        unbilled=len(unbilled(trade, world)),
        under_way=len(under_way(trade, world)),
        open_inspections=open_inspections(trade, world),
        rejected=is_rejected(trade, world),
    )


def is_rejected(trade: Row, world: World) -> bool:
    """Say whether the readings are beyond what the contract takes."""
    bases = trade["quality_bases"] or {}
    readings = readings_of(world.siblings("quality_inspection", "trade_id", trade["id"]))
    known = {name: owed for name, owed in bases.items() if name in BY_NAME}
    return quality_value(Decimal(0), readings, known, scales_of(known)).rejected
