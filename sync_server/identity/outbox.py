"""The outbox: messages that are sent after the answer, whether or not there is anybody to send them to.

Owns: the queue, its bounds, the organisation's budget, and what is written down of each message.
Must not know: HTTP, or what a sender does.
Invariant: whoever asks for a code waits for nothing that depends on whose the number is: that is looked up here
(tests/integration/test_codes.py).

The queue is memory: what waits when the process is killed is not sent, and whoever waits for it asks again, as if the network
had lost it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import asyncpg
import structlog

from sync_server.identity.code_rules import DAY, Budget, TooManyCodes, overfull
from sync_server.identity.phone_numbers import masked
from sync_server.identity.senders import Delivery, Message
from sync_server.store import codes
from sync_server.store.database import DISCONNECTED, NO_ORGANISATION, Database

WAITING_MAX: Final = 1_000
"""Messages; what is beyond is refused at the door, as `unit_of_work.Busy`."""

HANDS: Final = 4
"""Messages under way at once; a gateway that takes half a second each sends 8 a second."""

LAST_SECONDS: Final = 5.0
"""For which messages are still sent when the server stops."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Texts:
    """What messages say. `code`: with `{code}` in it; the ids are India's (DLT), None where there is none."""

    code: str
    notice: str
    code_template_id: str | None = None
    notice_template_id: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """A message that waits. `request_id`: of a code, "" for a notice; `org_id`: who is known to want it, "" for a login."""

    number: str = field(repr=False)
    code: str = field(default="", repr=False)
    request_id: str = ""
    org_id: str = ""


class Outbox:
    """The messages of one process on their way."""

    def __init__(self, database: Database, delivery: Delivery, texts: Texts, *, organisation_per_day: int) -> None:
        self._database = database
        self._delivery = delivery
        self._texts = texts
        self._budget = Budget(organisation_per_day, DAY)
        self._waiting: asyncio.Queue[Item] = asyncio.Queue(WAITING_MAX)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send while the block runs, and what waits then for `LAST_SECONDS` more."""
        hands = [asyncio.create_task(self._work()) for _ in range(HANDS)]
        try:
            yield
            _, late = await asyncio.wait({asyncio.create_task(self.idle())}, timeout=LAST_SECONDS)
            for task in late:
                task.cancel()
                log.warning("messages_lost", waiting=self._waiting.qsize())
            await asyncio.gather(*late, return_exceptions=True)
        finally:
            for hand in hands:
                hand.cancel()
            await asyncio.wait(hands)

    @property
    def waiting(self) -> int:
        """How many messages wait."""
        return self._waiting.qsize()

    @property
    def is_full(self) -> bool:
        """Whether another message would have to wait for too long."""
        return self._waiting.full()

    def put(self, item: Item) -> None:
        """Let a message wait for its turn; one that came in between the look at `is_full` and now is lost, and said so."""
        try:
            self._waiting.put_nowait(item)
        except asyncio.QueueFull:
            log.error("messages_lost", waiting=1)

    async def idle(self) -> None:
        """Wait until every message has been dealt with."""
        await self._waiting.join()

    async def _work(self) -> None:
        while True:
            item = await self._waiting.get()
            try:
                await self._deal_with(item)
            except (asyncpg.PostgresError, TimeoutError, *DISCONNECTED) as fault:
                log.error("message_lost", number=masked(item.number), exc_info=fault)
            finally:
                self._waiting.task_done()

    async def _deal_with(self, item: Item) -> None:
        outcome, attempts = await self._send(item)
        if item.request_id:
            async with self._database.acquire(NO_ORGANISATION) as connection:
                await codes.write_delivery(connection, item.request_id, outcome, attempts)

    async def _send(self, item: Item) -> tuple[str, int]:
        """Send a message if somebody is to have it and an organisation has the budget; say what became of it."""
        paying = [item.org_id] if item.org_id else await self._holders(item.number)
        if not paying:
            return "nobody", 0
        if not await self._spend(paying):
            log.error("code_budget_spent", org=paying[0])
            return "over_budget", 0
        sent = await self._delivery.send(self._message(item))
        return "sent" if sent.arrived else "failed", sent.attempts

    def _message(self, item: Item) -> Message:
        if item.code:
            text = self._texts.code.replace("{code}", item.code)
            return Message(item.number, text, item.request_id, self._texts.code_template_id)
        return Message(item.number, self._texts.notice, template_id=self._texts.notice_template_id)

    async def _holders(self, number: str) -> list[str]:
        async with self._database.acquire(NO_ORGANISATION) as connection:
            return [holder.org_id for holder in await codes.holders_of(connection, number)]

    async def _spend(self, organisations: list[str]) -> bool:
        """Take a message from the budget of the first organisation that has one left."""
        for org_id in organisations:
            budgets = {f"organisation {org_id}": self._budget}
            try:
                async with self._database.acquire(NO_ORGANISATION) as connection, connection.transaction():
                    filled = await codes.spend(connection, {name: b.share for name, b in budgets.items()})
                    wait = overfull(budgets, filled)
                    if wait > 0:
                        raise TooManyCodes(wait)
            except TooManyCodes:
                continue
            return True
        return False
