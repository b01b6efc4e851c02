"""What an issue's author wanted: which columns they changed, and the mutation that does it again over what is there now.

Owns: the reading of an issue's documents, and the mutation that follows from them.
Must not know: SQL, HTTP, who resolves it, what becomes of the mutation.
Invariant: of a record that is there only the columns that the author changed are written, and of a count what the author added;
the phone does the same (mobile/sdk/src/inbox.ts; tests/unit/test_wanting.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from conflict.mutation import Mutation, Operation
from erp_core.language import Entity, Field, Kind
from erp_core.values import Plain, Row, Unreadable

NOTED: Final = "_changed"
"""The member of a payload that names the columns which WatermelonDB noted as changed."""


def columns_changed(entity: Entity, issue: Row) -> Sequence[str]:
    """Name the columns that the author of `issue` changed, of those that people write.

    As WatermelonDB noted them, else what differs from the base, else all that was sent.
    """
    payload: Mapping[str, Any] = issue["payload"] or {}
    base, wanted = issue["base"], issue["theirs"] or payload
    own = [field.name for field in entity.fields if not field.derived]
    noted = payload.get(NOTED) if issue["operation"] == Operation.UPDATED.value else None
    if noted:
        return [name for name in own if name in noted.split(",")]
    if base:
        return [name for name in own if name in wanted and base.get(name) != wanted[name]]
    return [name for name in own if name in payload]


def with_earlier(entity: Entity, earlier: Row, issue: Row) -> Row:
    """Add to `issue` what its author wanted `earlier` of the same record and has not changed again since.

    So one issue holds all that somebody wants of a record and has not got; a deletion is the last word.
    """
    if Operation.DELETED.value in (earlier["operation"], issue["operation"]):
        return issue
    latest, wanted = columns_changed(entity, issue), earlier["theirs"] or {}
    kept = [name for name in columns_changed(entity, earlier) if name not in latest and name in wanted]
    if not kept:
        return issue
    before = {name: earlier["base"][name] for name in kept if name in (earlier["base"] or {})}
    base = None if issue["base"] is None else {n: v for n, v in issue["base"].items() if n not in kept} | before
    added = {name: wanted[name] for name in kept}
    noted = {NOTED: ",".join([*latest, *kept])} if issue["operation"] == Operation.UPDATED.value else {}
    return {
        **issue,
        "payload": {**(issue["payload"] or {}), **added, **noted},
        "theirs": {**(issue["theirs"] or {}), **added},
        "base": base,
        "fields": tuple(sorted({*earlier["fields"], *issue["fields"]})),
    }


def do_again(
    entity: Entity, issue: Row, now: Row | None, gone: int | None, values: Mapping[str, Plain]
) -> Mutation | None:
    """Make the mutation that does what the author wanted, with `values` in place of some columns; None: it is so already.

    `now`: the record as it is, inside form; None: it is not there, and `gone` is where it was deleted, if it was (a position).
    What was deleted comes back under another id: nobody who was told of the deletion sees that id alive again.
    """
    table, id, operation = entity.table, issue["record_id"], issue["operation"]
    if operation == Operation.DELETED.value and not values:
        return None if now is None else Mutation(table, id, Operation.DELETED, {})
    if now is None:
        anew = id if gone is None else hashlib.sha256(f"{issue['author_id']}/{id}/{gone}".encode()).hexdigest()[:24]
        return Mutation(table, anew, Operation.CREATED, {**_whole(entity, issue), **values})
    again = {**_edits(entity, issue, now), **values}
    return Mutation(table, id, Operation.UPDATED, again, frozenset(again)) if again else None


def _whole(entity: Entity, issue: Row) -> dict[str, Plain]:
    """Give the record as it was wanted, to be made anew: it begins where such a record begins."""
    wanted: Mapping[str, Plain] = issue["theirs"] or issue["ours"] or {}
    return {
        field.name: wanted[field.name]
        for field in entity.fields
        if not field.derived and field.name in wanted and _may_begin(entity, field, wanted[field.name])
    }


def _may_begin(entity: Entity, field: Field, value: Plain) -> bool:
    return field.name not in entity.machines or value in entity.machines[field.name].begins


def _edits(entity: Entity, issue: Row, now: Row) -> dict[str, Plain]:
    if issue["operation"] == Operation.DELETED.value:
        return {}
    wanted, base = issue["theirs"] or {}, issue["base"]
    return {
        name: _counted(entity.by_name[name], now[name], wanted[name], base)
        for name in columns_changed(entity, issue)
        if name in wanted
    }


def _counted(field: Field, now: Any, wanted: Plain, base: Mapping[str, Plain] | None) -> Plain:
    """Give the value to write: of a count what is there now and what the author added, if that is known."""
    if field.change.kind is not Kind.TALLY or base is None or field.name not in base:
        return wanted
    try:
        mine, before = (0 if value is None else field.type.read(value) for value in (wanted, base[field.name]))
    except Unreadable:
        return wanted  # it will be refused for that
    total = (now or 0) + mine - before
    plain: Plain = field.type.plain(total)
    return plain
