"""A device in Python: WatermelonDB's published sync algorithm (version 0.28), step by step.

Owns: the steps of `synchronize()`: `pull`, `apply`, `collect`, `push`, `mark`; the local database is `replica_device`'s. A
test may lose an answer, double a request or edit between any two steps; `sync` does them all.
Must not know: the server. It shares no code with `sync_server`, `erp_core` or `conflict`, because it judges them.
Invariant: from the same database and the same answers it ends with the rows of the real client, and throws where that one
throws (tests/unit/test_replica.py; tests/acceptance/test_watermelondb.py plays random traces to both). One difference: when
the real client throws half way, its in-memory records may be ahead of its disk; this is the device after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from math import isfinite
from random import Random
from typing import Any, Protocol

from mobile.replica_apply import Context, Disk, apply_remote, change_count
from mobile.replica_device import LAST_PULLED_AT, Device
from mobile.replica_rows import ConflictResolver, Row, equal
from mobile.replica_schema import ClientThrows, Column, Migration, newest, oldest, read_schema, sync_changes

__all__ = [
    "ClientThrows",
    "Column",
    "Disk",
    "Local",
    "Migration",
    "Pulled",
    "Replica",
    "Row",
    "Transport",
    "read_schema",
]

LAST_PULLED_SCHEMA_VERSION = "__watermelon_last_pulled_schema_version"


class Transport(Protocol):
    """How a device reaches a server: the app's `pullChanges` and `pushChanges`."""

    async def pull(
        self, last_pulled_at: int | None, schema_version: int, migration: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """Give `{"changes": …, "timestamp": …}`. Raises: whatever it likes; the sync ends there."""

    async def push(self, changes: Mapping[str, Any], last_pulled_at: float) -> Mapping[str, Any] | None:
        """Send the local changes; answer `{}` or `{"experimentalRejectedIds": {table: [id]}}`."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """An answer to a pull and the state it was asked from."""

    last_pulled_at: int | None
    save_schema_version: bool
    reset_count: int
    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Local:
    """What `collect` found to push; `changes` names every table of the schema."""

    changes: dict[str, dict[str, list[Any]]]
    last_pulled_at: float
    reset_count: int


class Replica(Device):
    """A device that syncs. `complaints` collects what the real client reports through `logError`: a right server causes none.

    `migrations_enabled_at`, `send_created_as_updated` and `conflict_resolver` are the options of `synchronize()`.
    """

    def __init__(
        self,
        schema: Mapping[str, Iterable[Column | str]],
        transport: Transport,
        *,
        version: int = 1,
        migrations: Sequence[Migration] | None = None,
        migrations_enabled_at: int | None = None,
        send_created_as_updated: bool = False,
        conflict_resolver: ConflictResolver | None = None,
        random: Random | None = None,
        now: Callable[[], int] | None = None,
    ) -> None:
        super().__init__(schema, version=version, migrations=migrations, random=random, now=now)
        self.transport = transport
        self.migrations_enabled_at = migrations_enabled_at
        self.send_created_as_updated = send_created_as_updated
        self.conflict_resolver = conflict_resolver
        self.complaints: list[str] = []

    # --- The steps of a sync ------------------------------------------------------------------------------------------

    async def sync(self) -> None:
        """Do what `synchronize()` does. Raises: ClientThrows as the real client; whatever the transport raises."""
        last_pulled_at = self.apply(await self.pull())
        local = self.collect(last_pulled_at)
        if local is not None:
            self.mark(local, await self.push(local))

    async def pull(self) -> Pulled:
        """Ask for changes since the last pull; nothing changes here yet."""
        asked_at, reset_count = self.last_pulled_at, self._reset_count
        migration, save = self._migration_info(asked_at)
        answer = await self.transport.pull(asked_at, self.version, migration)
        return Pulled(asked_at, save, reset_count, answer)

    def apply(self, pulled: Pulled) -> float:
        """Apply an answer in one local transaction and give its timestamp.

        Raises: ClientThrows if another sync or a reset came between, or the answer is one the client cannot use.
        """
        answer = pulled.answer
        change_count(answer.get("changes"))
        self._same_database(pulled.reset_count)
        if pulled.last_pulled_at != self.last_pulled_at:
            raise ClientThrows("[Sync] Concurrent synchronization is not allowed.")
        timestamp = answer.get("timestamp")
        if isinstance(timestamp, bool) or not isinstance(timestamp, (int, float)) or not timestamp > 0:
            raise ClientThrows(f"pullChanges() returned invalid timestamp {timestamp}.")
        context = Context(
            self._disk,
            self.schema,
            self._random,
            self.complaints,
            self.send_created_as_updated,
            self.conflict_resolver,
        )
        apply_remote(answer.get("changes"), answer.get("experimentalStrategy"), context)
        if timestamp < (self.last_pulled_at or 0):
            self.complaints.append(f"[Sync] Pull has finished and received server time {timestamp} — but previous")
        self._disk.notes[LAST_PULLED_AT] = int(timestamp) if isfinite(timestamp) else 0
        if pulled.save_schema_version:
            self._disk.notes[LAST_PULLED_SCHEMA_VERSION] = self.version
        return timestamp

    def collect(self, last_pulled_at: float | None = None) -> Local | None:
        """Copy what is to be pushed, all tables named; None if there is nothing."""
        changes = self._changes()
        since = self.last_pulled_at if last_pulled_at is None else last_pulled_at
        return Local(changes, since or 0, self._reset_count) if change_count(changes) else None

    async def push(self, local: Local) -> Mapping[str, Any]:
        """Send what `collect` found. The transport gets a copy, so that the same `local` can be sent twice."""
        return await self.transport.push(deepcopy(local.changes), local.last_pulled_at) or {}

    def mark(self, local: Local, answer: Mapping[str, Any]) -> None:
        """Mark what was pushed as synced, except rejected ids and rows that were edited meanwhile."""
        self._same_database(local.reset_count)
        for table, lists in local.changes.items():
            rejected = frozenset((answer.get("experimentalRejectedIds") or {}).get(table) or ())
            rows = self._disk.tables[table]
            for pushed in (*lists["created"], *lists["updated"]):
                current = rows.get(pushed["id"])
                if current is not None and equal(current, pushed) and pushed["id"] not in rejected:
                    current.update(_status="synced", _changed="")
            for key in lists["deleted"]:
                if key not in rejected:
                    self._disk.deleted[table].pop(key, None)

    def _same_database(self, reset_count: int) -> None:
        if self._reset_count != reset_count:
            raise ClientThrows("[Sync] Sync aborted because database was reset")

    def _migration_info(self, last_pulled_at: int | None) -> tuple[dict[str, Any] | None, bool]:
        """sync/impl `getMigrationInfo`: what was added to the schema since the last pull, and whether to note the version."""
        first = last_pulled_at is None
        known = self._disk.notes.get(LAST_PULLED_SCHEMA_VERSION)
        if known and first:
            self.complaints.append("[Sync] lastPulledSchemaVersion is set, but this is the first sync.")
        enabled = self.migrations_enabled_at
        if enabled:
            self._check_migrations(enabled, known)
        start = known or enabled or 0
        migrate = bool(enabled) and start < self.version and not first
        migration = (
            sync_changes(self.migrations, start, self.version) if self.migrations is not None and migrate else None
        )
        return migration, migrate or first

    def _check_migrations(self, enabled: int, known: int | None) -> None:
        if not 1 <= enabled <= self.version:
            raise ClientThrows("[Sync] migrationsEnabledAtVersion must not be greater than current schema version")
        if self.migrations is None:
            raise ClientThrows(
                "[Sync] Migration syncs cannot be enabled on a database that does not support migrations"
            )
        if enabled < oldest(self.migrations):
            raise ClientThrows("[Sync] migrationsEnabledAtVersion is too low")
        if known and known > self.version:
            raise ClientThrows("[Sync] Last synced schema version is greater than current schema version")
        assert newest(self.migrations) == self.version, "the adapter wants migrations up to the schema's version"
