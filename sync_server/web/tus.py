"""tus 1.0.0, the part of it that is headers: read from a request, and put on every answer of an upload.

Owns: the version, the extensions, and how their headers are read.
Must not know: attachments, where bytes go.
Invariant: a header is read as the protocol writes it or refused; every answer below an upload's address, refusals included,
says which version is spoken (tests/integration/test_uploads.py).

Source: https://tus.io/protocols/resumable-upload, version 1.0.0: core, creation, expiration, checksum, termination.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Final

from aiohttp import web

from sync_server.wire.problems import Problem

PATH: Final = "/api/v1/attachments/{id}/bytes"
VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,expiration,checksum,termination"
PART_TYPE: Final = "application/offset+octet-stream"
DIGESTS: Final = ("sha1", "sha256")
"""SHA-1 is what the protocol asks every server for. It finds bytes that were damaged; what was declared is SHA-256."""

_NUMBER: Final = re.compile("[0-9]{1,15}")


async def set_tus_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put on every answer of an upload what tus asks for; a signal for `app.on_response_prepare`."""
    resource = request.match_info.route.resource
    if resource is not None and resource.canonical == PATH:
        response.headers["Tus-Resumable"] = VERSION
        response.headers["Tus-Version"] = VERSION


def check_version(request: web.Request) -> None:
    """Refuse a request that speaks another version, or does not say. Raises `Problem` tus_version."""
    if request.headers.get("Tus-Resumable") != VERSION:
        raise Problem("tus_version")


def method_of(request: web.Request) -> str:
    """Name the method that is meant: some networks let only GET and POST through."""
    return request.headers.get("X-HTTP-Method-Override", request.method).upper()


def number(request: web.Request, name: str) -> int:
    """Read a count of bytes. Raises `Problem` bad_upload_header."""
    text = request.headers.get(name, "")
    if not _NUMBER.fullmatch(text):
        raise Problem("bad_upload_header", f"{name} must be there, and a whole number of bytes.")
    return int(text)


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a part is said to hash to."""

    algorithm: str
    digest: bytes

    def holds(self, data: bytes) -> bool:
        return hashlib.new(self.algorithm, data, usedforsecurity=False).digest() == self.digest


def checksum(request: web.Request) -> Checksum | None:
    """Read the checksum of a part; None: there is none. Raises `Problem` bad_upload_header."""
    text = request.headers.get("Upload-Checksum")
    if text is None:
        return None
    algorithm, _, encoded = text.partition(" ")
    try:
        digest = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if algorithm not in DIGESTS or not digest:
        raise Problem("bad_upload_header", "Upload-Checksum must be sha1 or sha256, a blank, and a digest in Base64.")
    return Checksum(algorithm, digest)


def check_part_type(request: web.Request) -> None:
    """Refuse a part that does not say that it is one, or that was compressed. Raises `Problem`."""
    if request.headers.get("Content-Type") is None or request.content_type != PART_TYPE:
        raise Problem("unsupported_media_type", f"Send Content-Type: {PART_TYPE}.")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise Problem("unsupported_coding", "Send the bytes of a file as they are.")


def http_date(moment: datetime) -> str:
    """Write a moment in UTC as a header has it: RFC 9110, 5.6.7."""
    return format_datetime(moment, usegmt=True)
