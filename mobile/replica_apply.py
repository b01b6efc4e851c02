"""Applying a pull to a device: WatermelonDB 0.28 `sync/impl/applyRemote`, incremental and replacement.

Owns: what a change set does to rows and tombstones, and what the real client complains about meanwhile.
Must not know: transports, the order of a sync's steps.
Invariant: rows change all together or not at all; tombstones go first, as in the real client, and stay gone even if the
rows then fail (tests/unit/test_replica.py; compared with the real client in tests/acceptance/test_watermelondb.py).
`experimentalQueryRecordsForReplacement` holds functions and cannot cross the wire, so it is not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from mobile.replica_rows import ConflictResolver, Row, requires_update, resolve_conflict, sanitized
from mobile.replica_schema import ClientThrows, Column

LISTS = ("created", "updated", "deleted")
PARTIAL = "This may suggest last sync partially executed, and then failed; or it could be a serious bug."


@dataclass(slots=True)
class Disk:
    """What survives a restart of the app: rows, ids deleted here and not yet pushed, and a few notes."""

    tables: dict[str, dict[str, Row]]
    deleted: dict[str, dict[str, None]]
    notes: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Context:
    """What applying needs besides the changes."""

    disk: Disk
    schema: Mapping[str, tuple[Column, ...]]
    random: Random
    complaints: list[str]
    send_created_as_updated: bool = False
    conflict_resolver: ConflictResolver | None = None


@dataclass(slots=True)
class _Plan:
    """One table's share of a pull: what to write, what to destroy. `prepared` finds a row that is written twice."""

    table: str
    creates: list[Row] = field(default_factory=list)
    updates: dict[str, Row] = field(default_factory=dict)
    destroys: list[str] = field(default_factory=list)
    forget: list[str] = field(default_factory=list)


def change_count(changes: Any) -> int:
    """Count the rows and ids of a change set (`changeSetCount`).

    Raises: ClientThrows if a table lacks one of its three lists.
    """
    if not changes:
        return 0
    total = 0
    for table, lists in changes.items():
        for name in LISTS:
            if not isinstance(lists, Mapping) or not isinstance(lists.get(name), list):
                raise ClientThrows(f"TypeError: changes.{table}.{name} is not a list")
            total += len(lists[name])
    return total


def apply_remote(changes: Any, strategy: Any, context: Context) -> None:
    """Apply a pull's change set; a missing one is taken as empty, as the real client takes it. Cost: O(rows in `changes`).

    Raises: ClientThrows where the real client throws; rows are then as before.
    """
    known = {table: lists for table, lists in (changes or {}).items() if table in context.schema}
    plans = [_destroyed(table, lists, _strategy(table, strategy), context) for table, lists in known.items()]
    tombstones = {plan.table: list(context.disk.deleted[plan.table]) for plan in plans}
    for plan in plans:
        for key in plan.forget:
            context.disk.deleted[plan.table].pop(key, None)
    for plan in plans:
        _prepare(plan, known[plan.table], frozenset(tombstones[plan.table]), context)
    for plan in plans:
        _check_constraint(plan, context.disk)
    for plan in plans:
        _write(plan, context.disk)


def _strategy(table: str, strategy: Any) -> str:
    if isinstance(strategy, Mapping):
        if not isinstance(strategy.get("override"), Mapping):
            raise ClientThrows("TypeError: experimentalStrategy.override is not an object")
        strategy = strategy["override"].get(table) or strategy.get("default")
    chosen = strategy or "incremental"
    if chosen not in ("incremental", "replacement"):
        raise ClientThrows("[Sync] Invalid pull strategy")
    return str(chosen)


def _destroyed(table: str, lists: Mapping[str, Any], strategy: str, context: Context) -> _Plan:
    """Decide which rows and tombstones go: the named ones, and in a replacement also all that it does not name."""
    rows, tombstones, named = context.disk.tables[table], context.disk.deleted[table], _texts(lists["deleted"])
    for raw in (*lists["created"], *lists["updated"]):
        if raw is None:
            raise ClientThrows(f"TypeError: a record of {table} is null")
    if strategy == "incremental":
        gone = [key for key in rows if key in named]
        return _Plan(table, destroys=gone, forget=[key for key in tombstones if key in named])
    keep = _texts(raw.get("id") for raw in (*lists["created"], *lists["updated"]) if isinstance(raw, Mapping))
    gone = [key for key, row in rows.items() if key in named or (key not in keep and row["_status"] != "created")]
    return _Plan(table, destroys=gone, forget=[key for key in tombstones if key in named or key not in keep])


