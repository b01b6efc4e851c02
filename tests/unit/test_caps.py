"""Places for expensive requests: so many at once of one organisation, and nobody waits for long."""

from __future__ import annotations

import asyncio

import pytest

from sync_server.web import caps
from sync_server.web.caps import WAITING_PER_PLACE, Caps
from sync_server.wire.problems import Problem


async def test_one_organisation_has_so_many_places_and_the_other_its_own() -> None:
    heavy = Caps(2)
    inside: dict[str, int] = {"a": 0, "b": 0}
    most: dict[str, int] = {"a": 0, "b": 0}

    async def work(org: str) -> None:
        async with heavy.place(org):
            inside[org] += 1
            most[org] = max(most[org], inside[org])
            await asyncio.sleep(0.002)
            inside[org] -= 1

    await asyncio.gather(*(work(org) for org in "ab" * 9))

    assert most == {"a": 2, "b": 2}
    assert len(heavy) == 0, "nothing is kept of an organisation that asks for nothing"


async def test_the_queue_is_short_and_the_rest_is_told_when_to_come_back() -> None:
    heavy = Caps(1)
    release = asyncio.Event()
    refused: list[Problem] = []

    async def work() -> None:
        try:
            async with heavy.place("a"):
                await release.wait()
        except Problem as problem:
            refused.append(problem)

    tasks = [asyncio.create_task(work()) for _ in range(1 + WAITING_PER_PLACE + 3)]
    await asyncio.sleep(0.01)
    assert [problem.code for problem in refused] == ["too_many_requests"] * 3
    assert all(problem.extra["retry_after"] >= 1 for problem in refused)
    release.set()
    await asyncio.gather(*tasks)
    assert len(refused) == 3


async def test_who_waits_too_long_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caps, "WAIT_SECONDS", 0.02)
    heavy = Caps(1)

    async with heavy.place("a"):
        with pytest.raises(Problem) as refused:
            async with heavy.place("a"):
                pytest.fail("there was no place")

    assert refused.value.code == "too_many_requests"
    assert len(heavy) == 0


@pytest.mark.parametrize("waits", [True, False])
async def test_who_leaves_gives_the_place_back(waits: bool) -> None:
    heavy = Caps(1)
    if waits:
        async with heavy.place("a"):
            leaver = asyncio.create_task(_hold(heavy))
            await asyncio.sleep(0.01)
            leaver.cancel()
            await asyncio.wait({leaver})
    else:
        with pytest.raises(LookupError):
            async with heavy.place("a"):
                raise LookupError

    async with asyncio.timeout(1), heavy.place("a"):
        pass
    assert len(heavy) == 0


async def _hold(heavy: Caps) -> None:
    async with heavy.place("a"):
        await asyncio.sleep(10)


async def test_who_needs_no_place_takes_none() -> None:
    heavy = Caps(1)

    async with heavy.place("a"), heavy.place("a", needed=False):
        pass
