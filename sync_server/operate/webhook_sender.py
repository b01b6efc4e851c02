"""One attempt at a webhook: a signed POST through the wall, and what came of it.

Owns: the request, how long it may take, and which word its outcome gets.
Must not know: what a message says, whether there is another attempt.
Invariant: no redirect is followed, nothing of an answer is read but its status and `Retry-After`, and neither URL nor secret
nor body gets into an outcome or the log (tests/integration/test_webhook_sending.py).
"""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp

from sync_server.identity.webhook_secrets import sign
from sync_server.operate.meters import WEBHOOK_ATTEMPTS
from sync_server.operate.webhook_wall import Unresolved, Wall, Walled, WalledResolver

TIMES: Final = aiohttp.ClientTimeout(total=15, connect=8, sock_connect=5)
"""Seconds for one attempt: Standard Webhooks asks receivers to answer within 15."""

READ_MAX: Final = 4_096
"""Bytes of an answer that are taken off the wire at most before the connection is cut, and of each line of its head."""

GONE: Final = 410

RETRY_AFTER_MAX: Final = 3_600.0
"""Seconds that an endpoint may ask to be left alone for."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt: `error` "": it was taken. `retry_after`: seconds that the endpoint asked for."""

    error: str
    status: int | None
    ms: int
    retry_after: float = 0.0


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: `id`: the same for every attempt."""

    id: str
    body: bytes


class WebhookSender:
    """Sends messages to endpoints."""

    def __init__(self, session: aiohttp.ClientSession, wall: Wall, *, times: aiohttp.ClientTimeout = TIMES) -> None:
        self._session = session
        self._wall = wall
        self._times = times

    async def send(self, url: str, message: Message, secrets: Sequence[str], at: float) -> Outcome:
        """Send a message that is signed at a time (Unix seconds). Never raises for what the endpoint does."""
        begun = time.monotonic()
        error, status, wait = await self._send(url, message, secrets, int(at))
        WEBHOOK_ATTEMPTS.add("failed" if error else "delivered")
        return Outcome(error, status, round((time.monotonic() - begun) * 1000), wait)

    async def _send(self, url: str, message: Message, secrets: Sequence[str], at: int) -> tuple[str, int | None, float]:
        if self._wall.fault_of(url):
            return "walled", None, 0.0  # it was allowed once; the setting has changed
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "cotton-sync-webhooks/1",
            "webhook-id": message.id,
            "webhook-timestamp": str(at),
            "webhook-signature": sign(secrets, message.id, at, message.body),
        }
        try:
            async with self._session.post(
                url, data=message.body, headers=headers, timeout=self._times, allow_redirects=False
            ) as answer:
                return _word(answer.status), answer.status, _seconds(answer.headers.get("Retry-After", ""))
        except (
            aiohttp.ClientError,
            TimeoutError,
            ValueError,
        ) as fault:  # ValueError: aiohttp's, of a URL that it cannot use
            return _name(fault), None, 0.0


def _word(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return "redirected"
    return "gone" if status == GONE else "refused"


def _name(fault: BaseException) -> str:
    """Name a failure; its own words may have the URL, or what the endpoint sent."""
    inner: BaseException | None = fault
    while inner is not None:
        match inner:
            case Walled():
                return "walled"
            case Unresolved():
                return "unresolved"
            case ssl.SSLError() | ssl.CertificateError():
                return "tls"
            case TimeoutError():
                return "timed_out"
        inner = inner.__cause__
    return "unreachable" if isinstance(fault, aiohttp.ClientConnectorError) else "unreadable"


def _seconds(said: str) -> float:
    """Read Retry-After in seconds; its other form, a date, is passed over.

    >>> _seconds("120"), _seconds("999999"), _seconds("Wed, 21 Oct 2026 07:28:00 GMT"), _seconds("")
    (120.0, 3600.0, 0.0, 0.0)
    """
    return min(float(said), RETRY_AFTER_MAX) if said.isascii() and said.isdigit() and len(said) < 10 else 0.0


@asynccontextmanager
async def open_webhook_sender(
    wall: Wall,
    name_servers: Sequence[str] = (),
    *,
    times: aiohttp.ClientTimeout = TIMES,
    trusted: ssl.SSLContext | None = None,
) -> AsyncIterator[WebhookSender]:
    """Open what webhooks are sent with: a connection for each attempt, no proxy of the environment, no cookies.

    `trusted`: who may vouch for an endpoint; None: whom this machine trusts.
    """
    resolver = WalledResolver(wall, name_servers)
    connector = aiohttp.TCPConnector(
        resolver=resolver,
        use_dns_cache=False,
        force_close=True,
        limit=0,
        socket_factory=wall.open_socket,
        ssl=trusted or True,
    )
    try:
        async with aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=READ_MAX,
            max_line_size=READ_MAX,
            max_field_size=READ_MAX,
        ) as session:
            yield WebhookSender(session, wall, times=times)
    finally:
        await resolver.close()
