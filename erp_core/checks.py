"""Checks that several entities share, as rules: tax numbers, ranges, roles of partners, one primary, deletion.

Owns: the shape of a shared rule. `fields_at_fault` of a violation are always fields of the row itself.
Must not know: any one entity, beyond the names of the fields it is handed.
Invariant: a check complains about what a change touches, never about what it found: a row that SQL, an older rule or the
passing of time put out of order can still be edited in every other respect (tests/properties/test_rules.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from erp_core.identifiers import gstin_fault, pan_fault, pan_of, state_of
from erp_core.language import DeleteRule, Rule, States, Violation, World
from erp_core.values import Row

SELLING: Final = ("seller", "ginner")
BUYING: Final = ("buyer",)
BROKING: Final = ("broker", "sub_broker")
CARRYING: Final = ("transporter",)
"""The kinds of business partner that may stand in each place of a document."""


def changed(after: Row, before: Row | None, *names: str) -> bool:
    """Say whether a change touches one of the fields; a new row touches all of them."""
    return before is None or any(after[name] != before[name] for name in names)


def enters(after: Row, before: Row | None, states: frozenset[str], field: str = "state") -> bool:
    """Say whether the row comes into one of `states` from outside of them."""
    return after[field] in states and (before is None or before[field] not in states)


# --- Values -----------------------------------------------------------------------------------------------------------


def well_formed(field: str, fault: Callable[[str], str | None]) -> Rule:
    """Make the rule that a text, if there is one, has no fault (identifiers.py)."""

    def rule(after: Row, before: Row | None, _: World) -> Iterator[Violation]:
        if after[field] is not None and changed(after, before, field):
            wrong = fault(after[field])
            if wrong is not None:
                yield Violation("malformed", f"{field} {after[field]!r} {wrong}.", (field,))

    return rule


def ordered(first: str, last: str, code: str = "wrong_order") -> Rule:
    """Make the rule that `first` is at or before `last`, where both are known."""

    def rule(after: Row, before: Row | None, _: World) -> Iterator[Violation]:
        low, high = after[first], after[last]
        if low is not None and high is not None and low > high and changed(after, before, first, last):
            yield Violation(
                code, f"{first} is {low} and {last} is {high}; they are the wrong way round.", (first, last)
            )

    return rule


def together(*fields: str) -> Rule:
    """Make the rule that all of the fields are known or none: half of a pair of coordinates is no place."""

    def rule(after: Row, before: Row | None, _: World) -> Iterator[Violation]:
        empty = [field for field in fields if after[field] is None]
        if empty and len(empty) < len(fields) and changed(after, before, *fields):
            yield Violation(
                "incomplete", f"{' and '.join(empty)} is missing; {' and '.join(fields)} go together.", fields
            )

    return rule


def tax_numbers(*, pan: str | None, state: str | None, gstin: str = "gstin") -> Rule:
    """Make the rule that a row's PAN and GSTIN are genuine in form and agree with each other and with its state."""
    names = tuple(name for name in (pan, gstin, state) if name is not None)

    def rule(after: Row, before: Row | None, _: World) -> Iterator[Violation]:
        if not changed(after, before, *names):
            return
        own_pan, own_gstin = after[pan] if pan else None, after[gstin]
        own_state = after[state] if state else None
        if pan is not None and own_pan is not None and (wrong := pan_fault(own_pan)) is not None:
            yield Violation("malformed", f"{pan} {own_pan!r} {wrong}.", (pan,))
        if own_gstin is None:
            return
        if (wrong := gstin_fault(own_gstin)) is not None:
            yield Violation("malformed", f"{gstin} {own_gstin!r} {wrong}.", (gstin,))
            return
        if pan is not None and own_pan not in (None, pan_of(own_gstin)):
            sentence = f"The GSTIN {own_gstin} belongs to the PAN {pan_of(own_gstin)}, not to {own_pan}."
            yield Violation("gstin_pan", sentence, (gstin, pan))
        if state is not None and own_state not in (None, state_of(own_gstin)):
            sentence = f"The GSTIN {own_gstin} is registered in {state_of(own_gstin)}, but {state} is {own_state}."
            yield Violation("gstin_state", sentence, (gstin, state))

    return rule


# --- Other rows -------------------------------------------------------------------------------------------------------


def of_kind(field: str, kinds: tuple[str, ...]) -> Rule:
    """Make the rule that the partner that `field` names is of one of `kinds`."""

    def rule(after: Row, before: Row | None, world: World) -> Iterator[Violation]:
        partner = world.get("business_partner", after[field])
        if partner is not None and changed(after, before, field) and not set(kinds) & set(partner["kind"] or ()):
            wanted = " or ".join(kind.replace("_", "-") for kind in kinds)
            sentence = f"{partner['legal_name']} is not a {wanted}; add the kind to the partner or choose another one."
            yield Violation("wrong_kind", sentence, (field,))

    return rule


def variety_of_commodity(after: Row, before: Row | None, world: World) -> Iterator[Violation]:
    """The variety is one of the commodity's."""
    variety = world.get("variety", after["variety_id"])
    if variety is None or variety["commodity_id"] == after["commodity_id"]:
        return
    if changed(after, before, "variety_id", "commodity_id"):
        sentence = f"{variety['name']} is a variety of another commodity."
        yield Violation("variety_of_another_commodity", sentence, ("variety_id", "commodity_id"))


def one_primary(entity: str, noun: str) -> Rule:
    """Make the rule that a partner has at most one primary `noun` of a kind; `entity` gathers itself by partner_id."""

    def rule(after: Row, before: Row | None, world: World) -> Iterator[Violation]:
        if not after["is_primary"] or not changed(after, before, "is_primary", "kind", "partner_id"):
            return
        siblings = world.siblings(entity, "partner_id", after["partner_id"])
        if sum(1 for each in siblings if each["is_primary"] and each["kind"] == after["kind"]) > 1:
            sentence = (
                f"The partner already has a primary {noun} of the kind {after['kind']}; make that one secondary first."
            )
            yield Violation("second_primary", sentence, ("is_primary", "kind"))

    return rule


# --- Deletion ---------------------------------------------------------------------------------------------------------


def only_at_the_beginning(states: States, noun: str, instead: str) -> DeleteRule:
    """Make the rule that a row is deleted in its first state only; afterwards others may have acted on it."""

    def rule(row: Row, _: World) -> Iterator[Violation]:
        first = states.words[0]
        if row[states.field] != first:
            sentence = f"Only a {first} {noun} can be deleted; this one is {row[states.field]}: {instead}."
            yield Violation("not_deletable", sentence, (states.field,))

    return rule
