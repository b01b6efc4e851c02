"""Rules that several entities share, made from the names of the fields they are about.

Owns: makers of rules; each gives a `Rule` (or `DeleteRule`) for an entity's declaration.
Must not know: how a rule is run, or what happens to a row that breaks one.
Invariant: a rule speaks up only about what a change touches: a row that SQL left in a bad way can still be edited
elsewhere (tests/properties/test_rules.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from itertools import pairwise
from typing import Any, Final

from erp_core.identifiers import is_gstin, is_pan, is_phone_number, pan_of, state_of
from erp_core.language import DeleteRule, Rule, Violation, World
from erp_core.values import Row

_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")

SELLERS: Final = ("seller", "ginner")
BUYERS: Final = ("buyer",)
BROKERS: Final = ("broker", "sub_broker")
TRANSPORTERS: Final = ("transporter",)
"""The kinds of partner that may stand in each place of a document."""


def touched(after: Row, before: Row | None, *names: str) -> bool:
    """Say whether a row is new or differs in one of the fields `names`."""
    return before is None or any(after[name] != before[name] for name in names)


def when_touched(*names: str) -> Callable[[Rule], Rule]:
    """Let a rule look only at rows that are new or differ in one of the fields `names`: `@when_touched("bales")`."""

    def wrap(rule: Rule) -> Rule:
        @wraps(rule)
        def checked(after: Row, before: Row | None, world: World) -> Iterator[Violation]:
            if touched(after, before, *names):
                yield from rule(after, before, world)

        return checked

    return wrap


def enters(after: Row, before: Row | None, states: frozenset[str]) -> bool:
    """Say whether a row comes into one of `states` from outside of them."""
    return after["state"] in states and (before is None or before["state"] not in states)


# --- One row by itself ------------------------------------------------------------------------------------------------


def in_order(*names: str) -> Rule:
    """The fields `names`, as far as they are given, do not fall: minimum and maximum, loading and arrival."""

    @when_touched(*names)
    def rule(after: Row, _before: Row | None, _world: World) -> Iterator[Violation]:
        given = [name for name in names if after[name] is not None]
        for first, second in pairwise(given):
            if after[first] > after[second]:
                sentence = f"{first} ({after[first]}) must not be later or larger than {second} ({after[second]})."
                yield Violation("out_of_order", sentence, (first, second))

    return rule


def two_parties(first: str, second: str, sentence: str) -> Rule:
    """The fields `first` and `second` name two partners, not one."""

    @when_touched(first, second)
    def rule(after: Row, _before: Row | None, _world: World) -> Iterator[Violation]:
        if after[first] == after[second]:
            yield Violation("one_party", sentence, (first, second))

    return rule


def in_pairs(first: str, second: str) -> Rule:
    """Both fields are given, or neither: latitude and longitude."""

    @when_touched(first, second)
    def rule(after: Row, _before: Row | None, _world: World) -> Iterator[Violation]:
        if (after[first] is None) != (after[second] is None):
            yield Violation(
                "incomplete", f"{first} and {second} belong together: give both or neither.", (first, second)
            )

    return rule


def tax_numbers(state: str, pan: str | None = "pan") -> Rule:
    """PAN and GSTIN can exist, and the GSTIN is of this PAN and of the state in the field `state`, where those are given.

    `pan` is None for an entity without a PAN of its own.
    """
    names = (state, "gstin") if pan is None else (state, "gstin", pan)

    @when_touched(*names)
    def rule(after: Row, _before: Row | None, _world: World) -> Iterator[Violation]:
        own_pan, gstin = None if pan is None else after[pan], after["gstin"]
        if pan is not None and own_pan is not None and not is_pan(own_pan):
            yield Violation("bad_pan", f"{own_pan} is not a PAN; compare it with the card.", (pan,))
        if gstin is None:
            return
        if not is_gstin(gstin):
            yield Violation("bad_gstin", f"{gstin} is not a GSTIN; compare it with the certificate.", ("gstin",))
            return
        if pan is not None and own_pan is not None and pan_of(gstin) != own_pan:
            sentence = f"The GSTIN is of PAN {pan_of(gstin)}, not of {own_pan}; one of the two is wrong."
            yield Violation("gstin_of_other_pan", sentence, ("gstin", pan))
        if after[state] is not None and state_of(gstin) != after[state]:
            sentence = f"The GSTIN is a registration in {state_of(gstin)}, not in {after[state]}."
            yield Violation("gstin_of_other_state", sentence, ("gstin", state))

    return rule


def well_formed(name: str, is_one: Callable[[str], bool], what: str) -> Rule:
    """The text in the field `name`, if there is one, is `what`: a telephone number, such as +919825012345."""

    @when_touched(name)
    def rule(after: Row, _before: Row | None, _world: World) -> Iterator[Violation]:
        if after[name] is not None and not is_one(after[name]):
            yield Violation("malformed", f"{after[name]} is not {what}.", (name,))

    return rule


phone_number: Final = well_formed(
    "phone", is_phone_number, "a telephone number: an Indian one is +91 and ten digits, such as +919825012345"
)
email_address: Final = well_formed(
    "email", lambda text: _EMAIL.fullmatch(text) is not None, "an e-mail address, such as desk@example.in"
)


def well_stated(name: str, faults: Callable[[Mapping[str, Any] | None], Iterator[str]]) -> Rule:
    """The document of quality in the field `name` has none of `faults` (erp_core/quality.py)."""

    @when_touched(name)
    def rule(after: Row, _before: Row | None, _world: World) -> Iterator[Violation]:
        for fault in faults(after[name]):
            yield Violation("bad_quality", f"{name}: {fault}.", (name,))

    return rule


# --- Rows that it names -----------------------------------------------------------------------------------------------


def partner_is(name: str, *kinds: str) -> Rule:
    """The partner in the field `name` is of one of `kinds`."""

    @when_touched(name)
    def rule(after: Row, _before: Row | None, world: World) -> Iterator[Violation]:
        partner = world.get("business_partner", after[name])
        if partner is not None and not set(kinds) & set(partner["kind"]):
            known = ", ".join(partner["kind"]) or "nothing yet"
            sentence = f"{partner['legal_name']} is known as {known}; {name} needs a {' or '.join(kinds)}."
            yield Violation("wrong_kind_of_partner", sentence, (name,))

    return rule


@when_touched("commodity_id", "variety_id")
def variety_of_commodity(after: Row, _before: Row | None, world: World) -> Iterator[Violation]:
    """The variety is one of the commodity."""
    variety = world.get("variety", after["variety_id"])
    if variety is not None and variety["commodity_id"] != after["commodity_id"]:
        sentence = f"{variety['name']} is a variety of another commodity; choose one of this commodity."
        yield Violation("variety_of_other_commodity", sentence, ("variety_id", "commodity_id"))


def one_primary(entity: str, parent: str) -> Rule:
    """Among the rows of `entity` with the same `parent` and kind one is primary. Declare Gather(entity, parent, parent)."""

    @when_touched(parent, "kind", "is_primary")
    def rule(after: Row, _before: Row | None, world: World) -> Iterator[Violation]:
        if not after["is_primary"]:
            return
        siblings = world.siblings(entity, parent, after[parent])
        if sum(row["is_primary"] and row["kind"] == after["kind"] for row in siblings) > 1:
            sentence = f"Another one is the primary of kind {after['kind']} already; make that one secondary first."
            yield Violation("second_primary", sentence, ("is_primary", "kind"))

    return rule


# --- Deletion ---------------------------------------------------------------------------------------------------------


def deletable_while(field: str, *states: str) -> DeleteRule:
    """A row may be deleted only while its `field` is one of `states`: later it is part of the books."""

    def rule(row: Row, _world: World) -> Iterator[Violation]:
        if row[field] not in states:
            sentence = f"It is {row[field]}; it can be deleted only while it is {' or '.join(states)}."
            yield Violation("not_deletable", sentence, (field,))

    return rule
