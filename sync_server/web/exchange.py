"""Exchange: push and pull in one round trip.

Owns: the path from a request to engine/exchange.py and back.
Must not know: how anything is decided.
Invariant: handlers only translate (tests/architecture/test_sizes.py).
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

import orjson
from aiohttp import web

from conflict.clocks import skew_ms
from sync_server.engine.devices import DeviceWiping, check_cursor
from sync_server.engine.exchange import Exchanged, exchange, name_of
from sync_server.engine.foreign import NeverHere, hand_in
from sync_server.engine.pull import Delta, PullRequest
from sync_server.engine.push import PushIdReused, PushRequest
from sync_server.web import keys
from sync_server.web.answers import send_json, stream_json
from sync_server.web.bodies import read_body
from sync_server.web.caps import CAPS
from sync_server.web.emptying import counter_of, empty, impound, notice, refused
from sync_server.web.slicing import next_slice, sliced
from sync_server.web.sync import stream_spooled
from sync_server.wire import exchanging, pulling
from sync_server.wire.exchanging import ExchangeParameters
from sync_server.wire.problems import Problem
from sync_server.wire.slicing import asks_for_more
from sync_server.wire.strict_json import loads


async def post_exchange(request: web.Request) -> web.StreamResponse:
    """Exchange: POST /api/v1/sync/exchange."""
    arrived = time.monotonic()
    settings = request.app[keys.SETTINGS]
    parsed = loads(await read_body(request, settings))
    if asks_for_more(parsed):
        return await next_slice(request, parsed)
    wanted = exchanging.read_exchange(parsed, records_max=settings.push_records_max)
    if wanted.author not in (None, request[keys.ACTOR].user_id):
        return await _hand_in(request, wanted, arrived)
    return await _own(request, wanted, parsed, arrived)


async def _own(request: web.Request, wanted: ExchangeParameters, parsed: Any, arrived: float) -> web.StreamResponse:
    notice(request, wanted.asked.cursor, wanted.asked.schema_version)
    if request[keys.ACTOR].wiping:
        return await _wiped(request, wanted, parsed)
    try:
        return await _exchange(request, wanted, arrived)
    except DeviceWiping:  # since a moment ago
        request.app[keys.SESSIONS].forget(request[keys.ACTOR].org_id, [request[keys.ACTOR].session_id])
        return await _wiped(request, wanted, parsed)


async def _exchange(request: web.Request, wanted: ExchangeParameters, arrived: float) -> web.StreamResponse:
    app, actor, asked = request.app, request[keys.ACTOR], wanted.asked
    pull = PullRequest(asked.cursor, asked.tables, asked.new_tables, asked.new_columns)
    parts = (app[keys.DATABASE], app[keys.LANES], app[keys.SPOOLS], app[keys.STANDINGS])
    with refused(request):
        await check_cursor(app[keys.DATABASE], actor, asked.cursor)
        async with app[CAPS].place(actor.org_id, needed=asked.cursor is None):
            try:
                pushed, in_slices = _pushed(request, wanted, arrived), wanted.budget is not None
                done = await exchange(*parts, actor, pushed, pull, in_slices=in_slices)
            except PushIdReused:
                raise Problem("push_id_reused", pointer="/push_id") from None
            first = None if wanted.budget is None else await sliced(request, done, wanted.budget)
    if first is not None:
        return await send_json(request, first)
    return await _answer(request, done)


async def _hand_in(request: web.Request, wanted: ExchangeParameters, arrived: float) -> web.StreamResponse:
    """Answer with verdicts alone: the changes wait for their author."""
    app, actor, pushed = request.app, request[keys.ACTOR], _pushed(request, wanted, arrived)
    with refused(request):
        try:
            told = (
                await hand_in(app[keys.DATABASE], app[keys.STANDINGS], actor, wanted.author or "", pushed)
                if pushed
                else []
            )
        except NeverHere:
            raise Problem("author_never_here", pointer="/author") from None
        except PushIdReused:
            raise Problem("push_id_reused", pointer="/push_id") from None
    return await send_json(request, exchanging.only_verdicts(told))


def _pushed(request: web.Request, wanted: ExchangeParameters, arrived: float) -> PushRequest | None:
    if not wanted.mutations:
        return None
    actor = request[keys.ACTOR]
    return PushRequest(
        wanted.asked.cursor,
        wanted.mutations,
        name_of(actor.device_id, actor.user_id, wanted.push_id),
        holds_issues=True,
        counter=counter_of(request),
        arrived=arrived,
        settles=True,
        body=_named(wanted),
        skew_ms=skew_ms(wanted.sent_at, int(time.time() * 1000)),
    )


def _named(wanted: ExchangeParameters) -> bytes:
    """Name what was pushed, whatever else the request says: a repetition is sent at another time."""
    said = [[m.table, m.id, m.operation.value, dict(m.values), sorted(m.changed or ())] for m in wanted.mutations]
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).digest()


async def _answer(request: web.Request, done: Exchanged) -> web.StreamResponse:
    verdicts = exchanging.write_verdicts(done.told)
    if isinstance(done.answer, Delta):
        answer = pulling.write_delta(done.answer.cursor, done.answer.tables, done.answer.moved)
        return await send_json(request, exchanging.with_verdicts(answer, verdicts))
    return await stream_json(request, exchanging.stream_with_verdicts(stream_spooled(done.answer), verdicts))


async def _wiped(request: web.Request, wanted: ExchangeParameters, parsed: Any) -> web.StreamResponse:
    """Treat a device that is to be emptied as the stock endpoints do: keep what it sends, then tell it what to forget."""
    if wanted.mutations:
        return await impound(request, wanted.asked.cursor, orjson.dumps(parsed["changes"]))
    return await empty(request, wanted.asked)
