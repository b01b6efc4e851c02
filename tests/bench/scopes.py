"""The jobs of scopes: someone who sees little of a large organisation, and a scope that is given and taken.

Owns: what each does and its floor: the same rows in an organisation that has nothing else.
Must not know: how figures are judged or shown.
Invariant: floor and subject are sent the same number of records (tests/bench/test_bench_smoke.py).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import orjson

from tests.bench.lean import LeanClient
from tests.bench.measure import Figure, alternate
from tests.bench.world import EPOCH_BITS, LARGE, SCOPED, World, fill_labelled

FEW, MANY = "only-few", "only-many"
"""Organisations that have only what the scoped user of the large one sees."""

TOUCH = f"""
WITH clock AS (
  UPDATE org_clock SET seq = seq + $3 WHERE org_id = $1 RETURNING (epoch::bigint << {EPOCH_BITS}) + seq - $3 AS bottom
), touched AS (
  SELECT f.id, row_number() OVER () AS n FROM feed f
  WHERE f.org_id = $1 AND f.entity = 'business_partners' AND f.scopes @> ARRAY[$2] LIMIT $3
)
UPDATE feed f SET position = clock.bottom + touched.n FROM clock, touched
WHERE f.org_id = $1 AND f.entity = 'business_partners' AND f.id = touched.id
"""


async def visible_of_many(world: World) -> AsyncIterator[Figure]:
    """What somebody with a small scope of a large organisation waits for, first and later."""
    sizes = world.sizes
    await fill_labelled(world, LARGE, "branch:few", sizes.visible)
    await world.organisation(FEW)
    await fill_labelled(world, FEW, "branch:few", sizes.visible)
    await world.employ(SCOPED, LARGE, branch="few")
    await world.settle()
    client = LeanClient(world.server.url)
    few, scoped = world.as_(FEW), world.as_(SCOPED)

    async def first(org: str, asked: bytes) -> float:
        await world.connection.execute(TOUCH, org, "branch:few", 1)  # what was cached is out of date
        began = time.perf_counter()
        assert _count(client.read(asked)) == sizes.visible
        return time.perf_counter() - began

    floors, subjects = await alternate(sizes.rounds, lambda: first(FEW, few(None)), lambda: first(LARGE, scoped(None)))
    name = f"first sync, visible {sizes.visible} of {sizes.feed_large} records"
    yield Figure(name, "s", subjects, floors, budget=2)
    yield await _delta(world, client)
    client.close()


async def _delta(world: World, client: LeanClient) -> Figure:
    cursors = {org: await world.clock(org) for org in (FEW, LARGE)}
    changed = min(world.sizes.changed, world.sizes.visible)
    for org in (FEW, LARGE):
        await world.connection.execute(TOUCH, org, "branch:few", changed)
        await world.connection.execute(TOUCH, org, "branch:b1", changed)  # of the others, nothing must be heard
    few, scoped = world.as_(FEW)(cursors[FEW]), world.as_(SCOPED)(cursors[LARGE])
    assert _count(client.read(few)) == _count(client.read(scoped)) == changed

    def ask(asked: bytes) -> float:
        began = time.perf_counter()
        for _ in range(world.sizes.requests):
            client.ask(asked)
        return (time.perf_counter() - began) / world.sizes.requests * 1_000

    async def floor() -> float:
        return ask(few)

    async def subject() -> float:
        return ask(scoped)

    floors, subjects = await alternate(world.sizes.rounds, floor, subject)
    return Figure(f"delta of {changed}, of somebody who sees that scope", "ms", subjects, floors, budget=2)


async def scope_given(world: World) -> AsyncIterator[Figure]:
    """A grant that brings old rows, and its end, which takes them back; the floor is a first sync of just these rows."""
    sizes = world.sizes
    await fill_labelled(world, LARGE, "branch:many", sizes.granted)
    await world.organisation(MANY)
    await fill_labelled(world, MANY, "branch:many", sizes.granted)
    await world.employ("granted", LARGE, branch="b2")
    await world.branch(LARGE, "many")
    await world.settle()
    client = LeanClient(world.server.url)
    alone, granted = world.as_(MANY), world.as_("granted")
    client.read(granted(None))
    taken: list[float] = []

    async def first() -> float:
        await world.connection.execute(TOUCH, MANY, "branch:many", 1)
        began = time.perf_counter()
        assert _count(client.read(alone(None))) == sizes.granted
        return time.perf_counter() - began

    async def give() -> float:
        cursor = await world.clock(LARGE)
        await world.connection.execute(
            "INSERT INTO grants (org_id, id, user_id, role_id, branch_id) VALUES ($1, 'more', 'granted', 'everything', 'many')",
            LARGE,
        )
        began = time.perf_counter()
        answer = client.read(granted(cursor))
        took = time.perf_counter() - began
        assert _count(answer) == sizes.granted
        await world.connection.execute("DELETE FROM grants WHERE org_id = $1 AND id = 'more'", LARGE)
        began = time.perf_counter()
        assert _count(client.read(granted(_parsed(answer)["timestamp"]))) == sizes.granted
        taken.append(time.perf_counter() - began)
        return took

    floors, subjects = await alternate(sizes.rounds, first, give)
    yield Figure(f"grant of {sizes.granted} old rows", "s", subjects, floors, budget=2)
    yield Figure("its end, which deletes them", "s", taken, floors, budget=2)
    client.close()


def _count(body: bytes) -> int:
    """Count the partners of a pull: only they are many."""
    return sum(map(len, _parsed(body)["changes"]["business_partners"].values()))


def _parsed(body: bytes) -> Any:
    """Parse an answer; one that was streamed still has its chunks (RFC 9112, 7.1)."""
    whole = b""
    while not body.startswith((b"{", b"0\r\n")):
        size, _, body = body.partition(b"\r\n")
        whole, body = whole + body[: int(size, 16)], body[int(size, 16) + 2 :]
    return orjson.loads(whole or body)
