"""The tables of the catalogue, as SQLAlchemy Core definitions.

Owns: how a declared entity becomes a table: types, keys, checks, indexes. Used by migrations (to write and to compare),
never on a hot path.
Must not know: the machinery tables (clock, event, feed…), which migration 0001 writes by hand.
Invariant: the migrated database has exactly these tables (tests/integration/test_migrations.py), and every primary and
foreign key and unique index begins with org_id, so that the schema can be distributed by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from erp_core.catalogue import BY_NAME, ENTITIES
from erp_core.language import Entity, Field
from erp_core.values import SAFE_ID, Choice, Day, Document, Flag, Instant, Integer, Number, Value, ValueType, Words

_NAMING: Final = {
    "pk": "%(table_name)s_pkey",
    "fk": "%(table_name)s_%(column_1_name)s_fkey",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "uq": "%(table_name)s_%(column_1_name)s_key",
}
_TYPES: Final[Mapping[type, Any]] = {
    Integer: sa.Integer(),
    Flag: sa.Boolean(),
    Day: sa.Date(),
    Instant: sa.DateTime(timezone=True),
    Words: postgresql.ARRAY(sa.Text()),
    Document: postgresql.JSONB(),
}


@cache
def metadata() -> sa.MetaData:
    """Make the tables of every entity, in catalogue order."""
    tables = sa.MetaData(naming_convention=_NAMING)
    for entity in ENTITIES:
        sa.Table(
            entity.table,
            tables,
            sa.Column("org_id", sa.Text(), nullable=False),
            sa.Column("id", sa.Text(), nullable=False),
            *(_column(field) for field in entity.all_fields),
            sa.PrimaryKeyConstraint("org_id", "id"),
            *_keys(entity),
            *_checks(entity),
            *_indexes(entity),
        )
    return tables


def _column(field: Field) -> sa.Column[Any]:
    server_default = "now()" if field.name in ("created_at", "updated_at") else _literal(field.default)
    return sa.Column(
        field.name,
        _type(field.type),
        nullable=not field.required,
        server_default=None if server_default is None else sa.text(server_default),
    )


def _type(value_type: ValueType) -> Any:
    if isinstance(value_type, Number):
        return sa.Numeric(value_type.digits, value_type.places)
    return _TYPES.get(type(value_type), sa.Text())


def _literal(default: Value) -> str | None:
    if default is None:
        return None
    if isinstance(default, bool):
        return "true" if default else "false"
    if isinstance(default, tuple):
        assert not default, "a non-empty set of words as a default is not needed yet"
        return "'{}'"
    if isinstance(default, Mapping):
        assert not default, "a non-empty document as a default is not needed yet"
        return "'{}'"
    if isinstance(default, str):
        return "'" + default.replace("'", "''") + "'"
    return str(default)


def _keys(entity: Entity) -> Iterator[sa.ForeignKeyConstraint | sa.UniqueConstraint]:
    for field, target in entity.references:
        yield sa.ForeignKeyConstraint(
            ["org_id", field.name],
            [f"{BY_NAME[target].table}.org_id", f"{BY_NAME[target].table}.id"],
            name=f"{entity.table}_{field.name}_fkey",
            ondelete="CASCADE" if field.name == entity.parent else None,
        )
    for names in entity.unique_keys:
        # Looked at after a statement, not within it: one row of it may take what another gives up (engine/doubles.py).
        key = f"{entity.table}_{'_'.join(names)}_key"
        yield sa.UniqueConstraint("org_id", *names, name=key, deferrable=True, initially="IMMEDIATE")


def _checks(entity: Entity) -> Iterator[sa.CheckConstraint]:
    # An id goes into JSON and into WatermelonDB's SQL as it is, also one that plain SQL made (pull rule 11).
    yield sa.CheckConstraint(sa.text(f"id ~ '^{SAFE_ID.pattern}$'"), name="id")
    if entity.name == "organisation":
        yield sa.CheckConstraint("org_id = id", name="own_organisation")
    for field in entity.fields:
        condition = _condition(field)
        if condition is not None:
            yield sa.CheckConstraint(sa.text(condition), name=field.name)


def _condition(field: Field) -> str | None:
    """Bounds that hold for SQL too. A NaN is above every bound, so it never gets in."""
    match field.type:
        case Choice(words=words):
            listed = ", ".join(f"'{word}'" for word in words)
            return f"{field.name} IN ({listed})"
        case Integer(least=least, most=most):
            return f"{field.name} BETWEEN {least} AND {most}"
        case Number(least=least, ceiling=ceiling):
            return f"{field.name} BETWEEN {least} AND {ceiling}"
    return None


def _indexes(entity: Entity) -> Iterator[sa.Index]:
    """Every reference is looked up backwards: by cascades, by rules that gather siblings, by the deletion check."""
    covered = {names[0] for names in entity.unique_keys}
    for field, _ in entity.references:
        if field.name not in covered:
            yield sa.Index(f"{entity.table}_{field.name}_idx", "org_id", field.name)