def _texts(values: Iterable[Any]) -> set[str]:
    return {value for value in values if isinstance(value, str)}


def _prepare(plan: _Plan, lists: Mapping[str, Any], tombstones: frozenset[str], context: Context) -> None:
    where, rows = plan.table, context.disk.tables[plan.table]
    if context.send_created_as_updated and lists["created"]:
        context.complaints.append(
            "[Sync] 'sendCreatedAsUpdated' option is enabled, and yet server sends some records as 'created'"
        )
    for raw in lists["created"]:
        key = _validated(raw)
        if key in rows:
            context.complaints.append(
                f"[Sync] Server wants client to create record {where}#{key}, but it already exists locally. {PARTIAL}"
            )
            _prepare_update(plan, key, raw, context)
        else:
            if key in tombstones:
                context.complaints.append(
                    f"[Sync] Server wants client to create record {where}#{key}, but it already exists locally and is"
                    f" marked as deleted. {PARTIAL}"
                )
                context.disk.deleted[where].pop(key, None)
            _prepare_create(plan, raw, context)
    for raw in lists["updated"]:
        key = _validated(raw)
        if key in rows:
            _prepare_update(plan, key, raw, context)
        elif key not in tombstones:
            if not context.send_created_as_updated:
                context.complaints.append(
                    f"[Sync] Server wants client to update record {where}#{key}, but it doesn't exist locally."
                )
            _prepare_create(plan, raw, context)
    both = plan.updates.keys() & set(plan.destroys)
    if both:
        raise ClientThrows(f"Cannot destroy permanently record with pending changes ({where}#{min(both)})")


def _validated(raw: Any) -> Any:
    if not isinstance(raw, Mapping) or "id" not in raw or "_status" in raw or "_changed" in raw:
        raise ClientThrows(
            "[Sync] Invalid raw record supplied to Sync. Records must be objects, must have an 'id' field, and must NOT"
            " have a '_status' or '_changed' fields"
        )
    return raw["id"] if isinstance(raw["id"], str) else None


def _prepare_create(plan: _Plan, raw: Mapping[str, Any], context: Context) -> None:
    if "__proto__" in raw:
        raise ClientThrows("Malicious dirtyRaw detected - contains a __proto__ key")
    fresh = {**raw, "_status": "synced", "_changed": ""}
    plan.creates.append(sanitized(fresh, context.schema[plan.table], context.random))


def _prepare_update(plan: _Plan, id: str, raw: Mapping[str, Any], context: Context) -> None:
    local, columns = context.disk.tables[plan.table][id], context.schema[plan.table]
    if not requires_update(local, raw, columns, context.random):
        return
    resolved = resolve_conflict(local, raw)
    if context.conflict_resolver is not None:
        resolved = context.conflict_resolver(plan.table, dict(local), raw, resolved)
    if id in plan.updates:
        raise ClientThrows(f"Cannot update a record with pending changes ({plan.table}#{id})")
    plan.updates[id] = sanitized(resolved, columns, context.random)


def _check_constraint(plan: _Plan, disk: Disk) -> None:
    """Both adapters keep ids unique, tombstones included, and fail the whole batch."""
    seen = {*disk.tables[plan.table], *disk.deleted[plan.table]}
    for row in plan.creates:
        if row["id"] in seen:
            raise ClientThrows(f"UNIQUE constraint failed: {plan.table}.id ({row['id']})")
        seen.add(row["id"])


def _write(plan: _Plan, disk: Disk) -> None:
    rows = disk.tables[plan.table]
    rows.update(plan.updates)
    rows.update((row["id"], row) for row in plan.creates)
    for key in plan.destroys:
        del rows[key]
