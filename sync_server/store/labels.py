"""Labels as SQL: the expression by which the capture triggers label a row, made from the declarations.

Owns: writing `erp_core/scopes.py` as a text[] over a row `n`. Used by whoever writes a migration and by the test that holds
the installed triggers to the declarations; never on a hot path.
Must not know: who holds a scope.
Invariant: for every row it gives what `erp_core.scopes.labels_of` gives (tests/integration/test_labels.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from erp_core.catalogue import BY_NAME, ENTITIES
from erp_core.language import Entity
from erp_core.scopes import ANY_BRANCH, ORG, SIDE, By, Everybody, Follows, Label, Said, While


def label_expression(entity: Entity, row: str = "n") -> str:
    """Write the labels of `entity` over the row alias `row`.

    >>> label_expression(BY_NAME["requirement"])
    "array_remove(ARRAY['branch', 'branch:' || n.branch_id, 'partner:' || n.buyer_id], NULL)"
    """
    own = [part for label in entity.labels for part in _own(label, row)]
    parts = [f"array_remove(ARRAY[{', '.join(own)}], NULL)"] if own else []
    parts += [_followed(label, row) for label in entity.labels if isinstance(label, Follows)]
    return " || ".join(parts)


def _own(label: Label, row: str) -> Iterator[str]:
    match label:
        case Everybody():
            yield f"'{ORG}'"
        case By(kind=kind, field=field, unless=unless):
            if kind == ANY_BRANCH:
                yield f"'{ANY_BRANCH}'"
            carried = f"'{kind}:' || {row}.{field}"
            yield f"CASE WHEN NOT ({_any(unless, row)}) THEN {carried} END" if unless else carried
        case Said(kind_field=kind, id_field=id):
            yield f"CASE WHEN {row}.{kind} = '{ORG}' THEN '{ORG}' ELSE {row}.{kind} || ':' || {row}.{id} END"
            yield f"CASE WHEN {row}.{kind} = '{ANY_BRANCH}' THEN '{ANY_BRANCH}' END"
        case While(label=name, where=where):
            conditions = " AND ".join(f"{row}.{field} IN ({_listed(values)})" for field, values in where)
            yield f"CASE WHEN {conditions} THEN '{name}' END"


def _followed(label: Follows, row: str) -> str:
    leader = BY_NAME[label.entity]
    alias = f"{row}_{label.field}"
    followed = (
        f"coalesce((SELECT {label_expression(leader, alias)} FROM {leader.table} {alias}"
        f" WHERE {alias}.org_id = {row}.org_id AND {alias}.id = {row}.{label.field}), '{{}}')"
    )
    if not label.inside:
        return followed
    outside = f"NOT ({_any(label.inside, row)}) OR s NOT LIKE '{SIDE}%'"
    return f"ARRAY(SELECT s FROM unnest({followed}) s WHERE {outside})"


def _any(conditions: Sequence[tuple[str, Sequence[str]]], row: str) -> str:
    return " OR ".join(f"{row}.{name} IN ({_listed(values)})" for name, values in conditions)


def _listed(values: Sequence[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def followers_of(entity: Entity) -> Sequence[tuple[str, str]]:
    """Name the (table, column) whose rows carry the labels of the `entity` they name, in catalogue order."""
    return [
        (follower.table, label.field)
        for follower in ENTITIES
        for label in follower.labels
        if isinstance(label, Follows) and label.entity == entity.name
    ]
