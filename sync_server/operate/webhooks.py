"""Webhooks while the server runs: the log followed, what is due sent, and what is old forgotten.

Owns: the rhythm, how many are served at once, and the way from a claimed delivery to what became of it.
Must not know: SQL, signatures, when an attempt is due, what may be told.
Invariant: an event is sent after its commit, at least once, and under the same id each time, whichever process dies at whatever
moment (tests/integration/test_webhook_crashes.py). One slow endpoint holds up no other.

Every process does this. Whoever locks a webhook's row first reads on for it or claims what is due; the others pass it over. A
claim is committed before anything is sent, so no transaction is open while an endpoint is waited for.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from sync_server.ending import end
from sync_server.engine import webhook_attempts
from sync_server.engine.standing import Standings
from sync_server.engine.webhook_attempts import Attempt
from sync_server.engine.webhooks import Told, follow, tell
from sync_server.identity.secret_key import SecretKey
from sync_server.identity.webhook_secrets import live_secrets
from sync_server.operate.webhook_sender import Message, Outcome, WebhookSender
from sync_server.store import webhook_deliveries, webhooks
from sync_server.store.database import Connection, Database
from sync_server.store.enduring import UNANSWERED, for_ever
from sync_server.store.unit_of_work import unit_of_work
from sync_server.store.webhook_deliveries import WITHHELD, Delivery, Settled
from sync_server.store.webhooks import BROKEN, PAUSED, Webhook
from sync_server.wire.webhook_messages import write_message, write_ping

POLL_SECONDS: Final = 0.5
"""Between two looks; each is two statements over the webhooks of all organisations."""

AGAIN_SECONDS: Final = 2.0
"""After the database did not answer."""

LEASE: Final = timedelta(seconds=45)
"""How long a claimed delivery is nobody else's: an attempt takes 15 s at most, reading and writing around it less."""

TOGETHER_MAX: Final = 8
"""Deliveries of one webhook that are sent at once."""

TURNS_MAX: Final = 25
"""How often a webhook is served before another may have its place."""

SERVED_MAX: Final = 32
"""Webhooks that one process serves at once."""

SERVED_PER_ORGANISATION_MAX: Final = 8

HURRY_SECONDS: Final = 60.0
"""An endpoint that is back gets what waited for it within about that."""

KEPT: Final = timedelta(days=30)
"""How long the delivery log remembers what was settled."""

FORGET_SECONDS: Final = 3_600.0

log = structlog.get_logger(__name__)


def utc_now() -> datetime:
    """Give the time."""
    return datetime.now(UTC)


