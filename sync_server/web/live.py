"""Live connections over HTTP: the upgrade, tickets, and what a client says on its connection.

Owns: the conversation of one connection.
Must not know: who is told what, and when (hall.py, live/).
Invariant: nothing that a client says makes the server do more than one look-up, and it may say little of it
(tests/integration/test_live.py, tests/integration/test_live_limits.py).
"""

from __future__ import annotations

import time
from typing import Final

import orjson
from aiohttp import WSMsgType, web
from aiohttp.http_websocket import WSMessage

from sync_server.live.channels import read_channel
from sync_server.live.members import SUBSCRIPTIONS_MAX, subscribe, unsubscribe
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.web.bearer import Verifiers
from sync_server.web.live_entry import admitted, check_upgrade
from sync_server.web.live_tasks import LIVE_ROOM, Live
from sync_server.web.sockets import Socket, keep_little, make_socket
from sync_server.wire import live as frames
from sync_server.wire.live import Authenticate, Close, Ping, Said, Subscribe, Unsubscribe
from sync_server.wire.problems import Problem

TICKET_SECONDS: Final = 30


async def get_live(request: web.Request) -> web.StreamResponse:
    """Open a live connection: GET /api/v1/live, as a WebSocket."""
    live, ws = request.app[LIVE_ROOM], make_socket()
    check_upgrade(request, ws)
    with admitted(live.hall, request):
        mark, seen = await live.look(request[keys.ACTOR])
        await ws.prepare(request)
        socket = live.enter(request, ws, mark, seen)
        try:
            await _converse(live, request, socket)
        finally:
            live.leave(socket)
    return ws


async def post_ticket(request: web.Request) -> web.StreamResponse:
    """Give a ticket that opens one live connection: POST /api/v1/live/ticket."""
    ticket = request.app[keys.TICKETS].issue(request[keys.ACTOR], request[keys.TOKEN_UNTIL])
    return await send_json(request, orjson.dumps({"ticket": ticket, "expires_in": TICKET_SECONDS}))


async def _converse(live: Live, request: web.Request, socket: Socket) -> None:
    hall = live.hall
    keep_little(socket.transport)
    left = max(int(socket.until - time.time()), 0)
    channels, clock = sorted(socket.member.channels), socket.member.org.clock
    await hall.send(socket, frames.hello(clock, hall.heartbeat_seconds, left, channels))
    async for message in socket.ws:
        code = await _heed(live, request, socket, message)
        if code is not None:
            await socket.close(code)
            return


async def _heed(live: Live, request: web.Request, socket: Socket, message: WSMessage) -> Close | None:
    """Heed a message; give with which code the connection is to be closed, if it is."""
    if not socket.may_speak(time.monotonic()):
        return Close.TOO_MANY_MESSAGES
    match message.type:
        case WSMsgType.PING:
            await socket.ws.pong(message.data)
        case WSMsgType.TEXT:
            said = frames.read_frame(message.data)
            return Close.UNREADABLE if said is None else await _answer(live, request, socket, said)
        case WSMsgType.BINARY:
            return Close.UNREADABLE
    return None


async def _answer(live: Live, request: web.Request, socket: Socket, said: Said) -> Close | None:
    hall = live.hall
    match said:
        case Subscribe(channel=name, presence=presence):
            await hall.send(socket, await _subscribe(live, socket, name))
            if presence and name in socket.member.channels:
                live.attendance.show(socket, name)
        case Unsubscribe(channel=name):
            live.attendance.hide(socket, name)
            unsubscribe(socket.member, name)
            await hall.send(socket, frames.unsubscribed(name))
        case Authenticate(token=token):
            return await _authenticate(live, request, socket, token)
        case Ping():
            await hall.send(socket, frames.pong())
    return None


async def _subscribe(live: Live, socket: Socket, name: str) -> str:
    channel = read_channel(name)
    if channel is None:
        return frames.refused(name, "unknown_channel")
    labels: tuple[str, ...] = ()
    if channel.kind == "entity":
        labels = tuple(await live.source.labels(socket.actor.org_id, channel.table, channel.id))
    if subscribe(socket.member, name, labels):
        return frames.subscribed(name)
    return frames.refused(name, "forbidden" if len(socket.member.channels) < SUBSCRIPTIONS_MAX else "too_many_channels")


async def _authenticate(live: Live, request: web.Request, socket: Socket, token: str) -> Close | None:
    """Let the connection live as long as a newer token of its session."""
    try:
        known = await Verifiers(request.app[keys.TOKENS]).verify(request, token)
    except Problem:
        return Close.TOKEN_EXPIRED
    actor = await request.app[keys.SESSIONS].live(known.actor)
    if actor is None or (actor.org_id, actor.session_id) != (socket.actor.org_id, socket.actor.session_id):
        return Close.SESSION_ENDED
    socket.until, socket.key_id, socket.warned = known.expires, known.key_id, False
    await live.hall.send(socket, frames.authenticated(max(int(socket.until - time.time()), 0)))
    return None
