"""The demo organisation as a stream of rows, parents first.

Owns: how many rows there are, and in which portions they come.
Must not know: databases, users.
Invariant: the stream of a seed is one: `generate(records)` is a beginning of `generate(more)`, and it can be continued from
where any portion ended; memory does not grow with its length (tests/unit/test_demo.py).

After the reference data come blocks of about 70 rows: the partners of one branch, in turn, and the documents between them. A
block refers to itself and to reference data only, which is what keeps memory flat and lets a demo grow later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from random import Random
from typing import Final

from erp_core.catalogue import ORDER
from erp_core.demo.books import keep_books, negotiate
from erp_core.demo.deliveries import dispatch, inspect
from erp_core.demo.documents import Desk
from erp_core.demo.field_work import add_papers, add_work
from erp_core.demo.partners import ROLES, add_partners
from erp_core.demo.places import REGIONS
from erp_core.demo.reference import ORG_ID, OTHER_ORG_ID, TODAY, reference_data
from erp_core.demo.rows import Pile
from erp_core.entities.branch import BRANCH
from erp_core.entities.organisation import ORGANISATION
from erp_core.exposure import value_with_tax
from erp_core.language import Entity
from erp_core.values import Row

BATCH_ROWS: Final = 4_000
"""A batch is closed by the block that reaches this; with that block it stays below 5 000."""

CREDIT_STEP: Final = Decimal("2500000.00")

FIRST_SERIAL: Final = 100
"""Partners count from here; below are the organisations' own tax numbers."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Rows of one organisation that are written together, by entity in catalogue order.

    `blocks` and `records`: how far the stream has come with it, which is where `generate` can go on.
    """

    org_id: str
    tables: tuple[tuple[Entity, Mapping[str, Row]], ...]
    blocks: int
    records: int


def generate(records: int, seed: int = 1, *, blocks: int = 0, done: int = 0) -> Iterator[Portion]:
    """Make about `records` rows of the demo organisation (at least its reference data and one block; at most 100 too many).

    With `blocks` and `done` of an earlier portion it goes on after that one. Cost: about 25 µs a row.
    """
    reference = reference_data(seed)
    if not done:
        done = len(reference)
        yield Portion(ORG_ID, tuple(reference.tables()), 0, done)
    gathered: dict[Entity, dict[str, Row]] = {}
    waiting = 0
    for number in count(blocks):
        if done >= records and blocks:
            break
        block = make_block(reference, seed, number)
        done, waiting, blocks = done + len(block), waiting + len(block), number + 1
        for entity, rows in block.tables():
            gathered.setdefault(entity, {}).update(rows)
        if waiting >= BATCH_ROWS:
            yield Portion(ORG_ID, _in_order(gathered), blocks, done)
            gathered, waiting = {}, 0
    if waiting:
        yield Portion(ORG_ID, _in_order(gathered), blocks, done)


def other_organisation() -> Portion:
    """Make the second organisation: itself and its one branch, so that there is something nobody else may see."""
    pile = Pile(Random("other"), TODAY)  # noqa: S311 - demo data
    pile.add(
        ORGANISATION, OTHER_ORG_ID, legal_name="Sabarmati Fibres LLP", registered_address="Narol, Ahmedabad 382405"
    )
    pile.add(
        BRANCH, "OtherBranchAhmed", code="AMD", name="Ahmedabad", state="Gujarat", address="Narol, Ahmedabad 382405"
    )
    pile.derive()
    return Portion(OTHER_ORG_ID, tuple(pile.tables()), 0, len(pile))


def make_block(reference: Pile, seed: int, number: int) -> Pile:
    """Make block `number` of the stream of `seed`."""
    region = REGIONS[number % len(REGIONS)]
    pile = Pile(Random(f"{seed}/{number}"), TODAY, below=reference)  # noqa: S311 - demo data
    partners = add_partners(pile, region, FIRST_SERIAL + number * len(ROLES))
    transporters = [partner.id for partner in partners if partner.role == "transporter"]
    deals = Desk(pile, region, number, partners).work()
    for n, deal in enumerate(deals):
        inspect(pile, region, deal, number * 10 + n)
        dispatch(pile, region, deal, transporters)
    _limit_credit(pile)
    add_papers(pile, region, partners)
    add_work(pile, region, partners)
    if number >= len(REGIONS):  # the smallest demo has its records for partners and trades
        keep_books(pile, region, number, deals)
        negotiate(pile, region)
    pile.derive()
    return pile


def _limit_credit(pile: Pile) -> None:
    """Agree a limit with two buyers in three: steps of 25 lakh rupees, with room for all its trades and the next one."""
    for id, partner in pile.rows["business_partner"].items():
        if "buyer" in partner["kind"] and pile.rng.random() < 0.67:
            trades = pile.siblings("trade", "buyer_id", id)
            worth = sum((value_with_tax(trade) for trade in trades), Decimal(0))
            partner["credit_limit"] = (worth // CREDIT_STEP + 4) * CREDIT_STEP


def _in_order(gathered: Mapping[Entity, Mapping[str, Row]]) -> tuple[tuple[Entity, Mapping[str, Row]], ...]:
    return tuple(sorted(gathered.items(), key=lambda item: ORDER[item[0].table]))
