"""The judge: what is wrong with a draft, by how its fields may change, by its references and by the rules of the trade.

Owns: the order of all checks, and those that follow from references; fields are checked in field_checks.py.
Must not know: SQL, protocol.
Invariant: a verdict depends on the draft, the record before it and the world only, so the same change gets the same verdict
wherever it comes from (tests/unit/test_judge.py, tests/integration/test_rules_in_push.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from conflict.mutation import Key, Mutation, group
from erp_core.catalogue import BY_NAME, ORDER
from erp_core.language import Derivation, Entity, Phone, Violation, World
from erp_core.values import Row
from sync_server.engine.access import assign, refusals, told, unknown_reference
from sync_server.engine.doubles import Doubles
from sync_server.engine.draft import Draft, Verdict
from sync_server.engine.field_checks import LOCKED, check_fields
from sync_server.engine.submission import Channel
from sync_server.engine.uses import in_use
from sync_server.engine.world import LoadedWorld

OF_OTHERS: Final = ("duplicate", "in_use")
"""Codes of faults that tell of other records."""


def judge_groups(
    drafts: Sequence[Draft], world: LoadedWorld, going_too: Mapping[Key, Sequence[Key]], doubles: Doubles
) -> None:
    """Give every draft its verdict: documents with their children together, parents before children.

    A refused draft takes its group with it, and the world shows the group's records as they were. What one group needs
    another may set free (the last bales of a lot, the place of the primary contact, a phone number), in whatever order they
    were sent: so the refused ones are judged again until a round accepts none of them. `going_too`: which records to be
    deleted are named by which others (uses.find_uses). `doubles`: who holds which unique value (doubles.find_doubles).
    """
    groups = _groups(drafts)
    open_groups = [(together, _as_merged(together)) for together in groups]
    while True:
        refused = [(together, merged) for together, merged in open_groups if not _accept(together, world, doubles)]
        if not refused or len(refused) == len(open_groups):
            break
        open_groups = refused
        for together, merged in refused:
            for draft, (after, verdict, faults) in zip(together, merged, strict=True):
                draft.after, draft.verdict, draft.faults = after, verdict, list(faults)
    while going_too and any(
        _keep_what_is_named(together, world, going_too) or _keep_what_is_held(together, world, doubles)
        for together in groups
    ):
        pass  # who stays may name others in turn, and holds what it held


def _as_merged(together: Sequence[Draft]) -> Sequence[tuple[Row | None, Verdict, Sequence[Violation]]]:
    """Note how a group came from the merge, to judge it again from there."""
    return [(draft.after, draft.verdict, tuple(draft.faults)) for draft in together]


def _accept(together: Sequence[Draft], world: LoadedWorld, doubles: Doubles) -> bool:
    """Judge a group; if one of it is guilty, refuse them all."""
    guilty = _first_guilty(together, world, doubles)
    if guilty is not None:
        _refuse_with(together, guilty, world)
    return guilty is None


def _keep_what_is_named(together: Sequence[Draft], world: LoadedWorld, going_too: Mapping[Key, Sequence[Key]]) -> bool:
    """Refuse a deletion if a record that names the doomed one was to go too and stays; say whether there was one."""
    for draft in together:
        staying = [key for key in going_too.get(draft.mutation.key, ()) if world.holds(key)]
        if staying and draft.writes:
            draft.refuse(in_use(staying[0], f" ({staying[0][1]})"))
            _refuse_with(together, draft, world)
            return True
    return False


def _keep_what_is_held(together: Sequence[Draft], world: LoadedWorld, doubles: Doubles) -> bool:
    """Refuse a draft that takes a value from a record that was to give it up and does not; say whether there was one."""
    for draft in together:
        if draft.writes and (faults := doubles.faults(draft, world)):
            draft.refuse(*faults)
            _refuse_with(together, draft, world)
            return True
    return False


def _groups(drafts: Sequence[Draft]) -> Sequence[Sequence[Draft]]:
    """Part drafts into documents with their children, each submission's apart; groups and members parents first."""
    by_key = {draft.mutation.key: draft for draft in drafts}

    def parent_of(mutation: Mutation) -> Key | None:
        draft = by_key[mutation.key]
        row, parent = draft.after or draft.before, draft.entity.parent_entity
        if row is None or parent is None or row[parent[0]] is None:
            return None
        above = (BY_NAME[parent[1]].table, row[parent[0]])
        return above if above in by_key and by_key[above].origin is draft.origin else None

    grouped = group((draft.mutation for draft in drafts), parent_of, lambda mutation: ORDER[mutation.table])
    return [[by_key[mutation.key] for mutation in together] for together in grouped]


