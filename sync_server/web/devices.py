"""Devices over HTTP: a user's own, and those of others for who has device.manage.

Owns: the JSON of devices and of orders to wipe one.
Must not know: what a wipe does.
Invariant: who may not look after others' devices is told the same of all of them, there or not
(tests/integration/test_device_registry.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from erp_core.values import SAFE_ID
from sync_server.engine import devices, wipe
from sync_server.engine.devices import NotActive
from sync_server.store import registry, wipes
from sync_server.store.impounded import count_waiting
from sync_server.store.registry import LISTED_MAX, Device
from sync_server.store.wipes import Wipe
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.web.bodies import read_body
from sync_server.web.emptying import forget_sessions
from sync_server.web.rights import entitlements_of, reaches, require
from sync_server.wire.members import read_members
from sync_server.wire.moments import milliseconds
from sync_server.wire.problems import Problem, pointer
from sync_server.wire.strict_json import loads

MANAGE = "device.manage"
NAME_MAX = 100
"""Characters, as at a login."""

NO_SUCH_DEVICE = "There is no such device, or it is not for you to act on."


async def list_devices(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/devices: one's own; `?user_id=` a user's, `?all=true` everybody's, for who has device.manage."""
    actor, after = request[keys.ACTOR], _id(request, "after", "")
    user_id = None if _flag(request, "all") else _id(request, "user_id", actor.user_id)
    if user_id != actor.user_id:
        await require(request, MANAGE)
    async with request.app[keys.DATABASE].acquire(actor.org_id) as connection:
        found = await registry.list_devices(connection, actor.org_id, user_id, after=after)
    following = found[-1].id if len(found) == LISTED_MAX else None
    return await send_json(
        request, orjson.dumps({"devices": [_written(device, actor.device_id) for device in found], "next": following})
    )


async def get_device(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/devices/{device_id}."""
    return await _answer(request, await found_device(request))


async def rename(request: web.Request) -> web.StreamResponse:
    """PATCH /api/v1/devices/{device_id} `{name}`."""
    device = await found_device(request, over=True)
    name = (await _members(request, {"name": str})).get("name")
    if not isinstance(name, str) or not 1 <= len(name) <= NAME_MAX:
        raise Problem("invalid_value", f"name must have 1 to {NAME_MAX} characters.", pointer=pointer("name"))
    org_id = request[keys.ACTOR].org_id
    async with request.app[keys.DATABASE].acquire(org_id) as connection:
        await registry.rename_device(connection, org_id, device.id, name)
    return await _answer(request, await found_device(request))


async def revoke(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/devices/{device_id}/revoke: end its sessions; a later login begins anew."""
    device, actor = await found_device(request, over=True), request[keys.ACTOR]
    try:
        ended = await devices.revoke(request.app[keys.DATABASE], actor.org_id, device.id, by=actor)
    except NotActive:
        raise Problem(
            "device_state", f"The device is {device.state}: it has to come back, or has been emptied."
        ) from None
    request.app[keys.SESSIONS].forget(actor.org_id, ended)
    return await _answer(request, await found_device(request, known=device))


async def order_wipe(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/devices/{device_id}/wipe `{immediately?}`: empty it when it comes next."""
    device, actor = await found_device(request, over=True), request[keys.ACTOR]
    asked = await _members(request, {"immediately": bool})
    immediately = bool(asked.get("immediately", False))
    try:
        await wipe.order(request.app[keys.DATABASE], actor.org_id, device.id, by=actor, immediately=immediately)
    except NotActive:
        raise Problem("device_state", "The device has been wiped already.") from None
    await forget_sessions(request, device.id)
    return await _answer(request, await found_device(request, known=device))


# --- Whose it is ------------------------------------------------------------------------------------------------------


async def found_device(
    request: web.Request, *, over: bool = False, manage: bool = False, known: Device | None = None
) -> Device:
    """Give the device of the path. Raises `Problem`.

    One's own needs no code, unless `manage`. `over`: whoever's it is may do no more than the asker (web/rights.py). `known`: it
    was found by the same request before, and is only read again.
    """
    actor, id = request[keys.ACTOR], request.match_info["device_id"]
    async with request.app[keys.DATABASE].acquire(actor.org_id) as connection:
        device = await registry.read_device(connection, actor.org_id, id)
    is_own = device is not None and device.user_id == actor.user_id
    if known is None and (manage or not is_own):
        await require(request, MANAGE)
    if device is None:
        raise Problem("not_found", NO_SUCH_DEVICE)
    if over and not is_own and not reaches(*await entitlements_of(request, actor.user_id, device.user_id)):
        raise Problem("not_found", NO_SUCH_DEVICE)
    return device


# --- JSON -------------------------------------------------------------------------------------------------------------


async def _members(request: web.Request, types: Mapping[str, type]) -> dict[str, Any]:
    """Read a body that is an object of these members, all of which may be left out; no body is an empty one."""
    text = await read_body(request, request.app[keys.SETTINGS]) if request.can_read_body else b""
    body = read_members(loads(text) if text.strip() else {}, types)
    for name, value in body.items():
        if not isinstance(value, types[name]):
            raise Problem("wrong_type", f"{name} has the wrong type.", pointer=pointer(name))
    return body


def _id(request: web.Request, name: str, default: str) -> str:
    said = request.query.get(name, default)
    if said != default and not SAFE_ID.fullmatch(said):
        raise Problem("bad_parameter", f"{name} must be an id.")
    return said


def _flag(request: web.Request, name: str) -> bool:
    said = request.query.get(name, "false")
    if said not in ("true", "false"):
        raise Problem("bad_parameter", f"{name} must be true or false.")
    return said == "true"


async def _answer(request: web.Request, device: Device) -> web.StreamResponse:
    """Answer with a device and, if there is one, the newest order to wipe it."""
    org_id = request[keys.ACTOR].org_id
    async with request.app[keys.DATABASE].acquire(org_id) as connection:
        order = await wipes.read_last(connection, org_id, device.id)
        waiting = 0 if order is None else await count_waiting(connection, org_id, order.id)
    shown = None if order is None else _order(order, waiting)
    return await send_json(request, orjson.dumps({**_written(device, request[keys.ACTOR].device_id), "wipe": shown}))


def _written(device: Device, current: str) -> dict[str, object]:
    return {
        "id": device.id,
        "current": device.id == current,
        "user_id": device.user_id,
        "name": device.name,
        "platform": device.platform,
        "app_version": device.app_version,
        "schema_version": device.schema_version,
        "state": device.state,
        "registered_at": milliseconds(device.registered_at),
        "last_seen_at": milliseconds(device.last_seen_at),
        "cursor": device.cursor,
        "lag": device.lag,
        "pending": device.pending,
    }


def _order(order: Wipe, waiting: int) -> dict[str, object]:
    return {
        "ordered_by": order.ordered_by,
        "ordered_at": milliseconds(order.ordered_at),
        "immediately": order.immediately,
        "drains": order.drains,
        "drained_at": milliseconds(order.drained_at),
        "clears": order.clears,
        "cleared_at": milliseconds(order.cleared_at),
        "proven_at": milliseconds(order.proven_at),
        "proof": order.clear if order.proven_at else None,
        "impounded": waiting,
    }
