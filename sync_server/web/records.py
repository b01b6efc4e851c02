"""Records over REST: every entity of the catalogue, listed, read, made, changed and deleted in one way.

Owns: the way from a request to the engine and back.
Must not know: any one entity, except what must be asked of a person before their own or others' rights change.
Invariant: what is given went through the asker's mask, and what is written through the one write path
(tests/integration/test_records.py, tests/integration/test_crawl.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, TypeVar

import orjson
from aiohttp import web

from conflict.mutation import Mutation, Operation
from erp_core.language import Entity
from sync_server.engine import office, reading
from sync_server.engine.devices import DeviceWiping, SessionEnded
from sync_server.engine.history import read_as_it_was
from sync_server.engine.listing import Asked, NotSearched, NotShown, Page, read_page
from sync_server.engine.standing import Standings
from sync_server.identity.people import login_name
from sync_server.store.actor import Actor
from sync_server.store.database import Database
from sync_server.store.idempotency import Answered, Kept, KeyReused
from sync_server.store.pages import Condition, Order
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.web.bodies import JSON_TYPES, read_body
from sync_server.web.fresh import require_fresh
from sync_server.web.idempotency import once_of, send_kept
from sync_server.wire import listing
from sync_server.wire import records as wire
from sync_server.wire.history import read_at
from sync_server.wire.places import write_next
from sync_server.wire.problems import Problem
from sync_server.wire.strict_json import loads

PATCH_TYPES: Final = JSON_TYPES | {"application/merge-patch+json"}
"""RFC 7396."""

_Result = TypeVar("_Result")

RIGHTS: Final = frozenset({"role", "grant"})
"""What says who may do what: changed only after a fresh login (OWASP ASVS 5.0, 7.5.1), as is a person's phone."""


class Records:
    """The handlers of one entity."""

    def __init__(self, entity: Entity) -> None:
        self.entity = entity
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
        return await send_json(request, wire.write_record(record), headers={"ETag": wire.tag_of(record.position)})

    async def create(self, request: web.Request) -> web.StreamResponse:
        """POST /api/v1/{table} with the fields of a record; `id` may be left out."""
        body = await read_body(request, request.app[keys.SETTINGS])
        return await self.write(request, body, wire.read_new(self.table, loads(body)))

    async def change(self, request: web.Request) -> web.StreamResponse:
        """PATCH /api/v1/{table}/{id} with a merge patch; `If-Match`: only if nobody changed the same fields since.

        `Prefer: merge`: what both changed is decided by the fields' policies, as far as they can.
        """
        body = await read_body(request, request.app[keys.SETTINGS], types=PATCH_TYPES)
        return await self.write(request, body, wire.read_patch(self.table, request.match_info["id"], loads(body)))

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """DELETE /api/v1/{table}/{id}; `If-Match`: only if nobody changed it since."""
        return await self.write(request, b"", wire.deletion(self.table, request.match_info["id"]))

    async def write(
        self, request: web.Request, body: bytes, mutation: Mutation, base: int | None = None
    ) -> web.StreamResponse:
        """Apply a change that `body` asks for, and answer with the record. `base`: what it was made of, without If-Match."""
        stated = wire.read_if_match(request.headers.get("If-Match"))
        mutation = with_login_name(self.entity, mutation)
        await self.check_fresh(request, mutation)
        preferred = listing.preferences(request.headers)
        render = partial(rendered, f"{self.path}/{mutation.id}", mutation, preferred)
        how: dict[str, Any] = {"base": base if stated is None else stated, "merges": "merge" in preferred}
        return await answer_once(request, body, render, partial(office.write, *engine_of(request), mutation, **how))

    async def check_fresh(self, request: web.Request, *mutations: Mutation) -> None:
        """Ask for a fresh login if the changes are of what says who may do what. Raises Problem."""
        if self.entity.name in RIGHTS or (
            self.entity.name == "user" and any("phone" in one.values for one in mutations)
        ):
            await require_fresh(request)


def rendered(path: str, mutation: Mutation, preferred: Mapping[str, str], written: office.Written) -> Kept:
    """Make the answer to a write; a record that is out of the author's sight by now is only named."""
    creates, deletes = (mutation.operation is one for one in (Operation.CREATED, Operation.DELETED))
    if deletes:
        return Kept(204, {}, b"")
    record, minimal = written.record, preferred.get("return") == "minimal"
    applied = [*(["return=minimal"] if minimal else []), *(["merge"] if "merge" in preferred and not creates else [])]
    headers = {
        **({"Location": path} if creates and written.new else {}),
        **({} if record is None else {"ETag": wire.tag_of(record.position)}),
        **({"Preference-Applied": ", ".join(applied)} if applied else {}),
    }
    status = 201 if creates and written.new else 200
    if minimal:
        return Kept(201 if status == 201 else 204, headers, b"")
    return Kept(status, headers, orjson.dumps({"id": mutation.id}) if record is None else wire.write_record(record))


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


def with_login_name(entity: Entity, mutation: Mutation) -> Mutation:
    """Spell a login name as logins look it up."""
    name = mutation.values.get("username")
    if entity.name != "user" or not isinstance(name, str):
        return mutation
    values = {**mutation.values, "username": login_name(name)}
    return Mutation(mutation.table, mutation.id, mutation.operation, values, mutation.changed)


async def answer_once(
    request: web.Request, body: bytes, render: Callable[[_Result], Kept], work: Callable[..., Awaitable[_Result]]
) -> web.StreamResponse:
    """Have a write done, under the request's Idempotency-Key if it has one, and answer with what `render` makes of it.

    `work` is handed `once`. Raises Problem for what a write raises.
    """
    with told_apart():
        try:
            kept = render(await work(once=once_of(request, body, render)))
        except Answered as before:
            kept = before.kept
    return await send_kept(request, kept)


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
    except KeyReused:
        raise Problem("idempotency_key_reused") from None
