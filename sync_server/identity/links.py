"""Links to the bytes of an attachment: who may follow one, to what, and until when, signed.

Owns: what a link says and its signature.
Must not know: HTTP; whether whoever asks for one may have it.
Invariant: a link that was not made here, was changed or is over opens nothing; it names one file of one attachment and the
session that asked for it (tests/unit/test_links.py).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from dataclasses import dataclass
from typing import Final

from sync_server.identity.secret_key import SecretKey

PURPOSE: Final = "attachment link"
"""Keeps these signatures apart from whatever else is made with the key."""

TOKEN_MAX: Final = 1_024
"""Characters; four ids of 64 and two numbers take less."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a link opens: an attachment's file (`pixels` 0) or a thumbnail, for a session, until a moment in Unix seconds."""

    org_id: str
    user_id: str
    session_id: str
    attachment_id: str
    pixels: int
    until: int


class Links:
    """The links of all servers over one secret."""

    def __init__(self, key: SecretKey) -> None:
        self._key = key

    def write(self, link: Link) -> str:
        """Make the token of a link, of characters that need no escape in a URL."""
        said = "\0".join(
            (link.org_id, link.user_id, link.session_id, link.attachment_id, str(link.pixels), str(link.until))
        )
        return f"{_encoded(said.encode())}.{_encoded(self._key.digest(PURPOSE, said))}"

    def read(self, token: str) -> Link | None:
        """Read a token of ours, over or not; None: it is none. Cost: 5 µs."""
        said, _, signature = token.partition(".")
        if len(token) > TOKEN_MAX:
            return None
        try:
            text, signed = _decoded(said).decode(), _decoded(signature)
        except (binascii.Error, ValueError):
            return None
        if not hmac.compare_digest(self._key.digest(PURPOSE, text), signed):
            return None
        org_id, user_id, session_id, attachment_id, pixels, until = text.split("\0")
        return Link(org_id, user_id, session_id, attachment_id, int(pixels), int(until))


def is_over(link: Link) -> bool:
    """Say whether a link works no more."""
    return time.time() >= link.until


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
