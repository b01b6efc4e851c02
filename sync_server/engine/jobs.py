"""Kinds of jobs, as data: what does them, how often they are tried, when they come by themselves.

Owns: what a kind is, and when a job that failed is tried again.
Must not know: SQL, who works; what a kind does.
Invariant: a job that fails is tried `tries` times, later each time, and its delays are spread (tests/unit/test_jobs.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from croniter import croniter

from sync_server.store.job_queue import Job

Handler: TypeAlias = Callable[[Job], Awaitable[None]]
"""Does a job. It may be begun again after it was done, or by another process half-way: done twice is done once."""

LAUNCHES_MAX: Final = 3
"""Beside its tries a job may be taken so often without an end: each time its process died, perhaps of it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job. `first`, `longest`: the delay after its first failure, doubled with each, and the longest.

    `seconds`: one try may take so long. `cron`: in UTC, when the installation asks for one by itself; None: somebody asks.
    """

    name: str
    handler: Handler
    tries: int = 8
    first: timedelta = timedelta(seconds=5)
    longest: timedelta = timedelta(hours=1)
    seconds: float = 300.0
    cron: str | None = None

    def delay(self, failures: int, chance: float) -> timedelta:
        """Say how long to wait after so many failures; `chance`: 0 to 1, where in the latter half of the delay.

        >>> kind = Kind("thumbnail", handler=print)
        >>> [kind.delay(failures, 1.0).seconds for failures in (1, 2, 3, 20)], kind.delay(1, 0.0).total_seconds()
        ([5, 10, 20, 3600], 2.5)
        """
        whole = min(self.first * 2 ** min(failures - 1, 30), self.longest)
        spread: timedelta = whole * (0.5 + chance / 2)
        return spread

    def is_lost(self, failures: int, taken: int) -> bool:
        """Say whether a job was taken so often that it is to be given up: it ends whoever works on it."""
        return taken - failures > LAUNCHES_MAX

    def until_next(self, now: datetime | None = None) -> timedelta:
        """Say how long it is until the schedule's next moment."""
        assert self.cron is not None
        now = now or datetime.now(UTC)
        following: datetime = croniter(self.cron, now).get_next(datetime)
        return following - now


def plain(failure: BaseException) -> str:
    """Say of a failure what may be kept: its name and its first line, without what PostgreSQL says of the row."""
    return f"{type(failure).__name__}: {str(failure).partition(chr(10))[0]}"[:500]
