"""A device's way to a server: the HTTP calls of WatermelonDB's documented snippet, with a bearer token.

Owns: `HttpTransport`, `login`, and `Refused`, what a test sees of a problem answer.
Must not know: the server's code; it speaks only the documented protocol.
Invariant: the requests are those of the stock snippet: `last_pulled_at=null` on the first sync, `migration` as JSON text,
a push is the bare changes object (tests/acceptance/test_watermelondb.py).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp

SYNC_PATH = "/api/v1/sync"
LOGIN_PATH = "/api/v1/auth/login"


class Refused(Exception):
    """The server did not answer 200. `problem` is its RFC 9457 document, empty if the body was something else."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('code', '')}: {problem.get('detail', '')}")
        self.status = status
        self.problem = problem
        self.code = str(problem.get("code", ""))


async def login(session: aiohttp.ClientSession, url: str, username: str, password: str) -> str:
    """Log in and give the access token. Raises: Refused."""
    async with session.post(f"{url}{LOGIN_PATH}", json={"username": username, "password": password}) as answer:
        return str((await _document(answer))["access_token"])


class HttpTransport:
    """Pull and push over HTTP. `url` is the server's root; `token` is asked before each request."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str | Callable[[], Awaitable[str]]) -> None:
        self._session = session
        self._url = url.rstrip("/") + SYNC_PATH
        self._token = token

    async def pull(
        self, last_pulled_at: int | None, schema_version: int, migration: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """GET the changes. Raises: Refused, aiohttp.ClientError."""
        query = {
            "last_pulled_at": json.dumps(last_pulled_at),
            "schema_version": str(schema_version),
            "migration": json.dumps(migration),
        }
        async with self._session.get(self._url, params=query, headers=await self._headers()) as answer:
            return await _document(answer)

    async def push(self, changes: Mapping[str, Any], last_pulled_at: float) -> dict[str, Any]:
        """POST the changes. Raises: Refused, aiohttp.ClientError."""
        query = {"last_pulled_at": str(last_pulled_at)}
        headers = {**await self._headers(), "Content-Type": "application/json"}
        body = json.dumps(changes)
        async with self._session.post(self._url, params=query, data=body, headers=headers) as answer:
            return await _document(answer)

    async def _headers(self) -> dict[str, str]:
        token = self._token if isinstance(self._token, str) else await self._token()
        return {"Authorization": f"Bearer {token}"}


async def _document(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    text = await answer.text()
    if answer.status == 200:
        return dict(json.loads(text))
    is_problem = answer.content_type == "application/problem+json"
    raise Refused(answer.status, json.loads(text) if is_problem else {"detail": text[:500]})
