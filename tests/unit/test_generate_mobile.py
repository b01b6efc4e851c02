"""The files of the phone follow from the catalogue: nothing by hand, nothing out of date.

Must not know: the server, but for the schema it serves. tests/acceptance/test_watermelondb.py compiles and uses the SDK.
"""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from erp_core.access import EVERYBODY, Access
from erp_core.catalogue import SCHEMA_VERSION, SYNCED
from erp_core.language import DERIVED, Entity, Field, Phone, States
from erp_core.scopes import Everybody
from erp_core.values import Choice, Day, Document, Flag, Instant, Integer, Number, Reference, Text, Words
from mobile.generate import DESTINATION, drift, generate
from sync_server.wire.schema import schema_document

STATES = States("state", {"open": ("shut",), "shut": ()})
READABLE = Access(read=EVERYBODY)
ALL = (Everybody(),)
MILL = Entity("mill", "mills", "Mill", (Field("name", Text(), required=True),), READABLE, ALL, phone=Phone.DOWN)
BALE = Entity(
    "bale",
    "bales",
    "Bale",
    (
        Field("mill_id", Reference("mill"), required=True),
        Field("second_mill_id", Reference("mill")),
        Field("state", Choice(STATES.words), required=True),
        Field("kilograms", Number(digits=8, places=3, least=Decimal(0)), help="net weight"),
        Field("exact", Number(digits=20, places=2)),
        Field("count", Integer(), required=True),
        Field("graded", Flag(), required=True, default=False, since=2),
        Field("graded_on", Day(), since=2),
        Field("seen_at", Instant(), DERIVED),
        Field("tags", Words(allowed=("long", "short")), since=3),
        Field("basis", Document()),
    ),
    READABLE,
    ALL,
    parent="mill_id",
    states=STATES,
)
PHOTO = Entity(
    *("photo", "photos", "Photo"),
    (Field("note", Text()), Field("taken_at", Instant(), since=3)),
    *(READABLE, ALL),
    since=2,
)
MADE_UP = (MILL, BALE, PHOTO)


@pytest.fixture
def text(tmp_path: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in generate(tmp_path, MADE_UP)}


def test_the_committed_files_are_what_the_catalogue_says() -> None:
    assert drift() == [], "run `cotton-sync generate mobile`"


def test_every_synced_entity_has_a_table_a_model_and_a_type() -> None:
    schema = (DESTINATION / "schema.ts").read_text()
    models = (DESTINATION / "models.ts").read_text()

    for entity in SYNCED:
        assert f"name: '{entity.table}'" in schema
        assert f"table = '{entity.table}'" in models


def test_the_server_describes_the_columns_that_the_generated_schema_has() -> None:
    document = schema_document()
    schema = (DESTINATION / "schema.ts").read_text()

    described = [(table["name"], [wire_column(column) for column in table["columns"]]) for table in document["tables"]]

    generated = re.findall(r"name: '(\w+)',\n +columns: \[\n(.*?)\n +\],", schema, re.DOTALL)
    assert described == [(table, [line.strip() for line in lines.splitlines()]) for table, lines in generated]
    assert f"SCHEMA_VERSION = {document['version']}\n" in schema


def wire_column(column: dict[str, Any]) -> str:
    """Write a column of GET /api/v1/sync/schema as a line of `tableSchema`."""
    marks = "".join(f", {name}: true" for name in ("isOptional", "isIndexed") if column.get(name))
    return f"{{ name: '{column['name']}', type: '{column['type']}'{marks} }},"


def test_the_same_catalogue_gives_the_same_bytes_and_leaves_right_files_alone(tmp_path: Path) -> None:
    first = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in generate(tmp_path, MADE_UP)}

    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in generate(tmp_path, MADE_UP)} == first
    assert [path.name for path in first] == ["migrations.ts", "models.ts", "policies.ts", "schema.ts", "types.ts"]


def test_drift_names_changed_missing_and_surplus_files(tmp_path: Path) -> None:
    generate(tmp_path, MADE_UP)
    assert drift(tmp_path, MADE_UP) == []

    (tmp_path / "schema.ts").write_text("// by hand")
    (tmp_path / "types.ts").unlink()
    (tmp_path / "old.ts").write_text("")

    assert drift(tmp_path, MADE_UP) == ["old.ts", "schema.ts", "types.ts"]


def test_a_column_has_the_plain_type_and_is_optional_unless_required(text: dict[str, str]) -> None:
    for line in (
        "{ name: 'mill_id', type: 'string', isIndexed: true },",
        "{ name: 'second_mill_id', type: 'string', isOptional: true, isIndexed: true },",
        "{ name: 'kilograms', type: 'number', isOptional: true },",
        "{ name: 'exact', type: 'string', isOptional: true },",
        "{ name: 'graded', type: 'boolean' },",
        "{ name: 'updated_at', type: 'number' },",
    ):
        assert line in text["schema.ts"]


def test_later_tables_and_columns_become_migrations_up_to_the_newest_version(text: dict[str, str]) -> None:
    assert f"SCHEMA_VERSION = {SCHEMA_VERSION}" in text["schema.ts"]
    migrations = text["migrations.ts"]
    second, third = migrations.split("toVersion: 3")
    assert "createTable({\n        name: 'photos'" in second
    assert "taken_at" not in second
    assert "addColumns({ table: 'bales', columns: [\n        { name: 'graded'," in second
    assert "addColumns({ table: 'bales', columns: [\n        { name: 'tags'," in third
    assert "addColumns({ table: 'photos', columns: [\n        { name: 'taken_at'," in third


def test_closed_lists_and_states_are_typed(text: dict[str, str]) -> None:
    types = text["types.ts"]

    assert "export const BaleState = ['open', 'shut'] as const" in types
    assert "export const BaleTags = ['long', 'short'] as const" in types
    assert "  state: BaleState\n" in types
    assert "  /** net weight */\n  kilograms: number | null\n" in types
    assert "export const baleMoves = {\n  'open': ['shut'],\n  'shut': [],\n} as const" in types


def test_a_new_row_starts_with_the_declared_defaults(text: dict[str, str]) -> None:
    assert "  bales: { state: 'open', graded: false },\n" in text["types.ts"]
    assert "  mills: {},\n" in text["types.ts"]


def test_what_only_the_server_writes_has_no_setter(text: dict[str, str]) -> None:
    models = text["models.ts"]

    mill, bale = models.split("export class Bale ")
    assert "set name(" not in mill
    assert "set kilograms(value: number | null)" in bale
    assert "set tags(value: BaleTags[] | null)" in bale
    assert "set seenAt(" not in bale
    assert "set createdAt(" not in bale


def test_children_hang_on_their_parent_only(text: dict[str, str]) -> None:
    models = text["models.ts"]

    assert "bales: { type: 'has_many', foreignKey: 'mill_id' }," in models
    assert "mills: { type: 'belongs_to', key: 'mill_id' }," in models
    assert models.count("has_many") == 1
    assert "get bales(): Query<Bale>" in models
    assert "get secondMill(): Relation<Mill>" in models


def test_a_field_that_would_hide_a_member_of_the_model_is_refused(tmp_path: Path) -> None:
    entity = Entity("lot", "lots", "Lot", (Field("sync_status", Text()),), READABLE, ALL)

    with pytest.raises(ValueError, match="syncStatus"):
        generate(tmp_path, (entity,))
