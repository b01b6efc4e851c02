"""A database that counts: every statement that a test's requests execute.

Owns: a `Database` whose connections report their statements through asyncpg's query logger.
Must not know: what the statements are for.
Invariant: a statement is counted when it is executed, BEGIN and COMMIT included; COPY is not, nor is what asyncpg asks
once per connection to learn about types.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sync_server.store.database import Connection, Database


class CountingDatabase(Database):
    """`statements` holds what was executed since the last `clear()` of it."""

    statements: list[str]

    @classmethod
    async def open(cls, url: str, **settings: Any) -> CountingDatabase:
        opened = await super().open(url, **settings)
        assert isinstance(opened, cls)
        opened.statements = []
        return opened

    @asynccontextmanager
    async def acquire(self, org_id: str) -> AsyncIterator[Connection]:
        async with super().acquire(org_id) as connection:
            with connection.query_logger(self._count):
                yield connection

    def _count(self, executed: Any) -> None:
        if "current_setting('jit')" not in executed.query and "typeinfo" not in executed.query:
            self.statements.append(executed.query)
