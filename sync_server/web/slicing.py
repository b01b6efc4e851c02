"""Slices of an exchange's answer: making them and asking for the next.

Owns: the path from a request to engine/slicing.py and back.
Must not know: what comes first, where slices are kept.
Invariant: who asks for a slice that is not there for them learns nothing but that (tests/integration/test_slices.py).
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from sync_server.engine.exchange import Exchanged
from sync_server.engine.showing import Moved
from sync_server.engine.slicing import SlicesGone, Slicing, cut, further
from sync_server.store.spool import Broken
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.web.emptying import notice
from sync_server.web.headers import come_back
from sync_server.wire import exchanging, pulling, slicing
from sync_server.wire.problems import Problem

BROKEN_SECONDS = 2.0
"""When a copy that failed may succeed: the database was gone, or the disk full."""


async def sliced(request: web.Request, done: Exchanged, budget: int) -> bytes | None:
    """Give the first slice of an answer; None: it is to be sent whole."""
    if done.since is None:
        return None
    cutter = slicing.Cutter(budget, exchanging.write_verdicts(done.told))
    how = Slicing(done.since, cutter, _show, slicing.write_more)
    try:
        return await cut(request.app[keys.PARCELS], request[keys.ACTOR], done.answer, how)
    except Broken:
        sentence = "The answer could not be made; send the same request again, it has its effect once."
        raise Problem("busy", sentence, retry_after=come_back(BROKEN_SECONDS)) from None


async def next_slice(request: web.Request, body: Any) -> web.StreamResponse:
    """Answer an exchange that asks for more.

    A device that is to be emptied gets no rows: it begins anew, and hears of it then.
    """
    app, actor, token = request.app, request[keys.ACTOR], slicing.read_more(body)
    notice(request, None)
    if actor.wiping:
        raise Problem("slices_gone")
    parts = (app[keys.DATABASE], app[keys.PARCELS], app[keys.STANDINGS])
    try:
        answer = await further(*parts, actor, token.name, token.place, slicing.write_more)
    except SlicesGone:
        raise Problem("slices_gone") from None
    return await send_json(request, answer)


def _show(moved: Moved) -> bytes:
    return pulling.write_record(moved).encode()
