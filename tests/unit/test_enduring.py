"""Work that outlives a database that does not answer (store/enduring.py)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

import asyncpg
import pytest
from structlog.testing import capture_logs

from sync_server.store import enduring
from sync_server.store.enduring import for_ever


class Over(Exception):
    """Ends the work of a test."""


def coming_to(*ends: Exception | None) -> Callable[[], Awaitable[None]]:
    """Give work that comes to these ends one after the other, and then to `Over`."""
    coming: Iterator[Exception | None] = iter((*ends, Over()))

    async def work() -> None:
        end = next(coming)
        if end is not None:
            raise end

    return work


async def said(*ends: Exception | None) -> list[str]:
    with capture_logs() as logged, pytest.raises(Over):
        await for_ever(coming_to(*ends), "away", again_seconds=0)
    return [line["event"] for line in logged]


@pytest.mark.parametrize("fault", [ConnectionResetError(), asyncpg.InterfaceError("closed"), TimeoutError()], ids=repr)
async def test_a_database_that_is_away_ends_no_work_and_is_said_once(fault: Exception) -> None:
    assert await said(None, fault, fault, None, fault, None) == ["away"]


async def test_the_next_outage_is_said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enduring, "SAID_SECONDS", -1)

    assert await said(TimeoutError(), None, TimeoutError()) == ["away", "away"]


async def test_nothing_is_said_of_work_that_goes_well() -> None:
    assert await said(None, None) == []
