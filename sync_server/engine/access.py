"""Access: whether the author of a draft may do what it does, by the record's scopes and the codes that count there.

Owns: the checks of a write, the same for push, REST and imports: operation, fields, states, references; and what of a
refusal may be told.
Must not know: SQL, protocol, how entitlements are worked out.
Invariant: a draft that passes changes only what a code of its author admits, before the change and after it; and what is said
of a refusal names nothing that its author could not read (tests/unit/test_access_of_drafts.py,
tests/integration/test_access_in_push.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, partial
from typing import Final

from erp_core.access import admits
from erp_core.catalogue import BY_NAME
from erp_core.language import Entity, Field, Violation, World
from erp_core.scopes import labels_of
from erp_core.values import Row
from sync_server.engine.draft import Draft, Verdict
from sync_server.engine.entitlements import mask_of

OUT_OF_SCOPE: Final = "out_of_scope"
NOT_ALLOWED = "not_allowed"


def assign(draft: Draft) -> None:
    """Assign what an agent creates to that agent, if nobody else is named: it would vanish from the phone that made it."""
    field, user = draft.entity.assignee, draft.origin.actor.user_id
    if field is None or draft.before is not None or draft.after is None or draft.after[field] is not None:
        return
    if f"agent:{user}" in draft.origin.entitled.holds:
        draft.after = {**draft.after, field: user}


def labels_after(draft: Draft, world: World) -> frozenset[str]:
    """Give the labels that the draft's record will carry."""
    assert draft.after is not None
    return labels_of(draft.entity, draft.mutation.id, draft.after, partial(_labels, world))


def _labels(world: World, entity: str, id: str) -> frozenset[str]:
    row = world.get(entity, id)
    if row is None:
        return frozenset()
    return labels_of(BY_NAME[entity], id, row, partial(_labels, world))


def refusals(draft: Draft, world: World) -> list[Violation]:
    """Give why the author may not do this; an empty list: nothing speaks against it."""
    access, title, entitled = draft.entity.access, draft.entity.title.lower(), draft.origin.entitled
    before = entitled.codes(draft.labels)
    if draft.after is None:
        taken = _takes_rights(draft, world)
        return taken if admits(access.delete, before) else [_refused(draft, access.delete, f"delete this {title}")]
    if draft.after == draft.before:
        return []
    labels = labels_after(draft, world)
    after = entitled.codes(labels)
    if draft.before is None:
        if not admits(access.create, after):
            # A child of a record that the author cannot see carries no label of theirs: what is wrong is the parent's name.
            return list(_of_references(draft, world)) or [_refused(draft, access.create, f"make this {title}")]
        return [
            *_of_fields(draft, after),
            *_of_states(draft, after),
            *_of_references(draft, world),
            *_of_rights(draft, world),
        ]
    if not admits(access.update, before):
        return [_refused(draft, access.update, f"change this {title}")]
    if labels != draft.labels and not admits(access.update, after):
        return [_refused(draft, access.update, f"move this {title} there")]
    return [
        *_of_fields(draft, before),
        *_of_states(draft, before),
        *_of_references(draft, world),
        *_of_rights(draft, world),
    ]


def _refused(draft: Draft, asked: tuple[str, ...], what: str) -> Violation:
    """Tell two cases apart: no scope at all in which the author may do this, and not in this one."""
    if any(draft.origin.entitled.has(code) for code in asked):
        return Violation(OUT_OF_SCOPE, f"You cannot {what}: it is outside of what you work on. Ask your manager.")
    return Violation(NOT_ALLOWED, f"Your role does not allow you to {what}. Ask your manager.")


def not_theirs(draft: Draft) -> Violation:
    """Refuse a change of a record that its author cannot see; nothing of it is told."""
    return _refused(draft, draft.entity.access.read, f"change this {draft.entity.title.lower()}")


# --- Fields, states, references ---------------------------------------------------------------------------------------


@cache
def _kept_apart(entity: Entity) -> Sequence[Field]:
    """Give the fields that ask for a code of their own; once per entity, because every pushed record passes here."""
    return [field for field in entity.fields if not field.derived and (field.write or field.read)]


def _of_fields(draft: Draft, codes: frozenset[str]) -> Iterator[Violation]:
    assert draft.after is not None
    before = draft.entity.blank if draft.before is None else draft.before
    for field in _kept_apart(draft.entity):
        if draft.after[field.name] == before[field.name]:
            continue
        own = field.name == draft.entity.assignee and draft.before is None
        if own and draft.after[field.name] == draft.origin.actor.user_id:
            continue
        if (field.write and not admits(field.write, codes)) or (field.read and not admits(field.read, codes)):
            sentence = f"Your role does not allow you to set {field.name}. Leave it as it was, or ask your manager."
            yield Violation(NOT_ALLOWED, sentence, (field.name,))


