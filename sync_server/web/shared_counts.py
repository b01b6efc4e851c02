"""Counting requests together with the other processes, in Redis or Valkey.

Owns: the connection to it, the exact count of what may be guessed at, and the exchange of the rest.
Must not know: HTTP, what is counted.
Invariant: a request of a phone never waits for Redis; a login never passes without it (tests/integration/test_rate_limits.py).

Two ways. `hit` asks Redis and is exact: one trip, for what is rare and must hold. `exchange` tells the others once a second
what was counted here and learns what they counted: for pulls and pushes, which cannot afford a trip each. Then a limit may be
exceeded by what the other processes let in within that second; without Redis, each process has the limit for itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from itertools import islice
from types import TracebackType
from typing import Any, Final

import structlog
from limits import RateLimitItem
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig

from sync_server.web.counting import Counts, Window
from sync_server.web.meters import REDIS_UP

PREFIX: Final = "cotton-limits"
EXCHANGE_SECONDS: Final = 1.0
ANSWER_SECONDS_MAX: Final = 0.5
"""Redis answers in a millisecond or is away."""
CONNECTIONS_MAX: Final = 16
TOLD_MAX: Final = 2_000
"""Windows told in one trip; about 20 ms of Redis."""

log = structlog.get_logger(__name__)


class Unreachable(Exception):
    """Redis did not answer; nothing is known of what others counted."""


class SharedCounts:
    """The counts that all processes with the same Redis share; a context manager that runs the exchange."""

    def __init__(self, url: str, exchanged: Sequence[Counts], *, exchange_seconds: float = EXCHANGE_SECONDS) -> None:
        self._pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS_MAX,
            timeout=ANSWER_SECONDS_MAX,
            socket_timeout=ANSWER_SECONDS_MAX,
            socket_connect_timeout=ANSWER_SECONDS_MAX,
            maint_notifications_config=MaintNotificationsConfig(
                enabled=False
            ),  # of Redis Enterprise; Valkey refuses the question
            retry=Retry(NoBackoff(), 1),  # a connection that was idle over a restart of Redis
        )
        self.redis = Redis(connection_pool=self._pool)
        options: dict[str, Any] = {"connection_pool": self._pool}
        storage = RedisStorage("async+redis://", implementation="redispy", key_prefix=PREFIX, **options)
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._exchanged = exchanged
        self._exchange_seconds = exchange_seconds
        self._up = True
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> SharedCounts:
        self._keeper = asyncio.create_task(self._keep_exchanging())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
        await self.redis.aclose()
        await self._pool.aclose()

    async def hit(self, rate: RateLimitItem, name: str) -> float:
        """Count `name` once; give 0, or how many seconds to wait if it was counted too often. Raises Unreachable."""
        try:
            if await self._limiter.hit(rate, name):
                return 0
            stats = await self._limiter.get_window_stats(rate, name)
        except (RedisError, OSError) as fault:
            self._note(up=False, fault=fault)
            raise Unreachable from None
        return max(stats.reset_time - time.time(), 1)

    async def exchange(self) -> None:
        """Tell what was counted here since the last time, and learn what others counted under the same names."""
        for counts in self._exchanged:
            news = iter(list(counts.news()))
            while windows := list(islice(news, TOLD_MAX)):
                try:
                    await self._tell(windows)
                except (RedisError, OSError) as fault:
                    for window in (*windows, *news):
                        counts.repeat(window)
                    self._note(up=False, fault=fault)
                    return
        self._note(up=True)

    async def _tell(self, windows: Iterable[Window]) -> None:
        ours = {window.key: window.ours for window in windows}
        async with self.redis.pipeline(transaction=False) as pipe:
            for window in windows:
                key = f"{PREFIX}:{window.key}"
                pipe.incrby(key, ours[window.key] - window.told)
                pipe.expireat(key, int(window.ends) + 1)
            answers = await pipe.execute()
        for window, total in zip(windows, answers[::2], strict=True):
            window.told = ours[window.key]
            window.theirs = total - window.told

    async def _keep_exchanging(self) -> None:
        while True:
            await asyncio.sleep(self._exchange_seconds)
            await self.exchange()

    def _note(self, *, up: bool, fault: BaseException | None = None) -> None:
        """Log that Redis is gone or back, once each."""
        REDIS_UP.set(up)
        if up is not self._up:
            self._up = up
            log.log(30, "redis_is_back" if up else "redis_unreachable", fault=type(fault).__name__)
