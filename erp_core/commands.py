"""The commands of the trade: what people do with a record, by the names that they have for it.

A command brings a record from one state to another and writes what belongs to the step, in one change. It is a name for that
change and no more: the same step by a phone's push or by PATCH gets the same verdict, since rules, states, codes and merge
are the entity's.

Owns: the commands as data, and what each writes.
Must not know: how a change is applied, HTTP.
Invariant: a command is one move of the entity's machine, its fields are the entity's own (checked on import); a command
and the same change by push get the same verdict (tests/integration/test_commands.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from erp_core.catalogue import BY_NAME
from erp_core.language import Entity, Field, Violation
from erp_core.values import Integer, Row, Value

Effect: TypeAlias = Callable[[Row, Mapping[str, Value]], Mapping[str, Value]]
"""(the record as it is, the parameters as read) -> the fields that are written beside the state."""


def _nothing_else(_: Row, __: Mapping[str, Value]) -> Mapping[str, Value]:
    return {}


@dataclass(frozen=True, slots=True)
class Command:
    """One command of one entity. `to`: the state that it brings the record to; `machine`: the field of that state.

    `takes`: fields of the entity that may be given with it. `parameters`: what it is told beside them; `effect`: what it
    makes of that. `stays`: it can be done in the state that it leads to, too (reserve some more).
    """

    entity: Entity
    name: str
    title: str
    to: str
    machine: str = "state"
    takes: tuple[str, ...] = ()
    parameters: tuple[Field, ...] = ()
    effect: Effect = _nothing_else
    stays: bool = False
    starts: tuple[str, ...] = field(init=False)
    """The states in which it can be done."""

    def __post_init__(self) -> None:
        moves = self.entity.machines[self.machine].moves
        starts = [state for state, after in moves.items() if self.to in after] + [self.to] * self.stays
        if not starts or not set(self.takes) <= self.entity.by_name.keys():
            raise ValueError(f"{self.entity.name}.{self.name}: no such move, or no such field")
        object.__setattr__(self, "starts", tuple(starts))

    @property
    def needs(self) -> tuple[str, ...]:
        """The codes of which one is asked for: those of the state, else those of any change."""
        return self.entity.machines[self.machine].needs.get(self.to, self.entity.access.update)

    def fields(self) -> tuple[Field, ...]:
        """Give what can be sent with it."""
        return (*self.parameters, *(self.entity.by_name[name] for name in self.takes))

    def writes(self, row: Row, given: Mapping[str, Value]) -> Mapping[str, Value]:
        """Give the fields that it writes into `row`, and their values."""
        own = {parameter.name for parameter in self.parameters}
        taken = {name: value for name, value in given.items() if name not in own}
        return {self.machine: self.to, **taken, **self.effect(row, given)}

    def speaks_against(self, row: Row) -> Iterator[Violation]:
        """Say why it cannot be done with `row` as it is, and what can."""
        state = row[self.machine]
        if state in self.starts:
            return
        others = [c.name for c in of_entity(self.entity) if c.machine == self.machine and state in c.starts]
        possible = f"what can be done is: {', '.join(others)}" if others else "nothing can be done with it any more"
        sentence = f"This {self.entity.title.lower()} is {state}, so one cannot {self.name} it; {possible}."
        yield Violation("wrong_state", sentence, (self.machine,))


# --- Effects ----------------------------------------------------------------------------------------------------------

_BALES: Final = Field("bales", Integer(1, 1_000_000), required=True, help="how many bales")


def _reserve(row: Row, given: Mapping[str, Value]) -> Mapping[str, Value]:
    return {"bales_reserved": row["bales_reserved"] + given["bales"]}


def _sell(row: Row, given: Mapping[str, Value]) -> Mapping[str, Value]:
    """What was reserved is sold first. The lot is sold once nothing of it is left; until then the rest is on offer."""
    sold = row["bales_sold"] + given["bales"]
    reserved = row["bales_reserved"] - min(row["bales_reserved"], given["bales"])
    state = "sold" if sold >= row["bales_offered"] else "reserved" if reserved else "active"
    return {"bales_sold": sold, "bales_reserved": reserved, "state": state}


def _fill(row: Row, given: Mapping[str, Value]) -> Mapping[str, Value]:
    """A need is met with the least that was asked for."""
    filled = row["bales_fulfilled"] + given["bales"]
    return {"bales_fulfilled": filled, "state": "fulfilled" if filled >= row["bales_min"] else "part_filled"}


def _answer(row: Row, _: Mapping[str, Value]) -> Mapping[str, Value]:
    """An offer is answered by the other side."""
    return {"answered_by": "seller" if row["offered_by"] == "buyer" else "buyer"}


# --- The table --------------------------------------------------------------------------------------------------------


def _of(entity: str, *commands: tuple[str, str, str], machine: str = "state") -> Iterator[Command]:
    """Make the commands of one machine that write nothing but the state: (name, title, to)."""
    for name, title, to in commands:
        yield Command(BY_NAME[entity], name, title, to, machine)


_LOT, _NEED, _LORRY = BY_NAME["availability"], BY_NAME["requirement"], BY_NAME["dispatch"]
_OFFER, _INVOICE = BY_NAME["offer"], BY_NAME["invoice"]

COMMANDS: Final[tuple[Command, ...]] = (
    *_of(
        "business_partner",
        ("submit", "Submit for approval", "submitted"),
        ("approve", "Approve", "approved"),
        ("reject", "Reject", "rejected"),
        ("send_back", "Send back to be completed", "draft"),
        ("suspend", "Suspend", "suspended"),
        ("retire", "Do no more business with", "inactive"),
    ),
    *_of(
        "business_partner",
        ("verify_kyc", "Verify the papers", "verified"),
        ("expire_kyc", "Mark the papers as expired", "expired"),
        machine="kyc_state",
    ),
    *_of("availability", ("publish", "Put on offer", "active"), ("expire", "Mark as expired", "expired")),
    Command(_LOT, "reserve", "Reserve bales", "reserved", parameters=(_BALES,), effect=_reserve, stays=True),
    Command(_LOT, "sell", "Sell bales", "sold", parameters=(_BALES,), effect=_sell),
    *_of("availability", ("cancel", "Withdraw the offer", "cancelled")),
    *_of("requirement", ("publish", "Ask the market", "open"), ("expire", "Mark as expired", "expired")),
    Command(_NEED, "fill", "Meet with bales", "fulfilled", parameters=(_BALES,), effect=_fill),
    *_of("requirement", ("cancel", "Withdraw the need", "cancelled")),
    *_of(
        "negotiation",
        ("reject", "Break off", "rejected"),
        ("withdraw", "Withdraw from", "withdrawn"),
        ("expire", "Mark as expired", "expired"),
        ("reopen", "Take up again", "open"),
    ),
    Command(_OFFER, "accept", "Accept", "accepted", effect=_answer),
    Command(_OFFER, "reject", "Reject", "rejected", effect=_answer),
    *_of("offer", ("withdraw", "Withdraw", "withdrawn"), ("expire", "Mark as expired", "expired")),
    *_of(
        "trade",
        ("confirm", "Confirm", "confirmed"),
        ("begin_delivery", "Begin delivery", "in_delivery"),
        ("complete", "Complete", "completed"),
        ("dispute", "Dispute", "disputed"),
        ("cancel", "Call off", "cancelled"),
    ),
    *_of("amendment", ("approve", "Approve", "approved"), ("reject", "Reject", "rejected")),
    *_of(
        "sample",
        ("submit", "Hand over", "submitted"),
        ("accept", "Accept", "accepted"),
        ("dispute", "Dispute", "disputed"),
    ),
    *_of(
        "quality_inspection",
        ("submit", "Submit the readings", "submitted"),
        ("accept", "Accept the readings", "accepted"),
        ("dispute", "Dispute the readings", "disputed"),
    ),
    Command(
        _LORRY,
        "load",
        "Load",
        "loaded",
        takes=("vehicle_number", "lr_number", "bales", "gross_kg", "tare_kg", "loaded_at"),
    ),
    Command(_LORRY, "depart", "Send off", "in_transit", takes=("eway_bill", "departed_at")),
    Command(_LORRY, "deliver", "Deliver", "delivered", takes=("arrived_at", "gross_kg", "tare_kg")),
    Command(_LORRY, "short_close", "Close short", "short", takes=("arrived_at", "bales", "gross_kg", "tare_kg")),
    Command(_LORRY, "reject", "Turn away", "rejected", takes=("arrived_at",)),
    Command(_INVOICE, "issue", "Issue", "issued", takes=("number", "invoice_date", "due_date")),
    *_of("invoice", ("cancel", "Discard the draft", "cancelled")),
    *_of("visit", ("finish", "Finish", "done"), ("cancel", "Call off", "cancelled")),
    *_of("task", ("finish", "Finish", "done"), ("cancel", "Call off", "cancelled")),
)

BY_ENTITY_AND_NAME: Final[Mapping[tuple[str, str], Command]] = {(c.entity.name, c.name): c for c in COMMANDS}
assert len(BY_ENTITY_AND_NAME) == len(COMMANDS), "two commands of an entity have one name"


def of_entity(entity: Entity) -> tuple[Command, ...]:
    """Give the commands of an entity, in the order of its life."""
    return tuple(command for command in COMMANDS if command.entity is entity)
