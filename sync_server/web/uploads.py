"""Uploads over HTTP: the bytes of an attachment, part by part, by tus 1.0.0.

Owns: the way from a request to the engine and back.
Must not know: what is right about the bytes, where they are.
Invariant: memory holds one part of `PART_BYTES` of each upload; what arrived before a connection broke is not sent again
(tests/integration/test_uploads.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import orjson
from aiohttp import web

from sync_server.engine import attaching
from sync_server.engine.arriving import Arrivals
from sync_server.engine.attaching import Attaching
from sync_server.engine.office import NotThere
from sync_server.engine.pictures import Unfit
from sync_server.store.attachments import Upload
from sync_server.store.blobs import StoreFailed
from sync_server.web import keys, tus
from sync_server.web.answers import send_json
from sync_server.web.bodies import stream_body
from sync_server.web.records import NOT_THERE
from sync_server.wire.moments import milliseconds
from sync_server.wire.problems import Problem

PART_BYTES: Final = 4 * 2**20
"""What is stored, and acknowledged to the database, at once; a longer request is cut into such parts. With a checksum it must
not be longer than a body may be: it counts as a whole or not at all."""

ATTACHING: Final = web.AppKey("attaching", Attaching)
ARRIVALS: Final = web.AppKey("arrivals", Arrivals)

FAILURES: Final[Mapping[str, str]] = {
    "wrong_hash": "They do not hash to what was declared; send them again.",
    "wrong_type": "They are not of the type that was declared, or more than a file of it.",
    "unreadable": "The picture cannot be opened.",
    "too_many_pixels": "The picture has more pixels than the server unpacks; send a smaller one.",
}


async def options(request: web.Request) -> web.StreamResponse:
    """OPTIONS /api/v1/attachments/{id}/bytes: say what of tus is spoken."""
    told = {
        "Tus-Extension": tus.EXTENSIONS,
        "Tus-Max-Size": str(request.app[ATTACHING].bounds.each),
        "Tus-Checksum-Algorithm": ",".join(tus.DIGESTS),
    }
    return web.Response(status=204, headers=told)


async def create(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/attachments/{id}/bytes: begin, or go on; or what X-HTTP-Method-Override says."""
    meant = _OVERRIDES.get(tus.method_of(request))
    if meant is not None:
        return await meant(request)
    tus.check_version(request)
    with told_apart():
        length = tus.number(request, "Upload-Length")
        upload = await request.app[ATTACHING].begin(request[keys.ACTOR], request.match_info["id"], length)
    return web.Response(status=201, headers={"Location": request.path, **_where(upload)})


async def get(request: web.Request) -> web.StreamResponse:
    """GET, HEAD /api/v1/attachments/{id}/bytes: how much is there."""
    if tus.method_of(request) == "HEAD":
        tus.check_version(request)
    with told_apart():
        upload = await request.app[ATTACHING].find(request[keys.ACTOR], request.match_info["id"])
    body = {"bytes": upload.bytes, "received": upload.received, "expires_at": milliseconds(upload.expires_at)}
    return await send_json(request, orjson.dumps(body), headers={**_where(upload), "Upload-Length": str(upload.bytes)})


async def append(request: web.Request) -> web.StreamResponse:
    """PATCH /api/v1/attachments/{id}/bytes: take a part; with the last one, check the whole."""
    tus.check_version(request)
    said, begins = tus.checksum(request), tus.number(request, "Upload-Offset")
    tus.check_part_type(request)
    actor, app = request[keys.ACTOR], request.app
    with told_apart():
        upload = await app[ATTACHING].find(actor, request.match_info["id"])
        if begins != upload.received:
            raise Problem("offset_conflict", offset=upload.received)
        upload = await (_streamed(request, upload) if said is None else _whole(request, upload, said))
        if upload.room and upload.received == upload.bytes:
            await app[ARRIVALS].finish(actor.org_id, upload)
    return web.Response(status=204, headers=_where(upload))


async def terminate(request: web.Request) -> web.StreamResponse:
    """DELETE /api/v1/attachments/{id}/bytes: give the upload up."""
    tus.check_version(request)
    with told_apart():
        await request.app[ATTACHING].stop(request[keys.ACTOR], request.match_info["id"])
    return web.Response(status=204)


_OVERRIDES: Final = {"PATCH": append, "DELETE": terminate, "HEAD": get}


async def _streamed(request: web.Request, upload: Upload) -> Upload:
    """Take what comes, a part at a time; a connection that breaks leaves what came before."""
    held, left, actor = bytearray(), upload.bytes - upload.received, request[keys.ACTOR]
    broken: Problem | None = None
    try:
        async for piece in stream_body(request, left, left, {tus.PART_TYPE}):
            held += piece
            if len(held) >= PART_BYTES:
                upload = await request.app[ATTACHING].add(actor, upload, upload.received, bytes(held))
                held.clear()
    except Problem as problem:
        if problem.code != "body_incomplete":
            raise
        broken = problem
    if held:
        upload = await request.app[ATTACHING].add(actor, upload, upload.received, bytes(held))
    if broken is not None:
        raise broken
    return upload


async def _whole(request: web.Request, upload: Upload, said: tus.Checksum) -> Upload:
    """Take a part that counts only if it hashes to what is `said`."""
    most = min(upload.bytes - upload.received, request.app[keys.SETTINGS].body_max)
    held = bytearray()
    async for piece in stream_body(request, most, most, {tus.PART_TYPE}):
        held += piece
    if not said.holds(bytes(held)):
        raise Problem("checksum_mismatch")
    if not held:
        return upload
    return await request.app[ATTACHING].add(request[keys.ACTOR], upload, upload.received, bytes(held))


def _where(upload: Upload) -> dict[str, str]:
    """Say how far an upload is, and until when it waits for more."""
    waits = {"Upload-Expires": tus.http_date(upload.expires_at)} if upload.received < upload.bytes else {}
    return {"Upload-Offset": str(upload.received), **waits}


@contextmanager
def told_apart() -> Iterator[None]:
    """Turn what the engine raises into problems."""
    try:
        yield
    except NotThere:
        raise Problem("not_found", NOT_THERE) from None
    except attaching.NoUpload:
        raise Problem("upload_gone") from None
    except attaching.AlreadyThere:
        raise Problem("already_uploaded") from None
    except attaching.WrongLength:
        raise Problem("wrong_length") from None
    except attaching.TooLarge as large:
        raise Problem("attachment_too_large", limit=large.limit) from None
    except attaching.QuotaReached:
        raise Problem("quota_reached") from None
    except attaching.OffsetMoved:
        raise Problem("offset_conflict") from None
    except Unfit as unfit:
        raise Problem("bytes_refused", FAILURES[unfit.failure], failure=unfit.failure) from None
    except StoreFailed:
        raise Problem("store_unavailable") from None
