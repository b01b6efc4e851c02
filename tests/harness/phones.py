"""Phones for tests of devices: somebody logged in on an installation, with a local database that syncs over HTTP.

Owns: the way from a `Client` of people.py to a `Replica`, and the headers that a request carries.
Must not know: what the server makes of it.
Invariant: the local database outlives logins and logouts, as it does on a phone.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

from mobile.replica import Replica, Transport, read_schema
from mobile.replica_http import Refused
from sync_server.wire.schema import schema_document
from tests.harness.people import Client
from tests.harness.servers import Server

_NUMBERS = itertools.count()


class Phone(Transport):
    """An installation `id`; `headers` go with every sync request, `drops_strategy`: as the documented snippet does."""

    def __init__(self, server: Server, id: str, *, drops_strategy: bool = False) -> None:
        self.id = id
        self.server = server
        self.client = Client(server, "")
        self.headers: dict[str, str] = {}
        self.drops_strategy = drops_strategy
        self.answers: list[dict[str, Any]] = []
        self.pushes: int | None = None
        """The number of the last push, if the installation numbers them."""
        self._pushed: tuple[Any, int] | None = None
        self.replica = Replica(read_schema(schema_document()), self, random=Random(f"{id}/{next(_NUMBERS)}"))

    async def login(self, username: str) -> Phone:
        """Log somebody in on it."""
        self.client = Client(self.server, username, {**(self.client.device or {}), "id": self.id})
        status, answer = await self.client.login()
        assert status == 200, answer
        return self

    async def sync(self) -> None:
        """Do what `synchronize()` does. Raises: `Refused`."""
        await self.replica.sync()

    def rows(self) -> int:
        """Count what is in the local database, deleted and not yet pushed included."""
        return sum(len(self.replica.rows(t)) + len(self.replica.deleted(t)) for t in self.replica.schema)

    async def pull(
        self, last_pulled_at: int | None, schema_version: int, migration: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        cursor = "null" if last_pulled_at is None else last_pulled_at
        answer = await self._ask("GET", f"/sync?last_pulled_at={cursor}&schema_version={schema_version}")
        self.answers.append(answer)
        return {k: v for k, v in answer.items() if k != "experimentalStrategy" or not self.drops_strategy}

    async def push(self, changes: Mapping[str, Any], last_pulled_at: float) -> Mapping[str, Any]:
        said = (changes, int(last_pulled_at))
        if self.pushes is not None:
            self.pushes += said != self._pushed
            self.headers["Cotton-Push-Counter"] = str(self.pushes)
        self._pushed = said
        return await self._ask("POST", f"/sync?last_pulled_at={said[1]}", changes)

    def copy(self) -> Phone:
        """Put a backup of this phone onto another one: the same installation, session, database and memory."""
        other = Phone(self.server, self.id, drops_strategy=self.drops_strategy)
        other.client = replace(self.client, grant=dict(self.client.grant))
        other.replica.restore(self.replica.snapshot())
        other.pushes, other._pushed = self.pushes, self._pushed
        return other

    async def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        status, answer = await self.client.ask(method, path, body, **self.headers)
        if status != 200:
            raise Refused(status, answer)
        return dict(answer)


async def phone(server: Server, username: str, id: str, *, drops_strategy: bool = False) -> Phone:
    """Make a phone on which somebody has logged in and synced."""
    made = await Phone(server, id, drops_strategy=drops_strategy).login(username)
    await made.sync()
    return made


async def refusal(attempt: Any) -> str:
    """Await something that is to be refused; give "status code"."""
    try:
        await attempt
    except Refused as refused:
        return f"{refused.status} {refused.code}"
    return "200"
