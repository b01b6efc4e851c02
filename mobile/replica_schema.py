"""A device's schema and its migrations, as WatermelonDB's `appSchema` and `schemaMigrations` hold them.

Owns: `Column`, `Migration`, and the migration information that a pull carries.
Must not know: the server, the catalogue.
Invariant: the answer of `sync_changes` is what WatermelonDB 0.28 `Schema/migrations/getSyncChanges` gives
(tests/unit/test_replica.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

ColumnType: TypeAlias = Literal["string", "number", "boolean", "any"]
Schema: TypeAlias = Mapping[str, tuple["Column", ...]]
"""Table -> its columns, in order; `id`, `_status` and `_changed` are not among them."""


_EMPTY: Final[Mapping[str, str | int | bool]] = {"string": "", "number": 0, "boolean": False}


class ClientThrows(Exception):
    """The real client would throw here: an invariant of WatermelonDB failed, or its code met a value it cannot use."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a device's table; a value of another type becomes null, or the type's empty value if not optional.

    Type `any` keeps every value as it came: for tests that do not care.
    """

    name: str
    type: ColumnType = "any"
    optional: bool = True

    @property
    def empty(self) -> str | int | bool | None:
        """What a new row, or an added column of an old one, starts with."""
        if self.optional or self.type == "any":
            return None
        return _EMPTY[self.type]


def schema_of(tables: Mapping[str, Iterable[Column | str]]) -> dict[str, tuple[Column, ...]]:
    """Make a schema; a bare name stands for a column of any type."""
    return {
        table: tuple(column if isinstance(column, Column) else Column(column) for column in columns)
        for table, columns in tables.items()
    }


def read_schema(document: Mapping[str, Any]) -> dict[str, tuple[Column, ...]]:
    """Read the answer of GET /api/v1/sync/schema."""
    return {
        table["name"]: tuple(
            Column(column["name"], column["type"], bool(column.get("isOptional", False))) for column in table["columns"]
        )
        for table in document["tables"]
    }


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of a device's schema: the tables and columns that version `to_version` added."""

    to_version: int
    tables: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def oldest(migrations: Sequence[Migration]) -> int:
    """Give the oldest version from which a database can be migrated."""
    return min((m.to_version for m in migrations), default=2) - 1


def newest(migrations: Sequence[Migration]) -> int:
    return max((m.to_version for m in migrations), default=1)


def steps(migrations: Sequence[Migration], start: int, end: int) -> list[Migration]:
    """Give the migrations from version `start` to version `end`, in order.

    Raises: ClientThrows if the list does not reach that far.
    """
    if start < oldest(migrations) or end > newest(migrations):
        raise ClientThrows("Necessary range of migrations for sync is not available")
    return sorted((m for m in migrations if start < m.to_version <= end), key=lambda m: m.to_version)


def sync_changes(migrations: Sequence[Migration], start: int, end: int) -> dict[str, Any] | None:
    """Give the `migration` argument of a pull: which tables and columns were added since version `start`."""
    taken = steps(migrations, start, end)
    if end != newest(migrations):
        raise ClientThrows("getSyncChanges toVersion should be equal to maxVersion of migrations")
    if start == end:
        return None
    tables = list(dict.fromkeys(table for step in taken for table in step.tables))
    columns: dict[str, dict[str, None]] = {}
    for step in taken:
        for table, names in step.columns.items():
            if table not in tables:
                columns.setdefault(table, {}).update(dict.fromkeys(names))
    return {
        "from": start,
        "tables": tables,
        "columns": [{"table": table, "columns": list(names)} for table, names in columns.items()],
    }
