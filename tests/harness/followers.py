"""Devices that live on hints: they pull when a live connection tells them to, and at no other time.

Owns: keeping a connection to one of several servers, pulling when something is due, and what was pulled.
Must not know: what breaks, and the server's code; it speaks HTTP and the frames of docs/PROTOCOL.md, "Live".
Invariant: nothing but a frame or a new connection makes a follower pull, so one that holds everything was told of everything
(tests/integration/test_many_processes.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from tests.harness.pushers import LOST, PASSWORD, SYNC, TRY_AGAIN

REQUEST_SECONDS: Final = 30
AGAIN_SECONDS: Final = 0.5
TABLE: Final = "business_partners"


@dataclass
class Logins:
    """Access tokens, one per user, made again when a server refuses one."""

    bases: Sequence[str]
    session: aiohttp.ClientSession
    tokens: dict[str, str] = field(default_factory=dict)
    locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def token(self, user: str, refused: str = "") -> str:
        """Give a token of `user` other than the one that was `refused`. Raises what a broken network raises."""
        async with self.locks.setdefault(user, asyncio.Lock()):
            if self.tokens.get(user, refused) == refused:
                url = f"{random.choice(self.bases)}/api/v1/auth/login"
                async with self.session.post(url, json={"username": user, "password": PASSWORD}) as answer:
                    if answer.status != 200:
                        raise ConnectionError(answer.status)
                    self.tokens[user] = str((await answer.json())["access_token"])
            return self.tokens[user]


@dataclass
class Follower:
    """One device. `held`: the partners it was sent; `hinted`: the newest clock of a hint; `connections`: how many it had."""

    user: str
    logins: Logins
    rng: random.Random
    cursor: int | None = None
    held: dict[str, Any] = field(default_factory=dict)
    due: int = 0
    hinted: int = 0
    connections: int = 0
    token: str = ""

    async def run(self) -> None:
        """Listen to one server after the other until cancelled."""
        while True:
            with contextlib.suppress(*LOST):
                self.token = await self.logins.token(self.user)
                await self._listen(self.rng.choice(self.logins.bases))
            await asyncio.sleep(self.rng.uniform(0, AGAIN_SECONDS))

    async def _listen(self, base: str) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            async with self.logins.session.ws_connect(f"{base}/api/v1/live", headers=headers, heartbeat=10) as ws:
                self.connections += 1
                pulling = asyncio.create_task(self._pull_when_due(base))
                try:
                    async for message in ws:
                        if message.type is aiohttp.WSMsgType.TEXT:
                            self._hear(json.loads(message.data))
                finally:
                    pulling.cancel()
                    await asyncio.wait({pulling})
        except aiohttp.WSServerHandshakeError as refused:
            if refused.status == 401:
                await self.logins.token(self.user, self.token)
            else:
                await asyncio.sleep(AGAIN_SECONDS)

    def _hear(self, frame: dict[str, Any]) -> None:
        match frame:
            case {"type": "hello", "clock": int(clock)} | {"type": "heartbeat", "due": int(clock)}:
                self.due = max(self.due, clock)
            case {"type": "hint", "clock": int(clock)}:
                self.hinted = max(self.hinted, clock)
                self.due = max(self.due, clock)

    async def _pull_when_due(self, base: str) -> None:
        """Pull as long as something is due; a moment apart, as an app does that is told of many changes."""
        while True:
            if self.due > (self.cursor or 0):
                with contextlib.suppress(*LOST):
                    await self._pull(base)
            await asyncio.sleep(self.rng.uniform(0.1, 0.4))

    async def _pull(self, base: str) -> None:
        query = {"last_pulled_at": str(self.cursor or "null"), "schema_version": "1", "migration": "null"}
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.logins.session.get(base + SYNC, params=query, headers=headers) as answer:
            if answer.status == 401:
                self.token = await self.logins.token(self.user, self.token)
            if answer.status in (401, *TRY_AGAIN):
                return
            assert answer.status == 200, await answer.text()
            pulled = await answer.json()
        partners = pulled["changes"][TABLE]
        self.held |= {record["id"]: record for record in (*partners["created"], *partners["updated"])}
        for id in partners["deleted"]:
            self.held.pop(id, None)
        assert pulled["timestamp"] >= (self.cursor or 0), "the cursor went back"
        self.cursor = pulled["timestamp"]


@dataclass
class Followers:
    """All of them."""

    each: list[Follower]
    tasks: list[asyncio.Task[None]]

    async def until_all(self, is_so: Any, seconds: float, what: str) -> None:
        """Wait until `is_so(follower)` holds of each. Fails with how many it does not hold of, or with what one raised."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not all(map(is_so, self.each)):
                    self._raise_what_failed()
                    await asyncio.sleep(0.05)
        late = [one for one in self.each if not is_so(one)]
        assert not late, (
            f"{len(late)} of {len(self.each)} {what}, e.g. {late[0].user} at {late[0].cursor}, due {late[0].due}"
        )

    def _raise_what_failed(self) -> None:
        for task in self.tasks:
            if task.done():
                task.result()
                raise AssertionError("a follower stopped by itself")


@asynccontextmanager
async def following(bases: Sequence[str], users: Sequence[str], number: int, seed: int) -> AsyncIterator[Followers]:
    """Let `number` devices of `users` follow what happens, each connected to one of the servers `bases`."""
    timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS, sock_connect=5)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        logins = Logins(bases, session)
        devices = [Follower(users[n % len(users)], logins, random.Random(f"{seed}/{n}")) for n in range(number)]
        followers = Followers(devices, [asyncio.create_task(one.run()) for one in devices])
        try:
            yield followers
        finally:
            for task in followers.tasks:
                task.cancel()
            await asyncio.gather(*followers.tasks, return_exceptions=True)
