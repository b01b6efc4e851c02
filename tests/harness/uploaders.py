"""People who send files without a pause while something else breaks: the load of the crash tests of uploads.

Owns: declaring a file, sending it part after part, and going on where the server says; what was acknowledged is remembered.
Must not know: what breaks, and the server's code; it speaks HTTP.
Invariant: bytes count as acknowledged only after their answer was read (tests/integration/test_uploads_crashes.py).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from tests.harness.pushers import AGAIN_SECONDS, LOST, PASSWORD, TRY_AGAIN, NotNow

PART_MAX: Final = 96 * 1024
FILE_MAX: Final = 512 * 1024


def paper(rng: random.Random) -> bytes:
    """Make a PDF of some size: a server hands those out as they came."""
    filling = rng.randbytes(rng.randint(1, FILE_MAX // 2)).hex().encode()
    return b"%PDF-1.4\n%" + filling + b"\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


@dataclass
class Uploader:
    """One person; `sent`: their files that were acknowledged as a whole, by the attachment's id."""

    name: str
    base: str
    rng: random.Random
    sent: dict[str, bytes] = field(default_factory=dict)
    parts: int = 0
    interrupted: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    async def run(self, session: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        """Send files until told to stop; the one under way is brought to its end."""
        self.headers = await self._until_answered(self._login, session)
        while not stop.is_set():
            id, data = f"{self.name}.{len(self.sent)}", paper(self.rng)
            await self._until_answered(self._declare, session, id, data)
            await self._send(session, id, data)
            self.sent[id] = data

    async def _send(self, session: aiohttp.ClientSession, id: str, data: bytes) -> None:
        acknowledged = 0
        while acknowledged < len(data):
            offset = await self._until_answered(self._begin, session, id, len(data))
            assert offset >= acknowledged, f"{id}: {acknowledged} bytes were acknowledged, {offset} are there"
            acknowledged = offset
            try:
                while acknowledged < len(data):
                    acknowledged = await self._part(session, id, data, acknowledged)
                    self.parts += 1
            except (*LOST, NotNow):
                self.interrupted += 1
                await asyncio.sleep(AGAIN_SECONDS)

    async def _login(self, session: aiohttp.ClientSession) -> dict[str, str]:
        credentials = {"username": self.name, "password": PASSWORD}
        async with session.post(f"{self.base}/api/v1/auth/login", json=credentials) as answer:
            _check(answer, 200)
            return {"Authorization": f"Bearer {(await answer.json())['access_token']}"}

    async def _declare(self, session: aiohttp.ClientSession, id: str, data: bytes) -> None:
        facts = {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data), "media_type": "application/pdf"}
        record = {"id": id, "partner_id": "buyer", "kind": "document", **facts}
        async with session.post(f"{self.base}/api/v1/attachments", json=record, headers=self.headers) as answer:
            _check(answer, 200, 201)

    async def _begin(self, session: aiohttp.ClientSession, id: str, size: int) -> int:
        """Begin, or go on: from where. What is there already has nothing left to send."""
        headers = {**self.headers, "Tus-Resumable": "1.0.0", "Upload-Length": str(size)}
        async with session.post(self._address(id), headers=headers) as answer:
            _check(answer, 201, 409)
            return size if answer.status == 409 else int(answer.headers["Upload-Offset"])

    async def _part(self, session: aiohttp.ClientSession, id: str, data: bytes, begins: int) -> int:
        part = data[begins : begins + self.rng.randint(1, PART_MAX)]
        headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": str(begins)}
        headers["Content-Type"] = "application/offset+octet-stream"
        if self.rng.random() < 0.5:
            headers["Upload-Checksum"] = f"sha256 {base64.b64encode(hashlib.sha256(part).digest()).decode()}"
        async with session.patch(self._address(id), data=part, headers={**self.headers, **headers}) as answer:
            _check(answer, 204)
            return int(answer.headers["Upload-Offset"])

    def _address(self, id: str) -> str:
        return f"{self.base}/api/v1/attachments/{id}/bytes"

    async def _until_answered(self, work: Any, *arguments: Any) -> Any:
        while True:
            try:
                return await work(*arguments)
            except (*LOST, NotNow):
                self.interrupted += 1
                await asyncio.sleep(AGAIN_SECONDS)


def _check(answer: aiohttp.ClientResponse, *right: int) -> None:
    if answer.status in TRY_AGAIN:
        raise NotNow
    assert answer.status in right, f"{answer.method} {answer.url.path}: {answer.status}"


@dataclass
class Office:
    """All who send at the same time."""

    people: Sequence[Uploader]
    tasks: Sequence[asyncio.Task[None]]

    async def progress(self, parts: int) -> None:
        """Wait until so many more parts were acknowledged. Raises what somebody failed with."""
        wanted = sum(one.parts for one in self.people) + parts
        while sum(one.parts for one in self.people) < wanted:
            await asyncio.sleep(0.005)
            for task in self.tasks:
                if task.done():
                    task.result()


@asynccontextmanager
async def office_at_work(base: str, names: Sequence[str], seed: int) -> AsyncIterator[Office]:
    """Have people send until the block ends; then each brings the file under way to its end."""
    stop = asyncio.Event()
    people = [Uploader(name, base, random.Random(f"{seed}.{name}")) for name in names]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        tasks = [asyncio.create_task(one.run(session, stop)) for one in people]
        try:
            yield Office(people, tasks)
            stop.set()
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
