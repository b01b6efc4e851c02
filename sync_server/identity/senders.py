"""Senders: what takes a text message to a phone, and what is done when one does not.

Owns: the interface of a sender, the one of demo mode, retries, and the circuit that spares a gateway which is down.
Must not know: HTTP (operate/sms_gateway.py), whose number it is, or what a message is about.
Invariant: neither a text nor a whole number gets into the log, whatever a sender raises (tests/integration/test_senders.py).
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol, TextIO

import structlog

from sync_server.identity.phone_numbers import masked

ATTEMPTS: Final = 3
"""Of sending one message: what is lost twice in a second is likely to stay lost, and whoever waits for it asks again."""

PAUSE_SECONDS: Final = 0.5
"""Before the second attempt, doubled before the third, each drawn from half to one and a half of it."""

FAILURES: Final = 5
"""Messages in a row that could not be sent, after which none is tried for a while."""

OPEN_SECONDS: Final = 30.0
"""For which none is tried then; the next one after that shows whether it works again."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Message:
    """A text for a number, E.164. `template_id`: under which India's operators know the text (DLT); `key`: of this message
    over all attempts, so that a gateway can tell a repetition."""

    number: str = field(repr=False)
    text: str = field(repr=False)
    key: str = ""
    template_id: str | None = None


class SendFailed(Exception):
    """A message was not sent; the text says why and names neither number nor text. `again`: another attempt may do better."""

    def __init__(self, reason: str, *, again: bool) -> None:
        super().__init__(reason)
        self.again = again


class Sender(Protocol):
    """Takes messages to phones."""

    async def send(self, message: Message) -> None:
        """Send a message, within bounds of time. Raises `SendFailed`."""


class ConsoleSender:
    """Demo mode's: writes messages where whoever runs the demo sees them, past the log, which would redact them."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    async def send(self, message: Message) -> None:
        """Write a message, in one line."""
        stream = self._stream or sys.stderr
        stream.write(f"Message to {message.number}: {message.text}\n")
        stream.flush()


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a message, after how many attempts."""

    arrived: bool
    attempts: int


class Delivery:
    """A sender with its retries and its circuit."""

    def __init__(
        self, sender: Sender, *, pause: float = PAUSE_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._sender = sender
        self._pause = pause
        self._clock = clock
        self._failures = 0
        self._closed_from = 0.0

    async def send(self, message: Message) -> Sent:
        """Send a message if it can be sent; never raises `SendFailed`."""
        if self._clock() < self._closed_from:
            log.warning("message_not_tried", number=masked(message.number), reason="the sender is down")
            return Sent(arrived=False, attempts=0)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._sender.send(message)
            except SendFailed as fault:
                log.warning("message_failed", number=masked(message.number), attempt=attempt, reason=str(fault))
                if not fault.again:
                    return Sent(arrived=False, attempts=attempt)  # this message's fault; the next may be all right
                if attempt < ATTEMPTS:
                    await asyncio.sleep(self._pause * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311
            else:
                self._failures = 0
                log.info("message_sent", number=masked(message.number), attempts=attempt)
                return Sent(arrived=True, attempts=attempt)
        self._note_failure()
        return Sent(arrived=False, attempts=ATTEMPTS)

    def _note_failure(self) -> None:
        self._failures += 1
        if self._failures >= FAILURES:
            self._closed_from = self._clock() + OPEN_SECONDS
            log.error("sender_down", failures=self._failures, seconds=OPEN_SECONDS)
