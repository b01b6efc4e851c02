"""The kinds of file: how rows become one, and how rows are read from one.

Owns: CSV (RFC 4180, UTF-8), NDJSON, and XLSX through openpyxl.
Must not know: which records there are, what becomes of a row.
Invariant: a file that was written here is read back as the rows it was made of (tests/properties/test_table_files.py); reading
takes the memory of some rows, whatever the file is.

Everything here blocks: it runs in a thread.
"""

from __future__ import annotations

import csv
import io
import itertools
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, Protocol

import orjson
from openpyxl import Workbook, load_workbook  # type: ignore[import-untyped]
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, WriteOnlyCell  # type: ignore[import-untyped]
from openpyxl.utils.exceptions import InvalidFileException  # type: ignore[import-untyped]

from erp_core.language import Entity, Field
from sync_server.wire.table_files.cells import to_cell, to_text, unguarded

CELL_MAX: Final = 32_767
"""Characters of a cell of a spreadsheet (Excel's limit); a longer text is cut in XLSX alone."""

SHEET_ROWS_MAX: Final = 1_048_575
"""Records of a spreadsheet (Excel's limit), without the head."""

INFLATED_MAX: Final = 2 * 1024 * 1024 * 1024
"""Bytes that the parts of an XLSX may come to, unpacked."""

LINE_MAX: Final = 4 * 1024 * 1024
"""Characters of one line of NDJSON."""


class Unreadable(Exception):
    """The file is not what it is said to be; the message says where and what is needed."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row as found: its number in the file (the first is 1; a head is not counted), and name -> cell.

    `typed`: the cells are JSON as over REST, not text. `fault`: why it cannot be read at all.
    """

    number: int
    cells: Mapping[str, Any]
    typed: bool = False
    fault: str = ""


class Writer(Protocol):
    """Writes records, each name -> plain value, into a file."""

    def rows(self, records: Iterable[Mapping[str, Any]]) -> bytes:
        """Take records; give what of the file is ready."""

    def end(self) -> bytes:
        """Give the rest of the file."""


def columns_of(entity: Entity, hidden: frozenset[str] = frozenset()) -> Sequence[Field]:
    """Give the columns of an entity's file behind the id, without those that are hidden."""
    return [field for field in entity.all_fields if field.name not in hidden]


# --- Writing ----------------------------------------------------------------------------------------------------------


class CsvWriter:
    """RFC 4180, with the mark by which Excel knows UTF-8."""

    def __init__(self, columns: Sequence[Field]) -> None:
        self._columns = columns
        self._head = "\ufeff" + ",".join(("id", *(field.name for field in columns))) + "\r\n"

    def rows(self, records: Iterable[Mapping[str, Any]]) -> bytes:
        text = io.StringIO()
        text.write(self._head)
        self._head = ""
        lines = csv.writer(text)
        for record in records:
            lines.writerow([record["id"], *(to_text(field, record.get(field.name)) for field in self._columns)])
        return text.getvalue().encode()

    def end(self) -> bytes:
        return self.rows(())


class NdjsonWriter:
    """A JSON object a line, as REST gives a record."""

    def __init__(self, columns: Sequence[Field]) -> None:
        self._names = ["id", *(field.name for field in columns)]

    def rows(self, records: Iterable[Mapping[str, Any]]) -> bytes:
        return b"".join(orjson.dumps({n: record.get(n) for n in self._names}) + b"\n" for record in records)

    def end(self) -> bytes:
        return b""


class XlsxWriter:
    """A workbook of one sheet, its head fixed while one scrolls. A workbook cannot be sent before it is whole."""

    def __init__(self, columns: Sequence[Field]) -> None:
        self._columns = columns
        self._book = Workbook(write_only=True)
        self._sheet = self._book.create_sheet("records")
        self._sheet.freeze_panes = "B2"
        self._sheet.append(["id", *(field.name for field in columns)])

    def rows(self, records: Iterable[Mapping[str, Any]]) -> bytes:
        for record in records:
            self._sheet.append([self._cell(record["id"]), *self._cells(record)])
        return b""

    def _cells(self, record: Mapping[str, Any]) -> Iterator[Any]:
        for field in self._columns:
            yield self._cell(to_cell(field, record.get(field.name)))

    def _cell(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        cell = WriteOnlyCell(self._sheet, ILLEGAL_CHARACTERS_RE.sub("", value)[:CELL_MAX])
        cell.data_type = "s"  # else openpyxl takes "=1+1" for a formula
        return cell

    def end(self) -> bytes:
        whole = io.BytesIO()
        self._book.save(whole)
        return whole.getvalue()


# --- Reading ----------------------------------------------------------------------------------------------------------


def read_csv(file: BinaryIO) -> Iterator[Row]:
    """Read CSV in UTF-8, with comma, semicolon or tab between cells as its head has them. Raises `Unreadable`."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        head = text.readline(LINE_MAX)
        text.seek(0)
        lines = csv.reader(text, delimiter=max(",;\t", key=head.count), strict=True)
        yield from _under_head(list(map(unguarded, line)) for line in lines)
    except UnicodeDecodeError as wrong:
        raise Unreadable(f"byte {wrong.start} is not UTF-8; save the file as 'CSV UTF-8'") from None
    except csv.Error as wrong:
        raise Unreadable(f"a line is no CSV: {wrong}") from None


def read_xlsx(file: BinaryIO) -> Iterator[Row]:
    """Read the first sheet of a workbook. Raises `Unreadable`."""
    try:
        with zipfile.ZipFile(file) as parts:
            if sum(part.file_size for part in parts.infolist()) > INFLATED_MAX:
                raise Unreadable("unpacked it is larger than a table can be; divide it")
        book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError):
        raise Unreadable("it is no XLSX workbook; save it as .xlsx, or as CSV") from None
    try:
        yield from _under_head(book.worksheets[0].iter_rows(values_only=True))
    finally:
        book.close()


def _under_head(lines: Iterable[Sequence[Any]]) -> Iterator[Row]:
    found = iter(lines)
    head = ["" if cell is None else str(cell).strip() for cell in next(found, ())]
    names = [name for name in head if name]
    if not names:
        raise Unreadable("the first line must have the names of the fields")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise Unreadable(f"the first line has {twice} twice")
    for number, cells in enumerate(found, start=1):
        if not any(cell not in (None, "") for cell in cells):
            continue  # spreadsheets leave empty lines behind
        if any(cell not in (None, "") for cell in cells[len(head) :]):
            yield Row(number, {}, fault="has more cells than the first line has names")
            continue
        # Spreadsheets leave out the empty cells at the end of a row.
        yield Row(number, {name: cell for name, cell in itertools.zip_longest(head, cells[: len(head)]) if name})


def read_ndjson(file: BinaryIO) -> Iterator[Row]:
    """Read a JSON object a line. Raises `Unreadable`."""
    number = 0
    while line := file.readline(LINE_MAX):
        number += 1
        if len(line) == LINE_MAX:
            raise Unreadable(f"line {number} is longer than {LINE_MAX} bytes")
        if line.strip():
            yield _ndjson_row(number, line)


def _ndjson_row(number: int, line: bytes) -> Row:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as wrong:
        return Row(number, {}, fault=f"is no JSON: {wrong.msg} at character {wrong.colno}")
    if not isinstance(record, dict):
        return Row(number, {}, fault="is no JSON object")
    return Row(number, record, typed=True)
