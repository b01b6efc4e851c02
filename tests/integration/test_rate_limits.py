"""Rate limits over real HTTP and real Valkey: who is refused when, what it costs, and what happens without Redis."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from limits import parse

from sync_server.config import BUCKETS, Settings, load_settings
from sync_server.web import caps
from sync_server.web.counting import Counts, Window, is_over
from sync_server.web.headers import come_back
from sync_server.web.limits import Limits, bucket_of
from sync_server.web.routes import add_routes
from sync_server.web.shared_counts import PREFIX, SharedCounts, Unreachable
from tests.harness.servers import Server, serve_here
from tests.harness.valkeys import Valkey

DEFAULTS = {name: Settings.model_fields[name].default for name in (f"limit_{bucket}" for bucket in BUCKETS)}
WRONG = {"username": "nobody", "password": "wrong-password"}
_NUMBERS = itertools.count()
PUSH = b'{"trades":{"created":[],"updated":[],"deleted":[]}}'


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[Valkey]:
    running = await Valkey.run(tmp_path / "valkey")
    yield running
    await running.stop()


async def ask(server: Server, method: str, path: str, **given: Any) -> tuple[int, dict[str, Any], Mapping[str, str]]:
    async with server.session.request(method, path, **given) as answer:
        return answer.status, await answer.json(content_type=None), answer.headers


async def logins(server: Server, tries: int, **given: Any) -> list[int]:
    """Try to log in so many times, each as another unknown user; give the statuses."""
    wrong = [{**WRONG, "username": f"nobody{next(_NUMBERS)}"} for _ in range(tries)]
    return [(await ask(server, "POST", "/api/v1/auth/login", json=each, **given))[0] for each in wrong]


def from_address(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


# --- Who is refused ---------------------------------------------------------------------------------------------------


async def test_an_address_has_so_many_logins_and_is_told_when_to_come_back(demo_url: str, tmp_path: Path) -> None:
    async with serve_here(demo_url, tmp_path, limit_login="address=3/hour") as server:
        assert 429 not in await logins(server, 3)

        status, problem, headers = await ask(server, "POST", "/api/v1/auth/login", json=WRONG)

        assert (status, problem["code"], problem["limit"]) == (429, "too_many_requests", "login")
        assert 1 <= int(headers["Retry-After"]) == problem["retry_after"] <= 2 * 3600
        assert problem["correlation_id"] == headers["X-Request-Id"]
        # Other buckets are not touched, and who has a token goes on working.
        assert (await ask(server, "POST", "/api/v1/auth/refresh", json={"refresh_token": "x"}))[0] == 401


async def test_each_address_counts_for_itself_and_an_ipv6_network_for_one(demo_url: str, tmp_path: Path) -> None:
    settings = {"limit_login": "address=2/hour", "trusted_proxies": "127.0.0.1"}
    async with serve_here(demo_url, tmp_path, **settings) as server:
        for n in range(4):
            assert 429 not in await logins(server, 2, headers=from_address(f"198.51.100.{n}"))
            assert await logins(server, 1, headers=from_address(f"198.51.100.{n}")) == [429]
        seen = [await logins(server, 1, headers=from_address(f"2001:db8:1:2::{n}")) for n in range(4)]
        assert [status == 429 for (status,) in seen] == [False, False, True, True]
        assert 429 not in await logins(server, 1, headers=from_address("2001:db8:1:3::1"))


async def test_a_spoofed_address_buys_nothing(demo_url: str, tmp_path: Path) -> None:
    async with serve_here(demo_url, tmp_path, limit_login="address=2/hour") as server:
        statuses = [(await logins(server, 1, headers=from_address(f"198.51.100.{n}")))[0] for n in range(4)]

        assert [status == 429 for status in statuses] == [False, False, True, True]


@pytest.mark.parametrize(
    ("limit", "rate"),
    [("limit_pull", "user=3/hour"), ("limit_pull", "organisation=3/hour"), ("limit_push", "user=3/hour")],
)
async def test_users_and_organisations_have_limits_of_their_own(
    demo_url: str, tmp_path: Path, limit: str, rate: str
) -> None:
    async with serve_here(demo_url, tmp_path, **{limit: rate}) as server:
        one, other = await server.bearer("agent1"), await server.bearer("agent2")
        method = "GET" if limit == "limit_pull" else "POST"
        data = None if method == "GET" else PUSH

        async def statuses(headers: dict[str, str], tries: int) -> list[int]:
            path = "/api/v1/sync?last_pulled_at=null&schema_version=1"
            typed = {**headers, "Content-Type": "application/json"}
            return [(await ask(server, method, path, headers=typed, data=data))[0] for _ in range(tries)]

        assert await statuses(one, 4) == [200, 200, 200, 429]
        assert await statuses(other, 1) == ([429] if rate.startswith("organisation") else [200])
        schema = await ask(server, "GET", "/api/v1/sync/schema", headers=one)
        assert schema[0] == 200, "another bucket"


async def test_a_limit_of_two_lengths_holds_in_both(demo_url: str, tmp_path: Path) -> None:
    async with serve_here(demo_url, tmp_path, limit_login="address=1000/second;3/hour") as server:
        assert [status == 429 for status in await logins(server, 4)] == [False] * 3 + [True]


async def test_a_flood_is_refused_before_its_token_is_looked_at(demo_url: str, tmp_path: Path) -> None:
    async with serve_here(demo_url, tmp_path, limit_pull="address=5/hour") as server:
        forged = {"Authorization": "Bearer " + ".".join(["eyJhbGciOiJFUzI1NiJ9", "e30", "A" * 86])}
        statuses = [(await ask(server, "GET", "/api/v1/sync", headers=forged))[0] for _ in range(7)]

        assert statuses == [401] * 5 + [429] * 2


async def test_a_refused_body_is_not_read(demo_url: str, tmp_path: Path) -> None:
    async with serve_here(demo_url, tmp_path, limit_push="address=1/hour") as server:
        await ask(server, "POST", "/api/v1/sync", data=PUSH)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
        head = b"POST /api/v1/sync HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n"
        writer.write(head + b"{")

        async with asyncio.timeout(5):
            assert b" 429 " in await reader.readline()
        writer.write(b"}" * 999_999)  # aiohttp reads on for up to 10 s, so that the client can read the answer
        await reader.readuntil(b"}")
        async with asyncio.timeout(15):
            await reader.read()  # to the end: the server has done with the connection
        writer.close()
        await writer.wait_closed()


async def test_health_is_never_limited(demo_url: str, tmp_path: Path) -> None:
    async with serve_here(demo_url, tmp_path, limit_rest="address=1/hour") as server:
        for _ in range(5):
            assert (await ask(server, "GET", "/healthz"))[0] == 200


async def test_every_route_has_a_bucket_and_those_that_can_be_guessed_at_a_strict_one() -> None:
    app = web.Application()
    add_routes(app)
    found = {
        (route.method, route.resource.canonical): bucket_of(route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None
    }

    assert {path for (_, path), bucket in found.items() if bucket is None} == {"/healthz", "/readyz"}
    assert {bucket for (method, path), bucket in found.items() if method == "POST" and "/auth/" in path} <= {
        *("login", "codes", "refresh", "rest")
    }
    assert found["POST", "/api/v1/auth/login"] == "login"
    assert found["GET", "/api/v1/sync"] == "pull"
    assert found["POST", "/api/v1/sync"] == "push"


# --- Ordinary life under the shipping defaults ------------------------------------------------------------------------


async def test_the_defaults_do_not_hinder_an_office_behind_one_address() -> None:
    """200 phones log in within 2 minutes, every fourth mistypes, then all pull every 2 s and push every 10 s for 3 minutes."""
    limits = Limits(load_settings(**DEFAULTS))
    address = "203.0.113.7"
    clock = [1_000_000.0]
    for counts in limits.all_counts():
        counts.clock = lambda: clock[0]

    for n in range(200):
        for _ in range(2 if n % 4 == 0 else 1):
            await limits.spend("login", "address", address)
        clock[0] += 0.7
    for tick in range(90):
        for n in range(200):
            for bucket in ("pull", "push") if tick % 5 == 0 else ("pull",):
                await limits.spend(bucket, "address", address)
                await limits.spend(bucket, "user", f"org/{n}")
                await limits.spend(bucket, "device", f"org/{n}")
                await limits.spend(bucket, "organisation", "org")
        clock[0] += 2


async def test_a_request_is_counted_in_microseconds() -> None:
    """Budget 15 µs for the four names of a pull; 2.7 µs when nothing else runs."""
    many = " ".join(f"{kind}=100000000/minute" for kind in ("user", "device", "address", "organisation"))
    limits = Limits(load_settings(limit_pull=many))

    async def best() -> float:
        began = time.perf_counter()
        for n in range(2_000):
            for kind in ("address", "user", "device", "organisation"):
                await limits.spend("pull", kind, f"org/{n}")
        return (time.perf_counter() - began) / 2_000

    assert min([await best() for _ in range(7)]) < 0.000_015


def test_those_refused_together_are_not_told_to_return_together() -> None:
    drawn = [come_back(60) for _ in range(400)]

    assert min(drawn) >= 60
    assert max(drawn) <= 93
    assert len(set(drawn)) > 20
    assert {come_back(1) for _ in range(100)} > {2, 3}


# --- With Redis -------------------------------------------------------------------------------------------------------


async def test_logins_are_counted_together_by_all_processes(demo_url: str, tmp_path: Path, valkey: Valkey) -> None:
    settings = {"limit_login": "address=4/hour", "redis_url": valkey.url}
    async with (
        serve_here(demo_url, tmp_path / "one", **settings) as one,
        serve_here(demo_url, tmp_path / "two", **settings) as two,
    ):
        statuses = [(await logins(server, 1))[0] for server in (one, two) * 3]

        assert [status == 429 for status in statuses] == [False] * 4 + [True] * 2
        _, problem, headers = await ask(one, "POST", "/api/v1/auth/login", json=WRONG)
        assert 1 <= int(headers["Retry-After"]) == problem["retry_after"]


async def test_a_hundred_at_once_are_counted_exactly(demo_url: str, tmp_path: Path, valkey: Valkey) -> None:
    shared = SharedCounts(valkey.url, ())
    async with shared:
        waits = await asyncio.gather(*(shared.hit(parse("10/hour"), "login/address/x") for _ in range(100)))

    assert sum(wait == 0 for wait in waits) == 10
    assert all(1 <= wait <= 7200 for wait in waits if wait)


async def test_pulls_of_all_processes_are_counted_together_within_an_exchange(valkey: Valkey) -> None:
    here, there = Counts(3600, listed=True), Counts(3600, listed=True)
    async with SharedCounts(valkey.url, (here,)) as one, SharedCounts(valkey.url, (there,)) as two:
        assert sum(not is_over(here.count("pull/user/a", 10)) for _ in range(8)) == 8
        await one.exchange()
        there.count("pull/user/a", 10)
        await two.exchange()

        assert sum(not is_over(there.count("pull/user/a", 10)) for _ in range(8)) == 1
        await two.exchange()
        await one.exchange()
        assert is_over(here.count("pull/user/a", 10)) is False, "nobody told it yet: it was not news"
        await one.exchange()
        assert is_over(here.count("pull/user/a", 10))


async def told(shared: SharedCounts, window: Window) -> int:
    """Give what Redis knows of a window."""
    return int(await shared.redis.get(f"{PREFIX}:{window.key}") or 0)


async def test_the_exchange_goes_on_by_itself_and_tells_nothing_twice(valkey: Valkey) -> None:
    counts = Counts(3600, listed=True)
    async with SharedCounts(valkey.url, (counts,), exchange_seconds=0.02) as shared:
        window = counts.count("pull/user/a", 100)
        for _ in range(20):
            await asyncio.sleep(0.02)
            counts.count("pull/user/a", 100)
        await asyncio.sleep(0.05)
        await shared.exchange()
        total = await told(shared, window)
        lasts = await shared.redis.ttl(f"{PREFIX}:{window.key}")

    assert (window.ours, window.theirs, total) == (21, 0, 21)
    assert 0 < lasts <= 3602, "nothing is kept for ever"


async def test_a_pull_never_waits_for_redis(demo_url: str, tmp_path: Path, valkey: Valkey) -> None:
    async with serve_here(
        demo_url, tmp_path, redis_url=valkey.url, limit_pull="user=3/hour address=1000/hour"
    ) as server:
        headers = await server.bearer("agent1")
        await valkey.stop()

        path = "/api/v1/sync?last_pulled_at=null&schema_version=1"
        began = time.perf_counter()
        statuses = [(await ask(server, "GET", path, headers=headers))[0] for _ in range(5)]

        assert statuses == [200, 200, 200, 429, 429], "the limit still holds, in this process"
        assert time.perf_counter() - began < 5


@pytest.mark.parametrize("how", ["stopped", "silent"])
async def test_without_redis_nobody_guesses_and_everybody_syncs(
    demo_url: str, tmp_path: Path, valkey: Valkey, how: str
) -> None:
    """Silent: a listener that accepts and never answers, as a Redis behind a broken network."""
    silent = await asyncio.start_server(_never_answer, "127.0.0.1", 0)
    url = valkey.url if how == "stopped" else f"redis://127.0.0.1:{silent.sockets[0].getsockname()[1]}/0"
    settings = {"redis_url": url, "limit_login": "address=50/hour", "limit_refresh": "address=50/hour"}
    async with serve_here(demo_url, tmp_path, **settings) as server:
        if how == "stopped":
            assert 429 not in await logins(server, 2)
            await valkey.stop()

        status, problem, headers = await ask(server, "POST", "/api/v1/auth/login", json=WRONG)

        assert (status, problem["code"]) == (503, "limits_unavailable")
        assert int(headers["Retry-After"]) >= 5
        refused = await ask(server, "POST", "/api/v1/auth/refresh", json={"refresh_token": "unknown"})
        assert (refused[0], refused[1]["code"]) == (401, "refresh_refused")
    silent.close()
    await silent.wait_closed()


async def _never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def test_logins_go_on_when_redis_is_back(demo_url: str, tmp_path: Path, valkey: Valkey) -> None:
    async with serve_here(demo_url, tmp_path, redis_url=valkey.url, limit_login="address=50/hour") as server:
        before = await logins(server, 1)
        await valkey.stop()
        assert await logins(server, 2) == [503, 503]

        await valkey.start()

        assert await logins(server, 1) == before


async def test_what_could_not_be_told_is_told_later(valkey: Valkey) -> None:
    counts = Counts(3600, listed=True)
    async with SharedCounts(valkey.url, (counts,), exchange_seconds=3600) as shared:
        window = counts.count("pull/user/a", 100)
        await valkey.stop()
        await shared.exchange()
        with pytest.raises(Unreachable):
            await shared.hit(parse("1/hour"), "login/address/a")
        await valkey.start()

        await shared.exchange()

        assert await told(shared, window) == 1


# --- Expensive requests -----------------------------------------------------------------------------------------------


async def test_a_crowd_of_first_syncs_waits_for_its_turn_and_no_other_organisation_does(
    demo_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caps, "WAIT_SECONDS", 0.2)
    async with serve_here(demo_url, tmp_path, heavy_at_once=1) as server:
        assert server.app is not None
        ours, theirs = await server.bearer("agent1"), await server.bearer("other")
        first = "/api/v1/sync?last_pulled_at=null&schema_version=1"

        async with server.app[caps.CAPS].place("DemoCottonHouse1"):
            status, problem, headers = await ask(server, "GET", first, headers=ours)
            assert (status, problem["code"], problem["limit"]) == (429, "too_many_requests", "heavy")
            assert int(headers["Retry-After"]) >= 1
            status, pulled, _ = await ask(server, "GET", first, headers=theirs)
            assert status == 200

        status, pulled, _ = await ask(server, "GET", first, headers=ours)
        assert status == 200
        async with server.app[caps.CAPS].place("DemoCottonHouse1"):
            again = f"/api/v1/sync?last_pulled_at={pulled['timestamp']}&schema_version=1"
            assert (await ask(server, "GET", again, headers=ours))[0] == 200, "what is cheap never waits"


async def test_two_hundred_phones_that_begin_anew_at_once_are_all_served(demo_url: str, tmp_path: Path) -> None:
    async with serve_here(demo_url, tmp_path) as server:
        headers = await server.bearer("agent1")
        first = "/api/v1/sync?last_pulled_at=null&schema_version=1"

        answers = await asyncio.gather(*(ask(server, "GET", first, headers=headers) for _ in range(200)))

        assert [status for status, _, _ in answers] == [200] * 200
