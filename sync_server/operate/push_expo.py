"""Expo's push service: letters to the phones of an Expo app.

Owns: what the service is asked and what its tickets mean.
Must not know: who is told what, when.
Invariant: a push says the title, and of the record no more than which it is (tests/integration/test_outward.py).

https://docs.expo.dev/push-notifications/sending-notifications/: POST /--/api/v2/push/send, at most 100 messages, a ticket each.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final

import aiohttp

from erp_core.telling import PUSH
from sync_server.engine.outward import Letter
from sync_server.operate.outlets import End, Result, by_status

TIMES: Final = aiohttp.ClientTimeout(total=15, connect=5)
TOGETHER_MAX: Final = 100

_AGAIN: Final = frozenset({"MessageRateExceeded", "ExpoError", "ProviderError"})


def data_of(letter: Letter) -> Mapping[str, str]:
    """Give what an app opens a notification by."""
    told = letter.told[0]
    return {"notification_id": told.id, "table": told.table, "record_id": told.record_id}


class Expo:
    """Sends by Expo's service at `url`; `token`: of the account, if it asks for one."""

    way = PUSH
    service = "expo"

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str | None) -> None:
        self._session = session
        self._url = f"{url}/--/api/v2/push/send"
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def send(self, letters: Sequence[Letter]) -> AsyncGenerator[Result, None]:
        """Send letters, 100 at a time."""
        for start in range(0, len(letters), TOGETHER_MAX):
            for result in await self._send(letters[start : start + TOGETHER_MAX]):
                yield result

    async def _send(self, letters: Sequence[Letter]) -> Sequence[Result]:
        asked = [_message(letter) for letter in letters]
        try:
            async with self._session.post(
                self._url, json=asked, headers=self._headers, timeout=TIMES, allow_redirects=False
            ) as answer:
                if answer.status != 200:
                    return [by_status(answer.status)] * len(letters)
                tickets = (await answer.json()).get("data")
        except (aiohttp.ClientError, TimeoutError, ValueError) as fault:
            return [Result(End.AGAIN, f"Expo cannot be reached: {type(fault).__name__}")] * len(letters)
        if not isinstance(tickets, list) or len(tickets) != len(letters):
            return [Result(End.AGAIN, "Expo answered something else than tickets")] * len(letters)
        return [_result(ticket) for ticket in tickets]


def _message(letter: Letter) -> Mapping[str, Any]:
    assert letter.address is not None
    return {"to": letter.address.token, "title": letter.told[0].title, "data": data_of(letter), "sound": "default"}


def _result(ticket: Mapping[str, Any]) -> Result:
    if ticket.get("status") == "ok":
        return Result(End.SENT)
    fault = str((ticket.get("details") or {}).get("error") or "unknown")[:60]
    if fault == "DeviceNotRegistered":
        return Result(End.GONE, fault)
    return Result(End.AGAIN if fault in _AGAIN else End.FAILED, fault)
