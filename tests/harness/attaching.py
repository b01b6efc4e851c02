"""Attachments in tests: pictures, and a client of tus that keeps to its published protocol.

Owns: the bytes of files, declaring them, and sending parts.
Must not know: what the server should answer.
Invariant: shares no code with the server that it judges.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from PIL import Image

from tests.harness.office import Answer, Clerk

PART = "application/offset+octet-stream"
TUS = {"Tus-Resumable": "1.0.0"}
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def picture(*, size: tuple[int, int] = (1500, 900), form: str = "JPEG", located: bool = True, noise: int = 0) -> bytes:
    """Make a picture as a phone takes it: turned by a quarter, with the place where it was taken, and a comment."""
    made = Image.effect_noise(size, noise).convert("RGB") if noise else Image.new("RGB", size, "ivory")
    exif = Image.Exif()
    if located:
        exif[271], exif[272], exif[274] = "ACME", "Field 7", 6
        exif[34665] = {36867: "2026:11:23 10:00:00", 36881: "+05:30"}
        exif[34853] = {1: "N", 2: (22.0, 18.0, 12.5), 3: "E", 4: (70.0, 47.0, 1.0)}
    to = BytesIO()
    more = {"comment": b"the seller's number"} if form == "JPEG" else {}
    made.save(to, form, exif=exif, **more)
    return to.getvalue()


@dataclass
class Sender:
    """Who sends the bytes of one attachment."""

    clerk: Clerk
    id: str
    data: bytes

    @property
    def path(self) -> str:
        return f"/api/v1/attachments/{self.id}/bytes"

    async def ask(self, method: str, body: Any = None, **headers: Any) -> Answer:
        """Send a request of tus; a header's underscores stand for hyphens, None leaves one out."""
        given = {name.replace("_", "-"): None if value is None else str(value) for name, value in headers.items()}
        said = {**self.clerk.headers, **TUS, **given}
        sent = {name: value for name, value in said.items() if value is not None}
        session = self.clerk.server.session
        async with session.request(method, self.path, data=body, headers=sent) as answer:
            text = await answer.text()
            is_json = text and answer.content_type.endswith("json")
            return Answer(answer.status, json.loads(text) if is_json else None, answer.headers)

    async def begin(self) -> Answer:
        return await self.ask("POST", Upload_Length=len(self.data))

    async def part(self, begins: int, ends: int | None = None, body: Any = None, **headers: Any) -> Answer:
        """Send the bytes from `begins` to before `ends`, or `body` in their place."""
        content = self.data[begins:ends] if body is None else body
        return await self.ask("PATCH", content, **{"Upload_Offset": begins, "Content_Type": PART, **headers})

    async def offset(self) -> int:
        answer = await self.ask("HEAD")
        assert answer.status == 200
        return int(answer.headers["Upload-Offset"])

    async def send(self) -> Answer:
        """Send all of it."""
        begun = await self.begin()
        assert begun.status == 201, begun.json
        return await self.part(0)

    async def record(self) -> dict[str, Any]:
        answer = await self.clerk.ask("GET", f"/attachments/{self.id}")
        assert isinstance(answer.json, dict)
        return answer.json

    async def fetch(self, pixels: int = 0, **headers: str) -> tuple[int, bytes, Mapping[str, str]]:
        """Ask for a link and follow it, without a login."""
        made = await self.clerk.ask("POST", f"/attachments/{self.id}/link{f'?pixels={pixels}' if pixels else ''}")
        assert made.status == 200, made.json
        return await follow(self.clerk, made.json["url"], **headers)


async def follow(clerk: Clerk, url: str, **headers: str) -> tuple[int, bytes, Mapping[str, str]]:
    """Follow a link: status, body, headers."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with clerk.server.session.get(url, headers=sent) as answer:
        return answer.status, await answer.read(), answer.headers


def declaration(data: bytes, media_type: str = "image/jpeg", **values: Any) -> dict[str, Any]:
    """Say what is declared of `data`; it belongs to the partner p1 unless `values` says something else."""
    owner = {} if values.keys() & {"inspection_id", "availability_id", "trade_id"} else {"partner_id": "p1"}
    facts = {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data), "media_type": media_type}
    return {**owner, **facts, **values}


async def declare(clerk: Clerk, data: bytes, media_type: str = "image/jpeg", id: str = "a1", **values: Any) -> Sender:
    """Declare an attachment over REST."""
    made = await clerk.ask("POST", "/attachments", {"id": id, **declaration(data, media_type, **values)})
    assert made.status == 201, made.json
    return Sender(clerk, id, data)


async def breaking(data: bytes) -> AsyncIterator[bytes]:
    """A body whose connection breaks once these bytes are sent."""
    yield data
    yield b""
    await asyncio.sleep(0.2)  # what is written leaves with the next turns of the loop
    raise ConnectionResetError