def _first_guilty(together: Sequence[Draft], world: LoadedWorld, doubles: Doubles) -> Draft | None:
    """Judge each draft of a group; give the first one that must be refused."""
    for draft in together:
        if draft.verdict is Verdict.PARKED:
            _refuse_unless_admitted(draft, world)
            continue
        assign(draft)
        if not draft.faults and draft.after is not None and draft.verdict is not Verdict.DUPLICATE:
            draft.faults.extend(_unamended(draft, draft.after))
            derive = derivation_of(draft.entity)
            if not draft.faults and derive is not None:
                draft.after = {**draft.after, **derive(draft.after, world)}
        if not draft.faults:
            world.put(draft.entity, draft.mutation.id, draft.after)
    guilty = None
    for draft in together:
        if draft.verdict is Verdict.PARKED or (draft.verdict is Verdict.DUPLICATE and not draft.faults):
            continue
        draft.faults.extend(doubles.faults(draft, world))
        reasons = list(draft.faults) if draft.verdict is Verdict.REFUSED else judge(draft, world)
        if reasons:
            draft.faults.clear()
            draft.refuse(*reasons)
            guilty = guilty or draft
    return guilty


def _refuse_unless_admitted(draft: Draft, world: World) -> None:
    """Refuse what its author may not do anyway: nobody needs to decide about it, and its children go on without it."""
    draft.after = draft.wanted
    reasons = refusals(draft, world)
    draft.after = draft.before
    if reasons:
        draft.faults.clear()
        draft.refuse(*reasons)


def derivation_of(entity: Entity) -> Derivation | None:
    """Give the function that works out an entity's own DERIVED fields, if it has any."""
    return entity.derive


def _refuse_with(together: Sequence[Draft], guilty: Draft, world: LoadedWorld) -> None:
    culprit = f"{guilty.entity.title.lower()} {guilty.mutation.id}"
    for draft in together:
        if draft.verdict in (Verdict.ACCEPTED, Verdict.MERGED):
            sentence = f"It belongs together with {culprit}, which was refused: {guilty.faults[0].sentence}"
            draft.refuse(Violation("refused_together", sentence))
        world.put(draft.entity, draft.mutation.id, draft.before)


def judge(draft: Draft, world: World) -> list[Violation]:
    """Give everything that is wrong with a draft whose fields were looked at; an empty list accepts it.

    Rules of the trade run only on a row whose fields and references are right by themselves: they may rely on it.
    """
    if draft.origin.channel is Channel.PHONE and draft.entity.phone is not Phone.BOTH:
        return [
            Violation("read_only", f"{draft.entity.title} records are kept by the office; a phone cannot change them.")
        ]
    forbidden = refusals(draft, world)
    if forbidden:
        # What other records hold is told only to those who may do what they ask for.
        return [fault for fault in draft.faults if fault.code not in OF_OTHERS] or forbidden
    if draft.faults:
        return list(draft.faults)
    return told(draft, _by_the_trade(draft, world), world)


def _by_the_trade(draft: Draft, world: World) -> list[Violation]:
    if draft.after is None:
        assert draft.before is not None
        before = draft.before
        return [reason for rule in draft.entity.delete_rules for reason in rule(before, world)]
    after = _with_id(draft.after, draft)
    found = list(_by_reference(draft.entity, after, world))
    return found or [reason for rule in draft.entity.rules for reason in rule(after, draft.before, world)]


def _with_id(row: Row, draft: Draft) -> Row:
    """Let the rules of an entity that gathers what names a row know which row it is."""
    gathers = any(gather.via == "id" for gather in draft.entity.gathers)
    return {**row, "id": draft.mutation.id} if gathers else row


def _unamended(draft: Draft, after: Row) -> Iterator[Violation]:
    """Judge the fields of a draft; what an approved amendment says of them is why they may change."""
    for fault in check_fields(draft.entity, after, draft.before):
        if fault.code != LOCKED or not draft.amended.issuperset(fault.fields):
            yield fault


# --- By reference -----------------------------------------------------------------------------------------------------


def _by_reference(entity: Entity, after: Row, world: World) -> Iterator[Violation]:
    for field, target in entity.references:
        named = after[field.name]
        if named is not None and not field.derived and world.get(target, named) is None:
            yield unknown_reference(field.name, target)
