"""Privacy: what is known of a person, and what is left of it once the person is forgotten.

Owns: who can be forgotten, where the declarations say that something is known of them, what a field holds afterwards, and what
must be done first.
Must not know: where copies are kept, who may ask.
Invariant: whatever a declaration calls personal is reached from a person, and nothing else (tests/unit/test_privacy.py).

A record that documents name stays, without what is personal: a trade is kept with a partner of whom nothing is known. What
belongs to it alone (its contacts, papers, accounts) goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from erp_core.catalogue import BY_NAME, ENTITIES
from erp_core.entities.attachment import ATTACHMENT
from erp_core.language import Entity, Field
from erp_core.values import Row, Value

SUBJECTS: Final = ("user", "business_partner", "partner_contact")
"""The entities whose records are persons; a business partner may be one (a proprietor, a farmer)."""

FORGOTTEN: Final = "erased"
"""What stands where a name must stand."""

COPIES: Final[Mapping[str, tuple[str, ...]]] = {
    "notification": ("body",),
    "sync_issue": ("sentence", "payload", "ours", "base", "theirs", "outcomes"),
}
"""Entities whose records repeat what others say; `table_name` and `record_id` say which."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Where something is known of a person: in those records of `entity` whose `field` names the person ("id": are them).

    `names`: the fields that tell of the person. `goes`: the record belongs to nobody else and is deleted.
    """

    entity: Entity
    field: str
    names: tuple[str, ...]
    goes: bool = False

    def tells_of(self, person: str, table: str, id: str, members: Mapping[str, Any]) -> bool:
        """Say whether a record, by its JSON, tells of a person here."""
        return self.entity.table == table and person == (id if self.field == "id" else members[self.field])


@cache
def traces_of(subject: str) -> Sequence[Trace]:
    """Give where something is known of a person that is a record of `subject`; the record itself first.

    >>> [(trace.entity.name, trace.field, trace.goes) for trace in traces_of("partner_contact")]
    [('partner_contact', 'id', True)]
    """
    entity = BY_NAME[subject]
    own = Trace(entity, "id", _names(entity, "id"), goes=entity.parent is not None)
    return (own, *_belonging(entity), *_elsewhere(entity))


def where_to_look(traces: Sequence[Trace], person: str) -> Sequence[tuple[str, str, str]]:
    """Give what the records have in common that tell of a person: (table, field, value)."""
    return [(trace.entity.table, trace.field, person) for trace in traces]


def _belonging(subject: Entity) -> Iterator[Trace]:
    for entity in ENTITIES:
        field = entity.parent_entity
        if field is not None and field[1] == subject.name and _names(entity, "id"):
            yield Trace(entity, field[0], _names(entity, "id"), goes=True)
    if subject.name == "business_partner":
        # The papers of a partner; what an attachment shows is in its bytes, and they go with it.
        yield Trace(ATTACHMENT, "partner_id", _names(ATTACHMENT, "created_by"), goes=True)


def _elsewhere(subject: Entity) -> Iterator[Trace]:
    for entity in ENTITIES:
        for name in dict.fromkeys(field.personal for field in entity.fields if field.personal not in ("", "id")):
            if _whose(entity, name) == subject.name:
                yield Trace(entity, name, _names(entity, name))


def _whose(entity: Entity, name: str) -> str:
    return next((target for field, target in entity.references if field.name == name), "user")


def _names(entity: Entity, whom: str) -> tuple[str, ...]:
    return tuple(field.name for field in entity.fields if field.personal == whom)


def forgotten(field: Field, id: str) -> Value:
    """Give what a field holds once its person is forgotten.

    >>> forgotten(BY_NAME["user"].by_name["username"], "u7"), forgotten(BY_NAME["user"].by_name["email"], "u7")
    ('erased-u7', None)
    """
    if not field.required:
        return None
    if field.default is not None:
        return field.default
    return f"{FORGOTTEN}-{id}" if field.unique else FORGOTTEN


def left_of(entity: Entity, id: str, row: Row, names: Sequence[str]) -> Row:
    """Give what is left of a record without what `names` tell of a person. A user can do nothing any more."""
    kept = {**row, **{name: forgotten(entity.by_name[name], id) for name in names}}
    return {**kept, "is_active": False} if entity.name == "user" and "username" in names else kept


# --- What must be done first --------------------------------------------------------------------------------------------


@cache
def open_work() -> Sequence[tuple[Entity, str, tuple[str, ...]]]:
    """Give which records keep a partner from being forgotten: (entity, its field, the states in which somebody works on it).

    Who is named by a contract under way is needed for it; the law lets data be kept for as long as they serve their purpose
    (Digital Personal Data Protection Act, 2023, section 8(7)).
    """
    return [
        (entity, field.name, entity.states.at_work)
        for entity in ENTITIES
        if entity.states is not None and entity.name not in (*SUBJECTS, "visit", "task")
        for field, target in entity.references
        if target == "business_partner"
    ]
