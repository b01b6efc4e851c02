"""Document numbers over HTTP: leased to the device that asks, taken back, and accounted for.

Owns: the JSON of leases and of the gap report.
Must not know: what a lease does.
Invariant: a device leases for itself and gives back its own; handlers only translate (tests/integration/test_numbers.py).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import orjson
from aiohttp import web

from sync_server.engine import leasing, number_report
from sync_server.engine.leasing import Leased, Wanted
from sync_server.engine.number_report import PAGE_MAX, Report, Stretch
from sync_server.store.idempotency import Kept
from sync_server.store.numbers import Series
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.web.bodies import read_body
from sync_server.web.records import answer_once, engine_of, told_apart
from sync_server.wire import numbers as wire
from sync_server.wire.moments import milliseconds
from sync_server.wire.problems import Problem
from sync_server.wire.strict_json import loads


async def lease(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/numbers/lease: see to it that the device has so many numbers of a series in hand."""
    body = await read_body(request, request.app[keys.SETTINGS])
    wanted = Wanted(**wire.read_lease(loads(body)))
    return await answer_once(request, body, _leased, partial(leasing.lease, *engine_of(request), wanted))


async def give_back(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/numbers/return: numbers that the device will not give."""
    body, (database, _, actor) = await read_body(request, request.app[keys.SETTINGS]), engine_of(request)
    unused = wire.read_return(loads(body))
    return await answer_once(request, body, _returned, partial(leasing.give_back, database, actor, unused))


async def get_report(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/series/{series_id}/numbers: what became of every number; `?after=`, `?limit=`."""
    database, _, actor = engine_of(request)
    after, limit = _whole(request, "after", 0, 0, wire.NUMBER_MAX), _whole(request, "limit", PAGE_MAX, 1, PAGE_MAX)
    with told_apart():
        page = await number_report.report(database, actor.org_id, request.match_info["series_id"], after, limit)
    return await send_json(request, orjson.dumps(_report(page)))


async def give_reason(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/series/{series_id}/gaps: why no document will have some numbers."""
    body, (database, _, actor) = await read_body(request, request.app[keys.SETTINGS]), engine_of(request)
    asked = (request.match_info["series_id"], *wire.read_reason(loads(body)))
    return await answer_once(request, body, _reasoned, partial(number_report.give_reason, database, actor, *asked))


def _whole(request: web.Request, name: str, default: int, least: int, most: int) -> int:
    said = request.query.get(name, str(default))
    if not (said.isascii() and said.isdigit() and len(said) < 12 and least <= int(said) <= most):
        raise Problem("bad_parameter", f"{name} must be a whole number from {least} to {most}.")
    return int(said)


# --- JSON -------------------------------------------------------------------------------------------------------------


def _series(series: Series) -> dict[str, Any]:
    return {
        "id": series.id,
        "branch_id": series.branch_id,
        "kind": series.kind,
        "prefix": series.prefix,
        "width": series.width,
        "next_number": series.next_number,
        "starts_on": series.starts_on.isoformat(),
        "ends_on": series.ends_on.isoformat(),
    }


def _leased(leased: Leased) -> Kept:
    blocks = [
        {
            "id": block.id,
            "first": block.first,
            "last": block.last,
            "used_to": block.used_to,
            "expires_at": milliseconds(block.expires_at),
        }
        for block in leased.blocks
    ]
    series = {name: value for name, value in _series(leased.series).items() if name != "next_number"}
    return Kept(200, {}, orjson.dumps({"series": series, "blocks": blocks}))


def _returned(_: None) -> Kept:
    return Kept(204, {}, b"")


def _reasoned(stretch: Stretch) -> Kept:
    return Kept(201, {}, orjson.dumps(_stretch(stretch)))


def _report(page: Report) -> dict[str, Any]:
    return {
        "series": _series(page.series),
        "numbers": [_stretch(stretch) for stretch in page.stretches],
        "next": page.following,
    }


def _stretch(stretch: Stretch) -> dict[str, Any]:
    said: dict[str, Any] = {"first": stretch.first, "last": stretch.last, "what": stretch.what}
    if stretch.use is not None:
        said |= {"table": stretch.use.table, "record_id": stretch.use.record_id, "instead_of": stretch.use.instead_of}
    if stretch.block is not None:
        said |= {"device_id": stretch.block.device_id, "user_id": stretch.block.user_id, "why": stretch.block.why}
        said |= {
            "leased_at": milliseconds(stretch.block.leased_at),
            "until": milliseconds(stretch.block.ended_at or stretch.block.expires_at),
        }
    if stretch.gap is not None:
        said |= {"reason": stretch.gap.reason, "by": stretch.gap.user_id, "at": milliseconds(stretch.gap.at)}
    return said