class Webhooks:
    """The webhooks of all organisations, as one process serves them. `now`: the time."""

    def __init__(
        self,
        database: Database,
        standings: Standings,
        key: SecretKey,
        sender: WebhookSender,
        *,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._standings = standings
        self._key = key
        self._sender = sender
        self._now = now
        self._serving: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._forgot_at: datetime | None = None
        self._over = False

    async def run(self) -> None:
        """Follow and serve, for ever; a database that does not answer is asked again."""
        try:
            # Cut in the middle of a statement, a connection may never come back to its pool, which waits for it.
            await for_ever(
                lambda: self._database.shielded(self.look()),
                "webhooks_without_database",
                pause_seconds=POLL_SECONDS,
                again_seconds=AGAIN_SECONDS,
            )
        finally:
            self._over = True  # a look that goes on begins nothing more
            await self._end()

    async def look(self) -> None:
        """Read on in the log for whom it concerns, and begin to serve whoever has something due."""
        await self.follow()
        await self._forget()
        due = [] if self._over else list(await self._due())
        random.shuffle(due)  # whoever is always due must not always be first where there is no room for all
        for one in due:
            self._begin(one)

    async def follow(self) -> int:
        """Read on for every webhook that is behind; give how many events were read."""
        async with self._database.acquire_everywhere() as connection:
            waiting = await webhooks.behind(connection)
        return sum([await follow(self._database, org_id, id, self._now()) for org_id, id in waiting])

    async def deliver(self) -> int:
        """Serve every webhook that has something due, once, and wait for it; give how many deliveries were tried."""
        return sum([await self.serve(*one) for one in await self._due()])

    async def _due(self) -> Sequence[tuple[str, str]]:
        async with self._database.acquire_everywhere() as connection:
            return await webhooks.due(connection, self._now())

    async def _forget(self) -> None:
        now = self._now()
        if self._forgot_at is None or (now - self._forgot_at).total_seconds() > FORGET_SECONDS:
            self._forgot_at = now
            async with self._database.acquire_everywhere() as connection:
                await webhook_deliveries.forget(connection, before=now - KEPT)

    # --- Who is served --------------------------------------------------------------------------------------------------

    def _begin(self, one: tuple[str, str]) -> None:
        of_organisation = Counter(org_id for org_id, _ in self._serving)[one[0]]
        if one in self._serving or len(self._serving) >= SERVED_MAX or of_organisation >= SERVED_PER_ORGANISATION_MAX:
            return
        task = self._serving[one] = asyncio.create_task(self._serve_on(*one))
        task.add_done_callback(lambda done: self._ended(one, done))

    def _ended(self, one: tuple[str, str], task: asyncio.Task[None]) -> None:
        self._serving.pop(one, None)
        fault = None if task.cancelled() else task.exception()
        if fault is not None and not isinstance(fault, UNANSWERED):
            log.error("webhook_failed", org=one[0], webhook=one[1], exc_info=fault)
        elif fault is not None:
            log.warning("webhook_not_served", org=one[0], webhook=one[1], fault=type(fault).__name__)

    async def _end(self) -> None:
        """Cut what is under way: whatever was claimed is due again when its lease is over."""
        tasks = list(self._serving.values())
        await end(tasks)

    # --- Serving one ----------------------------------------------------------------------------------------------------

    async def _serve_on(self, org_id: str, id: str) -> None:
        for _ in range(TURNS_MAX):
            if await self.serve(org_id, id) < TOGETHER_MAX:
                return

    async def serve(self, org_id: str, id: str) -> int:
        """Claim what is due for a webhook, send it, write down what came of it; give how many were tried."""
        claimed = await self._claim(org_id, id)
        if claimed is None:
            return 0
        webhook, deliveries = claimed
        told = await tell(self._database, self._standings, webhook, deliveries)
        ends = await asyncio.gather(*(self._try(webhook, one, told) for one in deliveries), return_exceptions=True)
        for fault in ends:
            if fault is not None:
                raise fault
        return len(deliveries)

    async def _claim(self, org_id: str, id: str) -> tuple[Webhook, Sequence[Delivery]] | None:
        """Claim what is due; of an endpoint whose circuit is open one delivery, while nobody else tries it."""
        now = self._now()

        async def work(connection: Connection) -> tuple[Webhook, Sequence[Delivery]] | None:
            webhook = await webhooks.take_webhook(connection, org_id, id)
            if webhook is None or webhook.state == PAUSED:
                return None
            if webhook.closed_until is not None and now < webhook.closed_until:
                return None
            broken = webhook.state == BROKEN
            if broken:
                await webhook_deliveries.give_up(connection, org_id, id, now=now, error=webhook.reason)
                await webhooks.change_webhook(connection, org_id, id, {"closed_until": now + LEASE})
            limit = 1 if broken else TOGETHER_MAX
            found = await webhook_deliveries.claim(connection, org_id, id, limit, now=now, until=now + LEASE)
            return (webhook, found) if found else None

        return await unit_of_work(self._database, org_id, work)

    async def _try(self, webhook: Webhook, delivery: Delivery, told: Mapping[str, Told]) -> None:
        event, at = told.get(delivery.id), self._now()
        if delivery.position is not None and event is None:
            await self._settle(webhook, delivery, None)
            return
        message = Message(delivery.id, write_ping(delivery.made_at) if event is None else write_message(event))
        secrets = live_secrets(self._key, webhook, at)
        if secrets:
            outcome = await self._sender.send(webhook.url, message, secrets, at.timestamp())
        else:  # another key than the one that they were sealed with; only a rotation helps
            outcome = Outcome(webhook_attempts.UNREADABLE, None, 0)
        facts = {"type": delivery.type, "attempt": delivery.attempts, "status": outcome.status, "ms": outcome.ms}
        log.info("webhook_tried", org=webhook.org_id, webhook=webhook.id, error=outcome.error, **facts)
        await self._settle(webhook, delivery, outcome)

    async def _settle(self, webhook: Webhook, delivery: Delivery, outcome: Outcome | None) -> None:
        """Write down what came of an attempt; None: there was none, as the owner may not be told."""
        now, (org_id, id) = self._now(), (webhook.org_id, webhook.id)

        async def work(connection: Connection) -> None:
            held = await webhooks.read_webhook(connection, org_id, id, lock=True)
            settled = _settled(delivery, outcome, now)
            if held is None or not await webhook_deliveries.settle(
                connection, org_id, delivery.id, delivery.attempts, settled
            ):
                return
            changes = {} if outcome is None else webhook_attempts.endpoint_after(held, outcome.error, now)
            if changes:
                await webhooks.change_webhook(connection, org_id, id, changes)
            if held.state == BROKEN and outcome is not None and not outcome.error:
                await webhook_deliveries.hurry(connection, org_id, id, now=now, within=HURRY_SECONDS)

        await unit_of_work(self._database, org_id, work)


def _settled(delivery: Delivery, outcome: Outcome | None, now: datetime) -> Settled:
    if outcome is None:
        return Settled(WITHHELD, now)
    chance = random.uniform(-1, 1)  # noqa: S311 - jitter, not a secret
    facts = (outcome.status, outcome.error, outcome.ms, outcome.retry_after)
    return webhook_attempts.settle(Attempt(delivery.attempts, delivery.expires_at, *facts, chance), now)
