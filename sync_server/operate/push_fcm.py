"""Firebase Cloud Messaging: letters to Android phones, by its HTTP v1 API.

Owns: the token of the service account, what the service is asked and what its answers mean.
Must not know: who is told what, when.
Invariant: a push says the title, and of the record no more than which it is (tests/integration/test_outward.py).

https://firebase.google.com/docs/cloud-messaging/send/v1-api; the token by RFC 7523, a JWT signed with the account's key.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp
import jwt
import orjson

from erp_core.telling import PUSH
from sync_server.engine.outward import Letter
from sync_server.identity.keyfile import UnusableKey
from sync_server.operate.outlets import End, Result, by_status
from sync_server.operate.push_expo import TIMES, data_of

SCOPE: Final = "https://www.googleapis.com/auth/firebase.messaging"
GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EARLY_SECONDS: Final = 120.0
"""Before a token's end another is asked for."""


class Fcm:
    """Sends as the service account of `account` (its JSON key) by the service at `url`."""

    way = PUSH
    service = "fcm"

    def __init__(self, session: aiohttp.ClientSession, url: str, account: Mapping[str, str]) -> None:
        self._session = session
        self._account = account
        self._url = f"{url}/v1/projects/{account['project_id']}/messages:send"
        self._token, self._until = "", 0.0
        self._one = asyncio.Lock()

    @classmethod
    def open(cls, session: aiohttp.ClientSession, url: str, path: Path) -> Fcm:
        """Read the account's key. Raises UnusableKey."""
        try:
            account = orjson.loads(path.read_bytes())
            needed = {name: str(account[name]) for name in ("project_id", "client_email", "private_key", "token_uri")}
        except (OSError, ValueError, KeyError, TypeError) as fault:
            raise UnusableKey(f"{path} is no key of a service account ({type(fault).__name__})") from None
        return cls(session, url, needed)

    async def send(self, letters: Sequence[Letter]) -> AsyncGenerator[Result, None]:
        """Send letters, one request each; the service has no other way."""
        for letter in letters:
            try:
                result = await self._send(letter)
            except (aiohttp.ClientError, TimeoutError, ValueError, KeyError) as fault:
                result = Result(End.AGAIN, f"FCM cannot be reached: {type(fault).__name__}")
            yield result

    async def _send(self, letter: Letter) -> Result:
        headers = {"Authorization": f"Bearer {await self._bearer()}"}
        async with self._session.post(
            self._url, json={"message": _message(letter)}, headers=headers, timeout=TIMES, allow_redirects=False
        ) as answer:
            if answer.status == 200:
                return Result(End.SENT)
            if answer.status == 401:
                self._until = 0.0
                return Result(End.AGAIN, "the token is refused")
            return _refused(answer.status, await answer.read())

    async def _bearer(self) -> str:
        async with self._one:
            if time.time() > self._until - EARLY_SECONDS:
                await self._renew()
            return self._token

    async def _renew(self) -> None:
        now, account = int(time.time()), self._account
        claims = {"iss": account["client_email"], "scope": SCOPE, "aud": account["token_uri"]}
        signed = jwt.encode({**claims, "iat": now, "exp": now + 3_600}, account["private_key"], algorithm="RS256")
        asked = {"grant_type": GRANT, "assertion": signed}
        async with self._session.post(account["token_uri"], data=asked, timeout=TIMES, allow_redirects=False) as answer:
            answer.raise_for_status()
            given = await answer.json()
        self._token, self._until = str(given["access_token"]), now + float(given["expires_in"])


def _message(letter: Letter) -> Mapping[str, Any]:
    assert letter.address is not None
    return {
        "token": letter.address.token,
        "notification": {"title": letter.told[0].title},
        "data": data_of(letter),
        "android": {"collapse_key": letter.told[0].id},
    }


def _refused(status: int, body: bytes) -> Result:
    try:
        details = orjson.loads(body)["error"].get("details", [])
        codes = {str(one.get("errorCode")) for one in details}
    except (ValueError, KeyError, TypeError, AttributeError):
        codes = set()
    return Result(End.GONE, "UNREGISTERED") if "UNREGISTERED" in codes else by_status(status)
