"""Records over REST: every entity of the catalogue, listed, read, made, changed and deleted in one way.

Owns: the way from a request to the engine and back.
Must not know: any one entity, except what must be asked of a person before their own or others' rights change.
Invariant: what is given went through the asker's mask, and what is written through the one write path
(tests/integration/test_records.py, tests/integration/test_crawl.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import orjson
from aiohttp import web

from conflict.mutation import Mutation
from erp_core.language import Entity
from sync_server.engine import office, reading
from sync_server.engine.devices import DeviceWiping, SessionEnded
from sync_server.engine.history import read_as_it_was
from sync_server.engine.listing import Asked, NotSearched, NotShown, Page, read_page
from sync_server.engine.standing import Standings
from sync_server.identity.people import login_name
from sync_server.store.actor import Actor
from sync_server.store.database import Database
from sync_server.store.pages import Condition, Order
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.web.bodies import JSON_TYPES, read_body
from sync_server.web.fresh import require_fresh
from sync_server.wire import listing
from sync_server.wire import records as wire
from sync_server.wire.history import read_at
from sync_server.wire.places import write_next
from sync_server.wire.problems import Problem
from sync_server.wire.strict_json import loads

PATCH_TYPES: Final = JSON_TYPES | {"application/merge-patch+json"}
"""RFC 7396."""

RIGHTS: Final = frozenset({"role", "grant"})
"""What says who may do what: changed only after a fresh login (OWASP ASVS 5.0, 7.5.1), as is a person's phone."""


class Records:
    """The handlers of one entity."""

    def __init__(self, entity: Entity) -> None:
        self._entity = entity
        self.table = entity.table
        self.path = f"/api/v1/{entity.table}"

    async def list(self, request: web.Request) -> web.StreamResponse:
        """GET /api/v1/{table}, with the parameters of wire/listing.py; `Prefer: count=exact`: say how many there are."""
        asked = listing.read_list(self.table, list(request.query.items()))
        counts = listing.preferences(request.headers).get("count") == "exact"
        try:
            page = await read_page(*engine_of(request), self.table, _asked(asked, counts=counts))
        except NotShown as hidden:
            raise listing.unknown_field(self.table, hidden.name) from None
        except NotSearched:
            raise listing.unknown_field(self.table, "q") from None
        return await send_json(
            request, _written(asked, page), headers=_applied(counts and page.counted_all, "count=exact")
        )

    async def get(self, request: web.Request) -> web.StreamResponse:
        """GET /api/v1/{table}/{id}; `?at=`, a position or a moment: as it was then."""
        id, at = request.match_info["id"], request.query.get("at")
        if at is None:
            record = await reading.read_record(*engine_of(request), self.table, id)
        else:
            record = await read_as_it_was(*engine_of(request), (self.table, id), *read_at(at))
        if record is None:
            raise Problem("not_found", NOT_THERE)
        return await _answer(request, record)

    async def create(self, request: web.Request) -> web.StreamResponse:
        """POST /api/v1/{table} with the fields of a record; `id` may be left out."""
        mutation = wire.read_new(self.table, loads(await read_body(request, request.app[keys.SETTINGS])))
        written = await self._write(request, mutation)
        where = {"Location": f"{self.path}/{mutation.id}"} if written.new else {}
        return await _answer(request, written.record, 201 if written.new else 200, id=mutation.id, **where)

    async def change(self, request: web.Request) -> web.StreamResponse:
        """PATCH /api/v1/{table}/{id} with a merge patch; `If-Match`: only if nobody changed the same fields since.

        `Prefer: merge`: what both changed is decided by the fields' policies, as far as they can.
        """
        body = await read_body(request, request.app[keys.SETTINGS], types=PATCH_TYPES)
        id = request.match_info["id"]
        written = await self._write(request, wire.read_patch(self.table, id, loads(body)))
        return await _answer(request, written.record, 200, id=id, **_applied(_merges(request), "merge"))

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """DELETE /api/v1/{table}/{id}; `If-Match`: only if nobody changed it since."""
        await self._write(request, wire.deletion(self.table, request.match_info["id"]))
        return web.Response(status=204)

    async def apply(self, request: web.Request, mutation: Mutation, base: int) -> web.StreamResponse:
        """Apply a change that was made of how the record was at `base`, and answer with the record."""
        written = await self._write(request, mutation, base)
        return await _answer(request, written.record, id=mutation.id)

    async def _write(self, request: web.Request, mutation: Mutation, base: int | None = None) -> office.Written:
        stated = wire.read_if_match(request.headers.get("If-Match"))
        base = base if stated is None else stated
        mutation = _with_login_name(self._entity, mutation)
        if self._entity.name in RIGHTS or (self._entity.name == "user" and "phone" in mutation.values):
            await require_fresh(request)
        with told_apart():
            return await office.write(*engine_of(request), mutation, base, merges=_merges(request))


def _merges(request: web.Request) -> bool:
    """Say whether the client prefers a merge to being told of a clash (RFC 7240: a preference of our own)."""
    return "merge" in listing.preferences(request.headers)


NOT_THERE: Final = "There is no such record, or it is not for you to see."


def _asked(query: listing.ListQuery, *, counts: bool) -> Asked:
    conditions = [Condition(one.field, one.operation, one.values) for one in query.filters]
    orders = [Order(key.field, key.descending) for key in query.sort]
    return Asked(query.limit, query.after, conditions, orders, query.fields, query.words, query.include, counts)


def _written(query: listing.ListQuery, page: Page) -> bytes:
    following = write_next(query.sort, page.keys, page.records[-1].id) if page.more else None
    return wire.write_page(
        page.records,
        following,
        fields=query.fields,
        included=page.included if query.include else None,
        count=None if page.count is None else (page.count, page.counted_all),
    )


def _applied(applied: bool, preference: str) -> dict[str, str]:
    return {"Preference-Applied": preference} if applied else {}


def engine_of(request: web.Request) -> tuple[Database, Standings, Actor]:
    """Give what the engine needs of a request."""
    return request.app[keys.DATABASE], request.app[keys.STANDINGS], request[keys.ACTOR]


def _with_login_name(entity: Entity, mutation: Mutation) -> Mutation:
    """Spell a login name as logins look it up."""
    name = mutation.values.get("username")
    if entity.name != "user" or not isinstance(name, str):
        return mutation
    values = {**mutation.values, "username": login_name(name)}
    return Mutation(mutation.table, mutation.id, mutation.operation, values, mutation.changed)


@contextmanager
def told_apart() -> Iterator[None]:
    """Turn what a write raises into problems."""
    try:
        yield
    except (SessionEnded, DeviceWiping):
        raise Problem("session_ended") from None
    except office.NotThere:
        raise Problem("not_found", NOT_THERE) from None
    except office.IdTaken:
        raise Problem("id_taken") from None
    except office.ChangedMeanwhile as changed:
        raise Problem("changed_meanwhile", fields=list(changed.fields)) from None
    except office.Refused as refused:
        raise wire.refusal(refused.reasons) from None


async def _answer(
    request: web.Request, record: reading.Seen | None, status: int = 200, *, id: str = "", **headers: str
) -> web.StreamResponse:
    """Answer with a record; one that is out of the author's sight by now is only named."""
    if record is None:
        return await send_json(request, orjson.dumps({"id": id}), status=status, headers=headers)
    tagged = {**headers, "ETag": wire.tag_of(record.position)}
    return await send_json(request, wire.write_record(record), status=status, headers=tagged)
