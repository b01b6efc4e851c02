"""Makers: commands that make records of others: a negotiation of a match, a trade of a negotiation, an invoice of lorries.

A maker writes down what follows from records that are there already, so that nobody has to copy it; all that it makes is one
change, judged as if a person had written it down by hand.

Owns: what a maker is, and the table of them.
Must not know: how a change is applied, HTTP.
Invariant: what is made passes the same rules and asks for the same codes as the same records made one by one
(tests/integration/test_making.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from erp_core.books import allocate_payment, make_invoice, record_payment, settle_trade
from erp_core.catalogue import BY_NAME
from erp_core.commands import BY_ENTITY_AND_NAME
from erp_core.deals import counter, make_amendment, make_lorry, make_offer, make_trade, match_lot, match_need, open_talk
from erp_core.drawing import Draw, Look, given_field, taken
from erp_core.entities.availability import ON_OFFER
from erp_core.entities.requirement import WANTED
from erp_core.language import Entity, Field, Violation
from erp_core.values import Flag, Reference, Row
from erp_core.vocabulary import BALES


@dataclass(frozen=True, slots=True)
class Maker:
    """One command that makes records. `makes`: what it makes first of all; `starts`: the states of the record that it starts
    from (none: any). `looks`: the rows that `draw` may look at, in the order in which they are found; `reads`: the codes of
    which one is asked for in the scopes of that record, beside those of what is made."""

    entity: Entity
    name: str
    title: str
    makes: Entity
    draw: Draw
    parameters: tuple[Field, ...] = ()
    starts: tuple[str, ...] = ()
    looks: tuple[Look, ...] = ()
    machine: str = "state"
    reads: tuple[str, ...] = ("desk.read",)
    changes: bool = False
    """Whether the record that it starts from is what is shown of it; else what it makes is."""

    def __post_init__(self) -> None:
        words = set(self.entity.machines[self.machine].words) if self.starts else set()
        if not set(self.starts) <= words or self.entity.table == self.name:
            raise ValueError(f"{self.entity.name}.{self.name}: no such state")
        if (self.entity.name, self.name) in BY_ENTITY_AND_NAME:
            raise ValueError(f"{self.entity.name}.{self.name} is a command already")

    @property
    def needs(self) -> tuple[str, ...]:
        """The codes of which one is asked for: those of what is made."""
        return self.makes.access.create

    @property
    def shows(self) -> Entity:
        """The entity of the record that whoever asked is shown."""
        return self.entity if self.changes else self.makes

    def fields(self) -> tuple[Field, ...]:
        """Give what can be sent with it."""
        return self.parameters

    def speaks_against(self, row: Row) -> Iterator[Violation]:
        """Say why it cannot be done with `row` as it is, and when it can."""
        if self.starts and row[self.machine] not in self.starts:
            can = f"it can be done while it is {' or '.join(self.starts)}"
            title = self.entity.title.lower()
            sentence = f"This {title} is {row[self.machine]}, so one cannot {self.name} it; {can}."
            yield Violation("wrong_state", sentence, (self.machine,))


# --- What is looked at --------------------------------------------------------------------------------------------------

_PARTIES: Final = tuple(
    Look("business_partner", "id", "trade", side) for side in ("buyer_id", "seller_id", "broker_id")
)
PAPERS: Final = (
    *_PARTIES,
    Look("commission_structure", "id", "trade", "commission_structure_id"),
    Look("commodity", "id", "trade", "commodity_id"),
    Look("dispatch", "trade_id", "trade", "id"),
    Look("location", "id", "dispatch", "to_location_id"),
    Look("weighment", "dispatch_id", "dispatch", "id"),
    Look("quality_inspection", "trade_id", "trade", "id"),
    Look("invoice", "trade_id", "trade", "id"),
    Look("invoice_line", "invoice_id", "invoice", "id"),
)
"""What there is of a trade (erp_core/billing.py)."""


# --- The table ----------------------------------------------------------------------------------------------------------

_SAID: Final = (
    *taken("offer", "price_per_candy", "bales", needed=True),
    *taken("offer", "delivery_terms", "payment_terms"),
)
_BILLED: Final = (
    *taken("invoice", "invoice_date", "due_date", "supplier_state", "place_of_supply", "reverse_charge"),
    given_field("dispatch_id", Reference("dispatch"), "bill this lorry only"),
)

MAKERS: Final[tuple[Maker, ...]] = (
    Maker(
        *(BY_NAME["availability"], "match", "Find who needs it", BY_NAME["match"], match_lot),
        starts=ON_OFFER,
        looks=(
            Look("requirement", "commodity_id", "availability", "commodity_id"),
            Look("match", "availability_id", "availability", "id"),
        ),
    ),
    Maker(
        *(BY_NAME["requirement"], "match", "Find what meets it", BY_NAME["match"], match_need),
        starts=WANTED,
        looks=(
            Look("availability", "commodity_id", "requirement", "commodity_id"),
            Look("match", "requirement_id", "requirement", "id"),
        ),
    ),
    Maker(
        *(BY_NAME["match"], "negotiate", "Negotiate", BY_NAME["negotiation"], open_talk),
        parameters=(*taken("offer", "offered_by", needed=True), *_SAID, *taken("offer", "valid_until")),
        looks=(
            Look("availability", "id", "match", "availability_id"),
            Look("requirement", "id", "match", "requirement_id"),
        ),
    ),
    Maker(
        *(BY_NAME["negotiation"], "offer", "Make an offer", BY_NAME["offer"], make_offer),
        starts=("open",),
        parameters=(*taken("offer", "offered_by", needed=True), *_SAID, *taken("offer", "valid_until")),
    ),
    Maker(
        *(BY_NAME["offer"], "counter", "Answer with another offer", BY_NAME["offer"], counter),
        starts=("open",),
        parameters=taken("offer", "price_per_candy", "bales", "delivery_terms", "payment_terms", "valid_until"),
    ),
    Maker(
        *(BY_NAME["negotiation"], "contract", "Make the contract", BY_NAME["trade"], make_trade),
        starts=("accepted",),
        parameters=(
            *taken(
                "trade", "number", "trade_date", "variety_id", "broker_id", "commission_structure_id", "brokerage_pct"
            ),
            *taken(
                "trade", "bale_weight_kg", "tax_pct", "quality_bases", "weight_terms", "deliver_from", "deliver_until"
            ),
            *taken("trade", "remarks"),
            given_field("reserve", Flag(), "count its bales on the lot and the requirement; without it: yes"),
        ),
        looks=(
            Look("offer", "negotiation_id", "negotiation", "id"),
            Look("availability", "id", "negotiation", "availability_id", holds=True),
            Look("requirement", "id", "negotiation", "requirement_id", holds=True),
            Look("commodity", "id", "negotiation", "commodity_id"),
        ),
    ),
    Maker(
        *(BY_NAME["trade"], "propose", "Propose an amendment", BY_NAME["amendment"], make_amendment),
        starts=("confirmed", "in_delivery", "disputed"),
        parameters=taken("amendment", "proposed", "reason", needed=True),
    ),
    Maker(
        *(BY_NAME["trade"], "schedule", "Plan a lorry", BY_NAME["dispatch"], make_lorry),
        starts=("confirmed", "in_delivery"),
        parameters=(
            given_field("bales", BALES, "how many bales; without it: those that no lorry has yet"),
            *taken("dispatch", "transporter_id", "vehicle_number", "from_location_id", "to_location_id"),
        ),
        looks=(Look("dispatch", "trade_id", "trade", "id"),),
        reads=("desk.read", "dispatch.write"),
    ),
    Maker(
        *(BY_NAME["trade"], "invoice", "Invoice what arrived", BY_NAME["invoice"], make_invoice),
        starts=("confirmed", "in_delivery", "completed", "disputed"),
        parameters=_BILLED,
        looks=(*PAPERS, Look("unit", "code", "", "kg")),
    ),
    Maker(
        *(BY_NAME["trade"], "settle", "Settle", BY_NAME["invoice"], settle_trade),
        starts=("in_delivery", "disputed"),
        parameters=_BILLED[:-1],
        looks=(*PAPERS, Look("unit", "code", "", "kg")),
        changes=True,
    ),
    Maker(
        *(BY_NAME["invoice"], "pay", "Record a payment", BY_NAME["payment"], record_payment),
        starts=("issued",),
        parameters=taken("payment", "amount", "mode", "reference", "paid_on", "number"),
    ),
    Maker(
        *(BY_NAME["payment"], "allocate", "Settle the oldest debts", BY_NAME["payment_allocation"], allocate_payment),
        looks=(Look("invoice", "buyer_id", "payment", "payer_id"),),
        changes=True,
    ),
)

MAKER_BY_NAME: Final[Mapping[tuple[str, str], Maker]] = {(m.entity.name, m.name): m for m in MAKERS}
assert len(MAKER_BY_NAME) == len(MAKERS), "two makers of an entity have one name"


def makers_of(entity: Entity) -> tuple[Maker, ...]:
    """Give the makers that start from an entity, in the order of a deal."""
    return tuple(maker for maker in MAKERS if maker.entity is entity)
