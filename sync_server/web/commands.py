"""Commands over HTTP: a step of the trade by its name.

Owns: the way from a request to the engine and back.
Must not know: any one command.
Invariant: handlers only translate (tests/architecture/test_sizes.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from aiohttp import web

from conflict.mutation import Mutation, Operation
from erp_core.commands import Command
from erp_core.makers import Maker
from sync_server.engine.commanding import command
from sync_server.engine.making import Shown, make
from sync_server.store.idempotency import Kept
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.web.bodies import JSON_TYPES, read_body
from sync_server.web.records import answer_once, engine_of, rendered
from sync_server.wire import commanding, listing
from sync_server.wire.records import read_if_match
from sync_server.wire.strict_json import loads

TYPES: Final = JSON_TYPES | {"application/octet-stream"}
"""The last is what clients say of a body that is not there."""


async def get_commands(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/commands: every command, what it takes, in which states it can be done, and who may."""
    return await send_json(request, commanding.CATALOGUE)


class Commanded:
    """The handler of one command."""

    def __init__(self, asked: Command) -> None:
        self.asked = asked
        self.path = f"/api/v1/{asked.entity.table}/{{id}}/{asked.name}"

    async def do(self, request: web.Request) -> web.StreamResponse:
        """POST /api/v1/{table}/{id}/{command} with its parameters; `If-Match`: only if nobody changed the same fields since."""
        id, body = request.match_info["id"], await read_body(request, request.app[keys.SETTINGS], TYPES)
        given, base = commanding.read_given(self.asked, loads(body) if body else None), request.headers.get("If-Match")
        named = Mutation(self.asked.entity.table, id, Operation.UPDATED, {})
        render = partial(rendered, "", named, listing.preferences(request.headers))
        done = partial(command, *engine_of(request), id, self.asked, given, read_if_match(base))
        return await answer_once(request, body, render, done)


class Making:
    """The handler of one maker."""

    def __init__(self, asked: Maker) -> None:
        self.asked = asked
        self.path = f"/api/v1/{asked.entity.table}/{{id}}/{asked.name}"

    async def do(self, request: web.Request) -> web.StreamResponse:
        """POST /api/v1/{table}/{id}/{command} with its parameters: 201 and the record that was made first."""
        body = await read_body(request, request.app[keys.SETTINGS], TYPES)
        given = commanding.read_given(self.asked, loads(body) if body else None)
        render = partial(_shown, listing.preferences(request.headers))
        done = partial(make, *engine_of(request), request.match_info["id"], self.asked, given)
        return await answer_once(request, body, render, done)


def _shown(preferred: Mapping[str, str], shown: Shown) -> Kept:
    table, id = shown.key
    named = Mutation(table, id, Operation.CREATED if shown.written.new else Operation.UPDATED, {})
    return rendered(f"/api/v1/{table}/{id}", named, preferred, shown.written)
