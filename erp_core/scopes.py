"""Scopes: the labels that a record carries, from which follows who may see it.

Owns: how an entity says which labels its records carry, and working them out for a row.
Must not know: who holds which scope, SQL (store/labels.py writes the same as an expression; a test holds the two equal).
Invariant: a record's labels follow from its own columns and those of the rows it follows, and from nothing else
(tests/integration/test_labels.py).

The labels, DESIGN.md §7:

| label | carried by |
|---|---|
| `org` | reference data: everybody of the organisation |
| `branch:<id>` | what belongs to a branch; with it the label `branch`, which who works across branches holds |
| `partner:<id>` | a partner, and the documents in which it is a side: for the house's own people |
| `side:<id>` | the same for the partner's people, as soon as it is no longer a draft |
| `agent:<user>` | a partner, of the agent to whom it is assigned |
| `user:<id>` | what is one person's own |
| `partners` | offers that are open to every partner |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from erp_core.values import Row, Value

ORG: Final = "org"
ANY_BRANCH: Final = "branch"
PARTNERS: Final = "partners"
SIDE: Final = "side:"
DRAFT: Final = (("state", ("draft",)),)
"""What a partner does not hear of yet."""


class Labelled(Protocol):
    """What `labels_of` needs of an entity."""

    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> tuple[Label, ...]: ...


@dataclass(frozen=True, slots=True)
class Everybody:
    """The record is the whole organisation's."""


@dataclass(frozen=True, slots=True)
class By:
    """The record is of the branch, partner, agent or user that `field` names; "id": the record itself. Empty: of none.

    `unless`: not while one of these fields has one of these values.
    """

    kind: str
    field: str
    unless: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """The record says itself for whom it is: `kind_field` says org, branch or user, `id_field` which one."""

    kind_field: str
    id_field: str


@dataclass(frozen=True, slots=True)
class While:
    """The record carries `label` as long as each field of `where` has one of its values."""

    label: str
    where: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Follows:
    """The record carries the labels of the one that `field` names, of the entity `entity`.

    `inside`: those of the sides not while one of these fields has one of these values.
    """

    field: str
    entity: str
    inside: tuple[tuple[str, tuple[str, ...]], ...] = ()


Label: TypeAlias = Everybody | By | Said | While | Follows

Look: TypeAlias = Callable[[str, str], frozenset[str]]
"""(entity, id) -> the labels of that record, empty if there is none."""


def labels_of(entity: Labelled, id: str, row: Row, look: Look) -> frozenset[str]:
    """Give the labels that a record carries; `look` finds those of the records it follows."""
    labels: list[str] = []
    for declared in entity.labels:
        labels += _labels(declared, id, row, look)
    return frozenset(labels)


def _labels(declared: Label, id: str, row: Mapping[str, Value], look: Look) -> Sequence[str]:
    match declared:
        case Everybody():
            return (ORG,)
        case By(kind=kind, field=field, unless=unless):
            # Of the branches every record of a table carries the common label or none does, whatever its branch.
            common = (ANY_BRANCH,) if kind == ANY_BRANCH else ()
            return common if _any(row, unless) else (*common, *_named(kind, id if field == "id" else row[field]))
        case Said(kind_field=kind_field, id_field=id_field):
            return _named(str(row[kind_field]), row[id_field])
        case While(label=label, where=where):
            return (label,) if all(row[name] in values for name, values in where) else ()
        case Follows(field=field, entity=entity, inside=inside):
            if row[field] is None:
                return ()
            followed = look(entity, str(row[field]))
            return [label for label in followed if not label.startswith(SIDE) or not _any(row, inside)]


def _any(row: Mapping[str, Value], conditions: tuple[tuple[str, tuple[str, ...]], ...]) -> bool:
    return bool(conditions) and any(row[name] in values for name, values in conditions)


def _named(kind: str, id: Value) -> Sequence[str]:
    if kind == ORG:
        return (ORG,)
    if id is None:
        return ()
    return (ANY_BRANCH, f"{kind}:{id}") if kind == ANY_BRANCH else (f"{kind}:{id}",)
