"""Files of tables (wire/table_files): what is written is read back, in every kind of file, for every entity."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE  # type: ignore[import-untyped]

from erp_core.catalogue import BY_TABLE, ENTITIES
from erp_core.language import Entity, Field
from erp_core.values import Document, Flag, Instant, Integer, Number, Plain, Text, Words
from sync_server.wire.table_files.cells import BadCell, from_cell, guarded, unguarded
from sync_server.wire.table_files.kinds import Unreadable, columns_of, read_csv, read_ndjson, read_xlsx
from sync_server.wire.table_files.shapes import KINDS
from tests.properties.test_values import values_of

TRICKY = [
    "=1+1",
    "+919825012345",
    "-5",
    "@SUM",
    "\tx",
    "'quoted",
    "'=x",
    "a;b",
    'say "no"',
    "line\r\nline",
    "धारवाड़",
    "0123",
]


def plain(entity: Entity, row: dict[str, Any]) -> dict[str, Plain]:
    """Give a row as REST does."""
    fields = entity.by_name
    return {name: None if value is None else fields[name].type.plain(value) for name, value in row.items()}


@pytest.mark.parametrize("format", KINDS)
@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
@settings(max_examples=8)
@given(data=st.data())
def test_what_is_written_is_read_back(entity: Entity, format: str, data: st.DataObject) -> None:
    kind, columns = KINDS[format], columns_of(entity)
    rows = st.fixed_dictionaries({field.name: st.none() | values_of(field.type) for field in columns})
    drawn = data.draw(st.lists(rows, max_size=3))
    records = [{"id": f"r{n}", **plain(entity, row)} for n, row in enumerate(drawn)]
    writer = kind.writer(columns)

    file = io.BytesIO(writer.rows(records[:1]) + writer.rows(records[1:]) + writer.end())
    found = list(kind.read(file))

    assert [row.fault for row in found] == [""] * len(records)
    for row, record in zip(found, records, strict=True):
        read = {
            field.name: row.cells[field.name] if row.typed else from_cell(field, row.cells[field.name])
            for field in columns
        }
        assert str(row.cells["id"]) == record["id"]
        sent = {f.name: _value(f, record[f.name]) for f in columns}
        assert {f.name: _value(f, read[f.name]) for f in columns} == sent


def _storable(text: str) -> str:
    return str(ILLEGAL_CHARACTERS_RE.sub("", text)).replace("\r\n", "\n").replace("\r", "\n")


def _value(field: Field, given: Plain) -> Any:
    """Give what the server would take it for; outer blanks are nobody's words."""
    text = _storable(given).strip() if isinstance(given, str) else given
    if text is None or text == "":
        return None
    return field.type.restore(text) if isinstance(field.type, (Words, Document, Instant, Number)) else text


@pytest.mark.parametrize("text", TRICKY)
@pytest.mark.parametrize("format", KINDS)
def test_text_that_a_spreadsheet_would_work_out_comes_back_as_it_was(format: str, text: str) -> None:
    kind, entity = KINDS[format], BY_TABLE["business_partners"]
    columns = [field for field in entity.fields if field.name == "legal_name"]
    writer = kind.writer(columns)

    whole = writer.rows([{"id": "p1", "legal_name": text}]) + writer.end()
    (row,) = kind.read(io.BytesIO(whole))

    cell = row.cells["legal_name"]
    expected = text.replace("\r\n", "\n") if format == "xlsx" else text  # XML knows one line break (XML 1.0, 2.11)
    assert (cell if row.typed else from_cell(columns[0], cell)) == (expected if row.typed else expected.strip())
    if format == "csv":
        assert not any(line.startswith(("=", "+", "-", "@", "\t")) for line in whole.decode().split("p1,")[1:])


@given(st.text())
def test_guard_is_taken_away_where_it_was_put(text: str) -> None:
    assert unguarded(guarded(text)) == text
    assert not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize(
    ("type", "cell", "value"),
    [
        (Number(10, 2), "1,25,000.50", 125000.5),
        (Number(18, 2), "125000.50", "125000.50"),
        (Integer(), "40", 40),
        (Integer(), 40.0, 40),
        (Flag(), "Yes", True),
        (Flag(), 0, False),
        (Text(), 919825012345.0, "919825012345"),
        (Words(), " ginner ;seller; ", '["ginner","seller"]'),
        (Instant(), "2026-11-23T19:35:00+05:30", 1795442700000),
        (Instant(), 5, 5),
        (Text(), "", None),
        (Text(), "   ", None),
        (Text(), None, None),
    ],
)
def test_cell_is_read_as_people_write_it(type: Any, cell: Any, value: Plain) -> None:
    assert from_cell(Field("x", type), cell) == value


@pytest.mark.parametrize(
    ("type", "cell"),
    [
        (Number(10, 2), "many"),
        (Number(10, 2), True),
        (Integer(), "1e5"),
        (Integer(), "१२"),
        (Flag(), "perhaps"),
        (Instant(), "23-11-2026"),
        (Instant(), "2026-11-23T10:00:00"),
    ],
)
def test_cell_that_is_nothing_of_its_kind_is_told(type: Any, cell: Any) -> None:
    with pytest.raises(BadCell):
        from_cell(Field("x", type), cell)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("id;legal_name\n1;A\n", [{"id": "1", "legal_name": "A"}]),
        ("\ufeffid\tname\r\n1\tA\r\n\r\n2\t\r\n", [{"id": "1", "name": "A"}, {"id": "2", "name": ""}]),
        ("id,name,\n1,A,\n", [{"id": "1", "name": "A"}]),
        ("id,name\n1\n", [{"id": "1", "name": None}]),
        ('id,name\n1,"A\nB"\n', [{"id": "1", "name": "A\nB"}]),
    ],
)
def test_csv_is_read_as_programs_write_it(text: str, rows: list[dict[str, str | None]]) -> None:
    assert [dict(row.cells) for row in read_csv(io.BytesIO(text.encode()))] == rows


@pytest.mark.parametrize(
    ("read", "content", "why"),
    [
        (read_csv, b"", "names of the fields"),
        (read_csv, b"\n1,2\n", "names of the fields"),
        (read_csv, b"id,id\n1,2\n", "id twice"),
        (read_csv, b"id,name\n1,\xff\n", "not UTF-8"),
        (read_csv, b'id,name\n1,"A"B\n', "no CSV"),
        (read_csv, b'id,name\n1,"never ends\n', "no CSV"),
        (read_xlsx, b"PK\x03\x04 nonsense", "no XLSX"),
        (read_xlsx, b"id,name\n", "no XLSX"),
        (read_ndjson, b'"' + b"x" * (4 * 1024 * 1024), "longer than"),
    ],
)
def test_file_that_is_not_what_it_is_said_to_be_is_told_where(read: Any, content: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        list(read(io.BytesIO(content)))


@pytest.mark.parametrize(
    ("read", "content", "fault"),
    [
        (read_csv, b"id\n1,2\n", "more cells"),
        (read_ndjson, b"{\n", "no JSON"),
        (read_ndjson, b"[1]\n", "no JSON object"),
    ],
)
def test_row_that_cannot_be_read_is_a_row_and_not_the_end(read: Any, content: bytes, fault: str) -> None:
    good = b'{"id": "2"}\n' if read is read_ndjson else b"2\n"

    bad, following = read(io.BytesIO(content + good))

    assert fault in bad.fault
    assert (following.fault, str(following.cells["id"])) == ("", "2")
