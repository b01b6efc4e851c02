"""The HTTP gateway that sends text messages, and which sender a server has.

Owns: what a gateway is asked, and for how long it is waited for.
Must not know: what a message says, or what follows a failure (identity/senders.py).
Invariant: the token goes to the gateway and nowhere else: no redirect is followed, and nothing that a gateway answers gets into
the log (tests/integration/test_senders.py).

What is asked: POST, as JSON or as a form, `to` (E.164), `text`, and if set `template_id`; `Idempotency-Key` is the same for
every attempt at one message. 2xx: it was taken. 408, 425, 429, 5xx: another attempt may do better. Anything else: it will not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp

from sync_server.config import Settings
from sync_server.identity.outbox import Texts
from sync_server.identity.senders import ConsoleSender, Message, Sender, SendFailed

TIMES: Final = aiohttp.ClientTimeout(total=8, connect=3)
"""Seconds for one attempt; a gateway takes half a second, and whoever waits for a code asks again after 30."""

AGAIN: Final = frozenset({408, 425, 429})


class HttpSender:
    """Sends through an HTTP gateway."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        *,
        token: str | None,
        as_form: bool,
        times: aiohttp.ClientTimeout = TIMES,
    ) -> None:
        self._session = session
        self._url = url
        self._token = token
        self._as_form = as_form
        self._times = times

    async def send(self, message: Message) -> None:
        """Hand a message to the gateway. Raises `SendFailed`. Cost: one request of 8 s at most."""
        asked = {"to": message.number, "text": message.text}
        if message.template_id:
            asked["template_id"] = message.template_id
        headers = {"Idempotency-Key": message.key} if message.key else {}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        data, json = (asked, None) if self._as_form else (None, asked)
        try:
            async with self._session.post(
                self._url, data=data, json=json, headers=headers, timeout=self._times, allow_redirects=False
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError) as fault:
            # The fault's own words may have the URL, with a secret in it.
            raise SendFailed(f"the gateway cannot be reached: {type(fault).__name__}", again=True) from None
        if not 200 <= status < 300:
            raise SendFailed(f"the gateway answered {status}", again=status in AGAIN or status >= 500)


@asynccontextmanager
async def open_sender(settings: Settings) -> AsyncIterator[Sender | None]:
    """Give the sender of the settings: the gateway, in demo mode the console, else None."""
    if settings.sms_url is None:
        yield ConsoleSender() if settings.demo else None
        return
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield HttpSender(session, settings.sms_url, token=settings.sms_token, as_form=settings.sms_format == "form")


def texts_of(settings: Settings) -> Texts:
    """Give what messages say."""
    return Texts(settings.sms_text, settings.sms_notice, settings.sms_template_id, settings.sms_notice_template_id)
