"""Downloads: a link to the bytes of an attachment, for a few minutes, and the bytes.

Owns: who gets a link, and how bytes are handed to whoever has one.
Must not know: where bytes are; how a link is signed (identity/links.py).
Invariant: the right is looked at when a link is made and the session when it is followed; no browser shows or runs what comes;
the link is in no log (tests/integration/test_downloads.py).
"""

from __future__ import annotations

import time
from typing import Final

import orjson
from aiohttp import web

from erp_core.entities.attachment import ATTACHMENT
from sync_server.engine.arriving import file_name
from sync_server.engine.pictures import THUMBNAILS
from sync_server.engine.reading import read_record
from sync_server.identity.links import Link, Links, is_over
from sync_server.store import attachments as store
from sync_server.store.actor import Actor
from sync_server.store.attachments import Blob
from sync_server.web import keys
from sync_server.web.answers import is_current, send_json
from sync_server.web.records import NOT_THERE, engine_of
from sync_server.web.uploads import ARRIVALS, told_apart
from sync_server.wire.problems import Problem

PATH: Final = "/api/v1/files"
LINKS: Final = web.AppKey("links", Links)

NOT_YET: Final = "Its bytes have not arrived yet, or there is no picture of this size of it."

ENDINGS: Final = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "application/pdf": "pdf"}


async def make_link(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/attachments/{id}/link; `?pixels=256` or 1024: to its thumbnail."""
    pixels, id, actor = _pixels(request), request.match_info["id"], request[keys.ACTOR]
    if await read_record(*engine_of(request), ATTACHMENT.table, id) is None:
        raise Problem("not_found", NOT_THERE)
    await _blob(request, actor.org_id, id, pixels)
    settings = request.app[keys.SETTINGS]
    until = int(time.time()) + settings.link_seconds
    token = request.app[LINKS].write(Link(actor.org_id, actor.user_id, actor.session_id, id, pixels, until))
    url = f"{settings.attachment_host or ''}{PATH}?token={token}"
    return await send_json(request, orjson.dumps({"url": url, "expires_at": until * 1000}))


async def get_file(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/files?token=: the bytes that a link is to; a part of them with `Range`."""
    link = await _followed(request)
    blob = await _blob(request, link.org_id, link.attachment_id, link.pixels)
    name = file_name(link.org_id, blob.room, link.pixels)
    with told_apart():
        size = await request.app[ARRIVALS].blobs.size(name)
    tag = f"{blob.digest.hex()[:32]}-{link.pixels}"
    headers = _headers(link, "image/jpeg" if link.pixels else blob.media_type, tag)
    if request.app[keys.SETTINGS].attachment_host is not None:
        # Pages of the house are on another host then, and show it; nobody else's page knows the link.
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    if is_current(request, tag):
        return web.Response(status=304, headers=headers)
    begin, end = _wanted(request, size, tag)
    return await _send(request, name, (begin, end, size), headers)


async def _followed(request: web.Request) -> Link:
    """Read the link; raises `Problem` if it is none of ours, over, or its session is."""
    link = request.app[LINKS].read(request.query.get("token", ""))
    if link is None:
        raise Problem("link_refused")
    if is_over(link):
        raise Problem("link_expired")
    actor = await request.app[keys.SESSIONS].live(Actor(link.org_id, link.user_id, link.session_id))
    if actor is None or actor.wiping:
        raise Problem("link_refused")
    return link


async def _blob(request: web.Request, org_id: str, id: str, pixels: int) -> Blob:
    async with request.app[keys.DATABASE].acquire(org_id) as connection:
        blob = await store.read_blob(connection, org_id, id)
    if blob is None or (pixels and pixels not in blob.thumbnails):
        raise Problem("not_found", NOT_YET)
    return blob


def _pixels(request: web.Request) -> int:
    text = request.query.get("pixels", "0")
    if text != "0" and text not in map(str, THUMBNAILS):
        raise Problem("bad_parameter", f"pixels can be {' or '.join(map(str, THUMBNAILS))}, or left out.")
    return int(text)


def _headers(link: Link, media_type: str, tag: str) -> dict[str, str]:
    """Whatever it is, a browser saves it, guesses nothing, and runs nothing."""
    size = f"-{link.pixels}" if link.pixels else ""
    return {
        "Content-Type": media_type,
        "Content-Disposition": f'attachment; filename="{link.attachment_id}{size}.{ENDINGS[media_type]}"',
        "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
        "Cache-Control": f"private, max-age={max(0, link.until - int(time.time()))}",
        "Accept-Ranges": "bytes",
        "ETag": f'"{tag}"',
    }


def _wanted(request: web.Request, size: int, tag: str) -> tuple[int, int]:
    """Say which bytes are asked for; several ranges, or one in other words, are answered with all: RFC 9110, 14.2."""
    if request.headers.get("If-Range", f'"{tag}"') != f'"{tag}"':
        return 0, size
    try:
        asked = request.http_range
    except ValueError:
        return 0, size
    if asked.start is None:
        return 0, size
    begin = max(0, size + asked.start) if asked.start < 0 else asked.start
    end = size if asked.stop is None else min(size, asked.stop)
    if begin >= end:
        raise Problem("range_unsatisfiable", bytes=size)
    return begin, end


async def _send(
    request: web.Request, name: str, part: tuple[int, int, int], headers: dict[str, str]
) -> web.StreamResponse:
    begin, end, size = part
    whole = (begin, end) == (0, size)
    ranged = {} if whole else {"Content-Range": f"bytes {begin}-{end - 1}/{size}"}
    response = web.StreamResponse(status=200 if whole else 206, headers={**headers, **ranged})
    response.content_length = end - begin
    await response.prepare(request)
    request[keys.STREAM] = response
    if request.method != "HEAD":
        async for piece in request.app[ARRIVALS].blobs.stream(name, begin, end):
            await response.write(piece)
    await response.write_eof()
    return response
