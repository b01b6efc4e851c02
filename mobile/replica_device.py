"""The app's database on a device: rows, ids deleted and not yet pushed, a few notes; and what the user does to them.

Owns: local create, update and delete as WatermelonDB's Model does them, the disk and its copies.
Must not know: transports, the steps of a sync, the server.
Invariant: an edit notes in `_changed` exactly the columns whose value it changed (tests/unit/test_replica.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from random import Random, SystemRandom
from typing import Any

from mobile.replica_apply import Disk, change_count
from mobile.replica_rows import Row, clean, mark_changed, random_id, same, sanitized
from mobile.replica_schema import ClientThrows, Column, Migration, Schema, schema_of, steps

LAST_PULLED_AT = "__watermelon_last_pulled_at"


class Device:
    """A database without sync. `schema`: table -> columns (names, or `Column` with a type).

    `random` makes ids. `now` gives milliseconds; with it, edits touch `updated_at` as a model with `updatedAt` does.
    """

    def __init__(
        self,
        schema: Mapping[str, Iterable[Column | str]],
        *,
        version: int = 1,
        migrations: Sequence[Migration] | None = None,
        random: Random | None = None,
        now: Callable[[], int] | None = None,
    ) -> None:
        self.schema: Schema = schema_of(schema)
        self.version = version
        self.migrations = migrations
        self._random = random or SystemRandom()
        self._now = now
        self._reset_count = 0
        self._disk = Disk({table: {} for table in self.schema}, {table: {} for table in self.schema})

    # --- What the user does -------------------------------------------------------------------------------------------

    def create(self, table: str, values: Mapping[str, Any], id: str | None = None) -> str:
        """Create a row locally and give its id. Raises: KeyError for an unknown table or column."""
        columns = self._columns(table, values)
        new_id = random_id(self._random) if id is None else id
        if new_id in self._disk.tables[table] or new_id in self._disk.deleted[table]:
            raise ClientThrows(f"UNIQUE constraint failed: {table}.id ({new_id})")
        stamps = {} if self._now is None else dict.fromkeys(("created_at", "updated_at"), self._now())
        row = sanitized({**stamps, **values}, columns, self._random)
        self._disk.tables[table][new_id] = {**row, "id": new_id}
        return new_id

    def update(self, table: str, id: str, values: Mapping[str, Any]) -> None:
        """Edit a row: only columns whose value really changes are noted in `_changed`."""
        columns = {column.name: column for column in self._columns(table, values)}
        row = self._disk.tables[table][id]
        if self._now is not None and "updated_at" in columns:
            values = {"updated_at": self._now(), **values}
        for name, value in values.items():
            cleaned = clean(value, columns[name])
            if not same(row[name], cleaned):
                row[name] = cleaned
                mark_changed(row, name)

    def delete(self, table: str, id: str) -> None:
        """Mark a row as deleted: it is gone for the user, its id waits to be pushed."""
        del self._disk.tables[table][id]
        self._disk.deleted[table][id] = None

    def rows(self, table: str) -> dict[str, Row]:
        """Give copies of the table's rows, by id."""
        return {key: dict(row) for key, row in self._disk.tables[table].items()}

    def deleted(self, table: str) -> list[str]:
        """Give the ids deleted here and not yet acknowledged."""
        return list(self._disk.deleted[table])

    @property
    def last_pulled_at(self) -> int | None:
        return self._disk.notes.get(LAST_PULLED_AT) or None

    def has_unsynced_changes(self) -> bool:
        return change_count(self._changes()) > 0

    # --- The device's disk --------------------------------------------------------------------------------------------

    def snapshot(self) -> Disk:
        """Copy the disk: a phone backup, or the start of a clone."""
        return deepcopy(self._disk)

    def restore(self, disk: Disk) -> None:
        """Put a copy of `disk` in place of the device's own; a sync under way then throws."""
        self._disk = deepcopy(disk)
        self._reset_count += 1

    def reset(self) -> None:
        """Empty the database (`unsafeResetDatabase`); a sync under way then throws."""
        self.restore(Disk({table: {} for table in self.schema}, {table: {} for table in self.schema}))

    def upgrade(
        self, schema: Mapping[str, Iterable[Column | str]], version: int, migrations: Sequence[Migration]
    ) -> None:
        """Start the app's next version: migrate the local schema; new columns of old rows start empty."""
        steps(migrations, self.version, version)
        self.schema, self.version, self.migrations = schema_of(schema), version, migrations
        for table, columns in self.schema.items():
            self._disk.deleted.setdefault(table, {})
            for row in self._disk.tables.setdefault(table, {}).values():
                row.update((column.name, column.empty) for column in columns if column.name not in row)

    # --- Inside -------------------------------------------------------------------------------------------------------

    def _columns(self, table: str, values: Mapping[str, Any]) -> tuple[Column, ...]:
        columns = self.schema[table]
        unknown = values.keys() - {column.name for column in columns}
        if unknown:
            raise KeyError(f"{table} has no column {', '.join(sorted(unknown))}")
        return columns

    def _changes(self) -> dict[str, dict[str, list[Any]]]:
        found: dict[str, dict[str, list[Any]]] = {}
        for table, rows in self._disk.tables.items():
            dirty = {
                status: [dict(r) for r in rows.values() if r["_status"] == status] for status in ("created", "updated")
            }
            found[table] = {**dirty, "deleted": list(self._disk.deleted[table])}
        return found
