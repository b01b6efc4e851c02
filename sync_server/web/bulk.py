"""Many changes at once over REST.

Owns: the way from a request to the engine and back.
Must not know: how anything is decided.
Invariant: what is all or nothing and was not applied is answered as a problem (tests/integration/test_bulk.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import orjson
from aiohttp import web

from conflict.mutation import Mutation
from sync_server.engine.bulk import DONE, NothingApplied, Outcome, write_many
from sync_server.store.idempotency import Kept
from sync_server.web import keys
from sync_server.web.bodies import read_body
from sync_server.web.records import Records, answer_once, engine_of, with_login_name
from sync_server.wire import bulk as wire
from sync_server.wire.listing import preferences
from sync_server.wire.problems import Problem
from sync_server.wire.strict_json import loads


class Bulk:
    """The handler of one entity."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.path = f"{records.path}/bulk"

    async def write(self, request: web.Request) -> web.StreamResponse:
        """POST /api/v1/{table}/bulk {"mode", "records"}: make, change and delete many records in one transaction."""
        body = await read_body(request, request.app[keys.SETTINGS])
        whole, read = wire.read_bulk(self._records.table, loads(body))
        mutations = [with_login_name(self._records.entity, one) for one in read]
        await self._records.check_fresh(request, *mutations)
        render = partial(_rendered, mutations, minimal=preferences(request.headers).get("return") == "minimal")
        done = partial(write_many, *engine_of(request), mutations, whole=whole)
        with _all_told(mutations):
            return await answer_once(request, body, render, done)


@contextmanager
def _all_told(mutations: Sequence[Mutation]) -> Iterator[None]:
    """Turn what was not applied into a problem that says of each record why."""
    try:
        yield
    except NothingApplied as nothing:
        raise Problem("bulk_refused", results=wire.write_results(mutations, nothing.outcomes, minimal=True)) from None


def _rendered(mutations: Sequence[Mutation], outcomes: Sequence[Outcome], *, minimal: bool) -> Kept:
    results = wire.write_results(mutations, outcomes, minimal=minimal)
    applied = sum(one.verdict in DONE for one in outcomes)
    headers = {"Preference-Applied": "return=minimal"} if minimal else {}
    return Kept(200, headers, orjson.dumps({"applied": applied, "results": results}))
