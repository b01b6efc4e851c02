"""Statements by the clock: how long each took, and of those that took too long their text and their plan.

Owns: timing statements, the log of slow ones, and what of them may be written down.
Must not know: what statements are about.
Invariant: neither a value that came with a statement nor a text that stands in it is ever logged: the text is told with its
literals blanked, and the plan is the generic one, made for no value at all (tests/integration/test_slow_statements.py).

The plan is asked for apart, on a connection with the same settings, as the statement itself is over by then. COPY is not timed:
a large answer takes as long as it takes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, Final

import asyncpg
import structlog

from sync_server.store.meters import SLOW_STATEMENTS, STATEMENTS

EXPLAINED_MAX: Final = 200
"""Statements that are remembered as explained; we have some hundred."""

AGAIN_SECONDS: Final = 3_600
"""After which the plan of a statement is logged again, if it is slow again."""

_LITERAL: Final = re.compile(r"'(?:[^']|'')*'")
_PARAMETER: Final = re.compile(r"\$(\d+)")
_PLANNED: Final = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|MERGE)\b", re.IGNORECASE)

log = structlog.get_logger(__name__)


def shape_of(query: str) -> str:
    """Write a statement on one line, without what stands in it in quotes.

    >>> shape_of("SET LOCAL cotton.actor = 'o''brien';\\n SELECT 1")
    "SET LOCAL cotton.actor = '?'; SELECT 1"
    """
    return " ".join(_LITERAL.sub("'?'", query).split())


def _not_at_all(_query: str) -> None:
    """Before somebody explains."""


class SlowStatements:
    """The slow statements of one `Database`: those that take `limit_ms` or longer; 0: none is slow."""

    def __init__(self, limit_ms: int) -> None:
        self._limit = limit_ms / 1000 if limit_ms else float("inf")
        self._explained: dict[str, float] = {}
        self.explain: Callable[[str], object] = _not_at_all
        """Has `log_plan` called soon, for a statement."""

    def ran(self, query: str, seconds: float) -> None:
        """Take note of a statement that is over."""
        STATEMENTS.observe(seconds)
        if seconds < self._limit:
            return
        SLOW_STATEMENTS.add()
        log.warning("slow_statement", ms=round(seconds * 1000, 1), statement=shape_of(query))
        now = time.monotonic()
        if ";" not in query and _PLANNED.match(query) and now > self._explained.get(query, 0.0):
            while len(self._explained) >= EXPLAINED_MAX:
                del self._explained[next(iter(self._explained))]
            self._explained[query] = now + AGAIN_SECONDS
            self.explain(query)

    def forget(self, query: str) -> None:
        """Have a statement explained again when it is slow the next time."""
        self._explained.pop(query, None)

    async def log_plan(self, connection: Any, query: str) -> None:
        """Log the generic plan of `query`. Cost: three statements, none of which runs it."""
        values = ", ".join(["NULL"] * max((int(n) for n in _PARAMETER.findall(query)), default=0))
        try:
            await connection.execute(f"PREPARE slow_statement AS {query}")
            try:
                call = f"EXECUTE slow_statement{f'({values})' if values else ''}"
                lines = await connection.fetch(f"EXPLAIN (FORMAT text) {call}")
            finally:
                await connection.execute("DEALLOCATE slow_statement")
        except asyncpg.PostgresError as refused:
            log.warning("slow_plan_unknown", statement=shape_of(query), fault=type(refused).__name__)
        else:
            log.warning("slow_plan", statement=shape_of(query), plan="\n".join(line[0] for line in lines))


class Timed(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection that says how long its statements took, once it has been told to whom."""

    slow: SlowStatements | None = None

    async def execute(self, query: str, *args: Any, **options: Any) -> Any:
        """As asyncpg's."""
        return await self._timed(query, super().execute(query, *args, **options))

    async def executemany(self, command: str, args: Any, **options: Any) -> Any:
        """As asyncpg's."""
        return await self._timed(command, super().executemany(command, args, **options))

    async def fetch(self, query: str, *args: Any, **options: Any) -> Any:
        """As asyncpg's."""
        return await self._timed(query, super().fetch(query, *args, **options))

    async def fetchrow(self, query: str, *args: Any, **options: Any) -> Any:
        """As asyncpg's."""
        return await self._timed(query, super().fetchrow(query, *args, **options))

    async def fetchval(self, query: str, *args: Any, **options: Any) -> Any:
        """As asyncpg's."""
        return await self._timed(query, super().fetchval(query, *args, **options))

    async def _timed(self, query: str, statement: Any) -> Any:
        began = time.perf_counter()
        try:
            return await statement
        finally:
            if self.slow is not None:
                self.slow.ran(query, time.perf_counter() - began)
