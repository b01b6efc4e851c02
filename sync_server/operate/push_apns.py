"""Apple's push service: letters to iPhones, over HTTP/2.

Owns: the provider's token, what the service is asked and what its answers mean.
Must not know: who is told what, when.
Invariant: a push says the title, and of the record no more than which it is (tests/integration/test_outward.py).

https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns: POST /3/device/{token}, with
a JWT (ES256) that is renewed after 20 to 60 minutes.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any, Final

import httpx
import jwt
import orjson

from erp_core.telling import PUSH
from sync_server.engine.outward import Letter
from sync_server.identity.keyfile import UnusableKey
from sync_server.operate.outlets import End, Result, by_status
from sync_server.operate.push_expo import data_of

TOKEN_SECONDS: Final = 2_400.0
SECONDS: Final = 15.0


class Apns:
    """Sends by the service at `url` to the app `topic`, with the team's key."""

    way = PUSH
    service = "apns"

    def __init__(self, url: str, *, key: str, key_id: str, team_id: str, topic: str, trusts: ssl.SSLContext) -> None:
        self._key, self._key_id, self._team_id, self._topic = key, key_id, team_id, topic
        self._client = httpx.AsyncClient(
            http2=True, base_url=url, timeout=SECONDS, verify=trusts, follow_redirects=False, trust_env=False
        )
        self._token, self._made = "", 0.0

    @classmethod
    def open(cls, url: str, path: Path, **how: Any) -> Apns:
        """Read the key. Raises UnusableKey: one that cannot sign is told at the start."""
        try:
            key = path.read_text()
            jwt.encode({}, key, algorithm="ES256")
        except (OSError, ValueError, TypeError, jwt.PyJWTError) as fault:
            raise UnusableKey(f"{path} is no key of Apple's push service ({type(fault).__name__})") from None
        return cls(url, key=key, **how)

    async def send(self, letters: Sequence[Letter]) -> AsyncGenerator[Result, None]:
        """Send letters, one request each, over one connection."""
        for letter in letters:
            yield await self._send(letter)

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def _send(self, letter: Letter) -> Result:
        assert letter.address is not None
        told = letter.told[0]
        headers = {
            "authorization": f"bearer {self._bearer()}",
            "apns-topic": self._topic,
            "apns-push-type": "alert",
            "apns-collapse-id": told.id,
        }
        asked = {"aps": {"alert": {"title": told.title}, "sound": "default"}, **data_of(letter)}
        try:
            answer = await self._client.post(
                f"/3/device/{letter.address.token}", content=orjson.dumps(asked), headers=headers
            )
        except httpx.HTTPError as fault:
            return Result(End.AGAIN, f"APNs cannot be reached: {type(fault).__name__}")
        return self._result(answer)

    def _result(self, answer: httpx.Response) -> Result:
        try:
            reason = str(orjson.loads(answer.content).get("reason", "")) if answer.content else ""
        except (ValueError, AttributeError):
            reason = ""
        if answer.status_code == 410:  # a wrong topic, or the service for test builds, refuses good tokens otherwise
            return Result(End.GONE, reason)
        if reason == "ExpiredProviderToken":
            self._made = 0.0
            return Result(End.AGAIN, reason)
        return by_status(answer.status_code, reason)

    def _bearer(self) -> str:
        now = time.time()
        if now - self._made > TOKEN_SECONDS:
            claims = {"iss": self._team_id, "iat": int(now)}
            self._token = jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": self._key_id})
            self._made = now
        return self._token
