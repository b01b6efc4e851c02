"""A stock client's requests over HTTP, with the answer and its status in one dictionary.

Owns: the requests of the snippet in WatermelonDB's documentation.
Must not know: what an answer should be.
Invariant: nothing is added to the documented requests but a bearer token.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from erp_core.catalogue import SCHEMA_VERSION
from sync_server.store.actor import Actor
from sync_server.web import keys
from tests.harness.servers import Server

SYNC = "/api/v1/sync"


async def open_session(server: Server, actor: Actor) -> None:
    """Open the session that a token of `actor` names, as a login would; again it does nothing."""
    assert server.app is not None
    async with server.app[keys.DATABASE].acquire_everywhere() as connection:
        await connection.execute(
            "INSERT INTO session (org_id, id, user_id, expires_at) VALUES ($1, $2, $3, now() + interval '1 day')"
            " ON CONFLICT DO NOTHING",
            *(actor.org_id, actor.session_id, actor.user_id),
        )


class StockClient:
    """Pulls and pushes as `actor`, whose session needs no login."""

    def __init__(self, server: Server, actor: Actor) -> None:
        assert server.app is not None
        self._server, self._actor = server, actor
        self.headers = {"Authorization": f"Bearer {server.app[keys.TOKENS].issue(actor)}"}

    async def pull(
        self,
        last_pulled_at: int | None,
        *,
        schema_version: int = SCHEMA_VERSION,
        migration: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Pull as the snippet does, as an app of the newest schema; fails unless the answer is 200."""
        query = {
            "last_pulled_at": json.dumps(last_pulled_at),
            "schema_version": str(schema_version),
            "migration": json.dumps(migration),
        }
        answer = await self.get(query)
        assert answer.pop("status") == 200, answer
        return answer

    async def get(self, query: Mapping[str, str]) -> dict[str, Any]:
        await open_session(self._server, self._actor)
        async with self._server.session.get(SYNC, params=query, headers=self.headers) as answer:
            return {"status": answer.status, **json.loads(await answer.text())}

    async def push(self, last_pulled_at: int | None, changes: Any) -> dict[str, Any]:
        """Push as the snippet does."""
        return await self.post(json.dumps(changes).encode(), {"last_pulled_at": json.dumps(last_pulled_at)})

    async def post(self, body: bytes, query: Mapping[str, str] | None = None, **headers: str) -> dict[str, Any]:
        """Push a body of any bytes."""
        await open_session(self._server, self._actor)
        sent = {
            **self.headers,
            "Content-Type": "application/json",
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        async with self._server.session.post(SYNC, params=query or {}, data=body, headers=sent) as answer:
            return {"status": answer.status, **json.loads(await answer.text())}