def _of_states(draft: Draft, codes: frozenset[str]) -> Iterator[Violation]:
    """Of a step that waits for a person, what was taken counts: others may have gone where no way leads on from."""
    assert draft.after is not None
    start = draft.base if draft.verdict is Verdict.PARKED and draft.base is not None else draft.before
    for name, machine in draft.entity.machines.items():
        goal = draft.after[name]
        if goal is None or (draft.before is not None and draft.before[name] == goal):
            continue
        asked = machine.asks(None if start is None else start[name], goal)
        if not all(admits(one, codes) for one in asked):
            sentence = f"Your role does not allow you to bring a {draft.entity.title.lower()} to {goal}."
            yield Violation(NOT_ALLOWED, sentence, (name,))


def _of_references(draft: Draft, world: World) -> Iterator[Violation]:
    """A record that the author cannot see is, for the author, not there: the same words as for one that is not.

    What the server derives is nobody's to choose.
    """
    assert draft.after is not None
    for field, target in draft.entity.references:
        named = draft.after[field.name]
        if named is None or field.derived or (draft.before is not None and draft.before[field.name] == named):
            continue
        codes = draft.origin.entitled.codes(_labels(world, target, named))
        if not mask_of(BY_NAME[target], codes):
            yield unknown_reference(field.name, target)


def unknown_reference(field: str, target: str) -> Violation:
    """Say that a field names a record that is not there."""
    title = BY_NAME[target].title.lower()
    return Violation("unknown_reference", f"{field} names a record ({title}) that does not exist (any more).", (field,))


# --- Rights -----------------------------------------------------------------------------------------------------------


def _of_rights(draft: Draft, world: World) -> Iterator[Violation]:
    """Nobody gives more than they have, and nobody takes their own: so somebody who can give is always left."""
    after, user = draft.after, draft.origin.actor.user_id
    assert after is not None
    if draft.entity.name == "user" and draft.mutation.id == user and not after["is_active"]:
        yield Violation("own_rights", "You cannot disable yourself; another administrator can.", ("is_active",))
    if draft.entity.name == "grant" and after["user_id"] == user and draft.before is not None:
        yield Violation("own_rights", "You cannot change what you were given; another administrator can.", ("user_id",))
    if draft.entity.name == "grant":
        role = world.get("role", after["role_id"])
        if role is not None and not role["external"]:
            yield from _more_than_had(draft, role, ("role_id",))
    if draft.entity.name == "role" and not after["external"]:
        yield from _more_than_had(draft, after, ("codes",))


def _more_than_had(draft: Draft, role: Row, fields: tuple[str, ...]) -> Iterator[Violation]:
    more = sorted(set(role["codes"] or ()) - draft.origin.entitled.codes(("org",)))
    if more:
        yield Violation("more_than_had", f"You cannot give what you do not have: {', '.join(more)}.", fields)


def _takes_rights(draft: Draft, world: World) -> list[Violation]:
    """Nobody takes their own rights, nor those of somebody who may do more."""
    row = draft.before
    if draft.entity.name != "grant" or row is None:
        return []
    if row["user_id"] == draft.origin.actor.user_id:
        return [Violation("own_rights", "You cannot take away what you were given; another administrator can.")]
    role = world.get("role", row["role_id"])
    if role is not None and not role["external"] and list(_more_than_had(draft, role, ())):
        return [Violation("out_of_reach", "This grant holds more than you have; ask somebody who has as much.")]
    return []


# --- What is told -----------------------------------------------------------------------------------------------------


def told(draft: Draft, reasons: list[Violation], world: World) -> list[Violation]:
    """Give `reasons` in words that name nothing the author may not see."""
    return [
        reason if _may_hear(draft, reason, world) else Violation(reason.code, reason.instead, reason.fields)
        for reason in reasons
    ]


def _may_hear(draft: Draft, reason: Violation, world: World) -> bool:
    """Say whether the author has one of the codes, for the record and for each that the reason's fields name."""
    if not reason.needs:
        return True
    row = draft.before if draft.after is None else draft.after
    assert row is not None
    labels = draft.labels if draft.after is None else draft.labels | labels_after(draft, world)
    references = ((field.name, target) for field, target in draft.entity.references if field.name in reason.fields)
    named = [_labels(world, target, row[name]) for name, target in references if row[name] is not None]
    return all(admits(reason.needs, draft.origin.entitled.codes(one)) for one in (labels, *named))
