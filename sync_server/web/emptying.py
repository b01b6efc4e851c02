"""Sync with a device that is being wiped, and what any device says of itself in headers.

Owns: the way from such a pull or push to engine/wipe.py and back; the headers Cotton-App-Version, Cotton-Pending and
Cotton-Push-Counter.
Must not know: when a device counts as empty.
Invariant: what a wiping device sends is kept as it is, readable or not; nothing of an answer to it is a row
(tests/integration/test_wipe.py).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from aiohttp import web

from erp_core.catalogue import BY_TABLE
from erp_core.values import SAFE_ID
from sync_server.engine import cursor as cursors
from sync_server.engine import devices, wipe
from sync_server.store.impounded import Impounded
from sync_server.store.registry import live_sessions_on
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.wire import pulling
from sync_server.wire.problems import Problem
from sync_server.wire.pulling import PullParameters
from sync_server.wire.strict_json import loads

FROM_THE_FUTURE: Final = (
    "last_pulled_at is ahead of this organisation's history: it came from another server or account."
)

PENDING: Final = "Cotton-Pending"
APP_VERSION: Final = "Cotton-App-Version"
PUSH_COUNTER: Final = "Cotton-Push-Counter"

_PENDING: Final = re.compile(r"[0-9]{1,9}")
_COUNTER: Final = re.compile(r"[1-9][0-9]{0,14}")
_APP_VERSION: Final = re.compile(r"[!-~][ -~]{0,39}")
_SCHEMA_VERSION_MAX: Final = 2**31 - 1

LISTS: Final = ("created", "updated")


def notice(request: web.Request, cursor: int | None, schema_version: int | None = None) -> None:
    """Take note of how far the device is, and of what it says of itself; what cannot be read is not noted."""
    version = request.headers.get(APP_VERSION)
    request.app[keys.SIGHTINGS].saw(
        request[keys.ACTOR],
        cursor=cursor,
        schema_version=schema_version if schema_version is None or schema_version <= _SCHEMA_VERSION_MAX else None,
        app_version=version if version is not None and _APP_VERSION.fullmatch(version) else None,
        pending=pending_of(request),
    )


def pending_of(request: web.Request) -> int | None:
    """Read how many changes the device says that it has still to push; None: it does not say."""
    said = request.headers.get(PENDING)
    return int(said) if said is not None and _PENDING.fullmatch(said) else None


def counter_of(request: web.Request) -> int | None:
    """Read the number that the installation gives this push; None: it gives none. Raises `Problem`."""
    said = request.headers.get(PUSH_COUNTER)
    if said is None:
        return None
    if not _COUNTER.fullmatch(said):
        raise Problem("bad_parameter", f"{PUSH_COUNTER} must be a whole number from 1 up.")
    return int(said)


def digest_of(cursor: int | None, body: bytes) -> bytes:
    """Name a push: a repetition has the same name."""
    return hashlib.sha256(f"{cursor}\n".encode() + body).digest()


@contextmanager
def refused(request: web.Request) -> Iterator[None]:
    """Turn what the engine raises over cursors, sessions and devices into problems."""
    actor = request[keys.ACTOR]
    try:
        yield
    except cursors.FromTheFuture:
        raise Problem("cursor_from_future", FROM_THE_FUTURE) from None
    except devices.CursorOfAnother:
        raise Problem("cursor_of_another") from None
    except devices.SessionEnded:
        request.app[keys.SESSIONS].forget(actor.org_id, [actor.session_id])
        raise Problem("session_ended") from None
    except devices.DeviceForked:
        request.app[keys.SESSIONS].forget(actor.org_id, [actor.session_id])
        raise Problem("device_forked") from None
    except devices.Overtaken:
        raise Problem("push_overtaken") from None


async def empty(request: web.Request, asked: PullParameters) -> web.StreamResponse:
    """Answer a pull of a device that is being wiped."""
    app, actor = request.app, request[keys.ACTOR]
    with refused(request):
        answer = await wipe.pull(app[keys.DATABASE], actor, asked.tables, asked.cursor, pending=pending_of(request))
    if isinstance(answer, wipe.Proven):
        app[keys.SESSIONS].forget(actor.org_id, [actor.session_id])
        raise Problem("device_wiped")
    body = pulling.write_emptied(answer.cursor, asked.tables, answer.gone, replaces=answer.clears)
    return await send_json(request, body)


async def impound(request: web.Request, cursor: int | None, body: bytes) -> web.StreamResponse:
    """Keep a push of a device that is being wiped, and let the phone take it as sent."""
    kept = Impounded(cursor, digest_of(cursor, body), body, named_in(body))
    with refused(request):
        await wipe.keep_back(request.app[keys.DATABASE], request[keys.ACTOR], kept)
    return await send_json(request, b"{}")


def named_in(body: bytes) -> list[str]:
    """Name the records, "table/id", that a change set creates or updates, as far as it can be read."""
    try:
        changes: Any = loads(body)
    except Problem:
        return []
    tables = changes.items() if isinstance(changes, dict) else ()
    lists = (
        (t, lists.get(which)) for t, lists in tables if t in BY_TABLE and isinstance(lists, dict) for which in LISTS
    )
    records = ((t, record.get("id")) for t, listed in lists if isinstance(listed, list) for record in _objects(listed))
    return [f"{t}/{id}" for t, id in records if isinstance(id, str) and SAFE_ID.fullmatch(id)]


def _objects(listed: list[Any]) -> Iterator[dict[str, Any]]:
    return (record for record in listed if isinstance(record, dict))


async def forget_sessions(request: web.Request, device_id: str) -> None:
    """Ask anew for the sessions on a device: this process has just changed what it may do."""
    org_id = request[keys.ACTOR].org_id
    async with request.app[keys.DATABASE].acquire(org_id) as connection:
        sessions = await live_sessions_on(connection, org_id, device_id)
    request.app[keys.SESSIONS].forget(org_id, sessions)
