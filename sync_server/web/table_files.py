"""Imports and exports over HTTP: a whole table as CSV, NDJSON or XLSX.

Owns: the upload on its way into a file, and the answer that is written while an import goes on.
Must not know: what a row becomes (engine/table_import.py), how a file looks (wire/table_files).
Invariant: a table is taken out only after a fresh login and by name of who did (security.md 17), and an import whose connection
was lost goes on where it was, if the same file is sent under the same name (tests/integration/test_table_files.py).
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Final, cast

import orjson
from aiohttp import web

from erp_core.catalogue import BY_TABLE
from erp_core.language import Entity
from sync_server.engine.devices import DeviceWiping, SessionEnded
from sync_server.engine.gate import NotEntitled
from sync_server.engine.table_export import Taken, take_out
from sync_server.engine.table_import import ROWS_AT_ONCE, Landed, Landing, bring_in
from sync_server.identity import happenings
from sync_server.store import security
from sync_server.store.security import Happening
from sync_server.store.unit_of_work import Busy
from sync_server.web import keys
from sync_server.web.answers import stream_json
from sync_server.web.bodies import stream_body
from sync_server.web.caps import CAPS
from sync_server.web.fresh import require_fresh
from sync_server.web.records import RIGHTS, with_login_name
from sync_server.wire.problems import Problem
from sync_server.wire.table_files import kinds, shapes

IN_MEMORY: Final = 1024 * 1024
"""Bytes of an upload up to which it is in no file."""

PLAIN: Final = frozenset({"application/octet-stream", "text/plain"})
"""What uploads without a type of their own come as."""

COUNTED: Final = {landing.value: 0 for landing in Landing}


class TableFiles:
    """The handlers of one entity."""

    def __init__(self, entity: Entity) -> None:
        self._entity = entity
        self.path_out, self.path_in = f"/api/v1/export/{entity.table}", f"/api/v1/import/{entity.table}"

    async def take_out(self, request: web.Request) -> web.StreamResponse:
        """GET /api/v1/export/{table}?format=."""
        (format, kind), app, table = shapes.read_export(request.query), request.app, self._entity.table
        await require_fresh(request)
        async with app[CAPS].place(request[keys.ACTOR].org_id):
            taken = await take_out(
                app[keys.DATABASE], app[keys.SPOOLS], app[keys.STANDINGS], request[keys.ACTOR], table
            )
        if kind.rows_max is not None and taken.rows > kind.rows_max:
            raise Problem(
                "bad_parameter", f"{taken.rows} records do not fit into one {format} file; take CSV or NDJSON."
            )
        await _note(request, happenings.EXPORTED, f"{table}: {taken.rows} as {format}")
        name = {"Content-Disposition": f'attachment; filename="{table}.{format}"'}
        return await stream_json(
            request, _written(taken, kind, self._entity), content_type=kind.media_type, headers=name
        )

    async def bring_in(self, request: web.Request) -> web.StreamResponse:
        """POST /api/v1/import/{table}?format=&name=&existing=&dry_run= with the file."""
        query = shapes.read_import(request.query)
        if self._entity.name in RIGHTS or self._entity.name == "user":
            await require_fresh(request)
        file = await _received(request, query.kind)
        going = _Import(request, self._entity.table, query, file)
        return await stream_json(request, going.lines(), content_type="application/x-ndjson")


async def _note(request: web.Request, kind: str, detail: str) -> None:
    actor = request[keys.ACTOR]
    happening = Happening(actor.org_id, kind, actor.user_id, actor.session_id, actor.device_id, detail=detail)
    happenings.tell(happening)
    async with request.app[keys.DATABASE].acquire(actor.org_id) as connection:
        await security.write_down(connection, happening)


async def _written(taken: Taken, kind: shapes.Kind, entity: Entity) -> AsyncIterator[bytes]:
    writer = kind.writer(kinds.columns_of(entity, taken.hidden))
    async for batch in taken.batches():
        ready = await asyncio.to_thread(_rows, writer, batch)
        if ready:
            yield ready
    yield await asyncio.to_thread(writer.end)


def _rows(writer: kinds.Writer, batch: Sequence[bytes]) -> bytes:
    return writer.rows(map(orjson.loads, batch))


async def _received(request: web.Request, kind: shapes.Kind) -> BinaryIO:
    """Put the upload into a file that nobody else can name, gone with its last reader."""
    settings = request.app[keys.SETTINGS]
    file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - the import closes it
    try:
        async for piece in stream_body(request, settings.import_max, settings.import_max, PLAIN | {kind.media_type}):
            await asyncio.to_thread(file.write, piece)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return cast("BinaryIO", file)


@dataclass(slots=True)
class _Import:
    """One import: what is read, and what became of it so far."""

    request: web.Request
    table: str
    query: shapes.ImportQuery
    file: BinaryIO
    rows: int = 0
    counts: Counter[str] = field(default_factory=lambda: Counter(COUNTED))

    async def lines(self) -> AsyncIterator[bytes]:
        """Give the answer, line by line, while the rows are applied."""
        stopped = ""
        try:
            found = self.query.kind.read(self.file)
            while batch := await asyncio.to_thread(list, itertools.islice(found, ROWS_AT_ONCE)):
                yield await self._apply([shapes.asked_by(self.table, row, self.query) for row in batch])
        except kinds.Unreadable as wrong:
            stopped = f"{str(wrong)[:1].upper()}{str(wrong)[1:]}."
        except Busy:
            stopped = f"Others were writing all the time; send the same file again as {self.query.name}."
        except (NotEntitled, SessionEnded, DeviceWiping):
            stopped = "You may not do this any more."
        finally:
            self.file.close()
        if not self.query.dry:
            await _note(self.request, happenings.IMPORTED, f"{self.table}: {self.rows} as {self.query.name}")
        yield shapes.write_end(self.query, self.rows, self.counts, stopped)

    async def _apply(self, asked: Sequence[shapes.Asked]) -> bytes:
        lines = [self._refused(one, Landed(Landing.REFUSED, one.faults)) for one in asked if one.faults]
        for unit in _units([one for one in asked if not one.faults]):
            lines += [self._refused(one, landed) for one, landed in zip(unit, await self._land(unit), strict=True)]
        self.rows += len(asked)
        return b"".join([*lines, shapes.write_progress(self.rows, self.counts)])

    async def _land(self, unit: Sequence[shapes.Asked]) -> Sequence[Landed]:
        app, actor = self.request.app, self.request[keys.ACTOR]
        mutations = [with_login_name(BY_TABLE[self.table], one.mutation) for one in unit]
        return await bring_in(app[keys.DATABASE], app[keys.STANDINGS], actor, mutations, dry=self.query.dry)

    def _refused(self, asked: shapes.Asked, landed: Landed) -> bytes:
        """Count what became of a row; give its line, if there is something to tell."""
        landing = landed.landing
        if landing is Landing.THERE and self.query.existing == "refuse":
            landing = Landing.REFUSED
        self.counts[landing.value] += 1
        if landing is not Landing.REFUSED:
            return b""
        return shapes.write_refused(asked.number, asked.mutation.id, landed.reasons or (shapes.ID_TAKEN,))


def _units(asked: Sequence[shapes.Asked]) -> Iterator[list[shapes.Asked]]:
    """Part rows so that no id is twice in a unit: the later row meets what the earlier one made."""
    unit: dict[str, shapes.Asked] = {}
    for one in asked:
        if one.mutation.id in unit:
            yield list(unit.values())
            unit = {}
        unit[one.mutation.id] = one
    if unit:
        yield list(unit.values())
