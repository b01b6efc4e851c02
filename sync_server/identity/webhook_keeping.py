"""Keeping webhooks: made, changed, given a new secret, tested, sent again, removed; and each of it written down.

Owns: what these come to, in one transaction with the security event that tells of it.
Must not know: HTTP, who may do it, which URLs may be reached.
Invariant: a secret leaves here once, when it is made; who changed what is in the security events, without URL or secret
(tests/integration/test_webhooks.py).
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias, TypeVar

from sync_server.identity import happenings, webhook_secrets
from sync_server.identity.secret_key import SecretKey
from sync_server.store import security, webhook_deliveries, webhooks
from sync_server.store.actor import Actor
from sync_server.store.clock import read_clock
from sync_server.store.database import Connection, Database
from sync_server.store.security import Happening
from sync_server.store.unit_of_work import unit_of_work
from sync_server.store.webhook_deliveries import WINDOW, Delivery, Queued
from sync_server.store.webhooks import ACTIVE, PAUSED, Webhook

PER_ORGANISATION_MAX: Final = 50

BY_A_PERSON: Final = "person"
"""Why a webhook is paused."""

PING: Final = "webhook.ping"


_Result = TypeVar("_Result")

_Noted: TypeAlias = tuple[_Result, str, str]
"""What came of it, and what is to be written down: kind and detail; "": nothing."""


class TooMany(Exception):
    """The organisation has as many webhooks as it may."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and from where."""

    actor: Actor
    address: str


@dataclass(frozen=True, slots=True)
class Keeper:
    """What is needed for all of it."""

    database: Database
    key: SecretKey

    async def make(
        self, by: Asker, *, url: str, name: str, events: Sequence[str], scopes: Sequence[str]
    ) -> tuple[Webhook, str]:
        """Make a webhook of the asker's that hears from now on; give it and its secret. Raises `TooMany`."""
        org_id, id, secret, now = by.actor.org_id, secrets.token_hex(8), webhook_secrets.make_secret(), _now()
        sealed = webhook_secrets.seal(self.key, org_id, id, secret)

        async def work(connection: Connection) -> _Noted[Webhook]:
            if await webhooks.count_webhooks(connection, org_id) >= PER_ORGANISATION_MAX:
                raise TooMany
            position = (await read_clock(connection, org_id)).position
            said = (org_id, id, by.actor.user_id, name, url, events, scopes, ACTIVE, "", position)
            made = Webhook(*said, sealed, None, None, 0, None, now, now)
            await webhooks.write_webhook(connection, made)
            return made, happenings.WEBHOOK_MADE, id

        return await self._unit(by, work), secret

    async def change(self, by: Asker, id: str, changes: Mapping[str, Any], *, skip_missed: bool = False) -> None:
        """Write columns of a webhook; `state` goes with what belongs to it."""

        async def work(connection: Connection) -> _Noted[None]:
            org_id = by.actor.org_id
            held = await webhooks.read_webhook(connection, org_id, id, lock=True)
            if held is None:
                return None, "", ""
            written = {**changes, **_with_state(held, changes.get("state")), "changed_at": _now()}
            if skip_missed:
                written["position"] = (await read_clock(connection, org_id)).position
            await webhooks.change_webhook(connection, org_id, id, written)
            return None, happenings.WEBHOOK_CHANGED, f"{id} {' '.join(sorted(changes))}"

        await self._unit(by, work)

    async def rotate(self, by: Asker, webhook: Webhook) -> tuple[Webhook, str]:
        """Give a webhook another secret; the one before signs beside it for a day, and any older one no more."""
        secret, now = webhook_secrets.make_secret(), _now()
        sealed = webhook_secrets.seal(self.key, webhook.org_id, webhook.id, secret)

        async def work(connection: Connection) -> _Noted[Webhook]:
            held = await webhooks.read_webhook(connection, webhook.org_id, webhook.id, lock=True) or webhook
            until = now + webhook_secrets.OVERLAP
            changes: dict[str, Any] = {
                "secret": sealed,
                "secret_before": held.secret,
                "secret_before_until": until,
                "changed_at": now,
            }
            await webhooks.change_webhook(connection, webhook.org_id, webhook.id, changes)
            return replace(held, **changes), happenings.WEBHOOK_SECRET_ROTATED, webhook.id

        return await self._unit(by, work), secret

    async def remove(self, by: Asker, id: str) -> None:
        """Remove a webhook and its delivery log."""

        async def work(connection: Connection) -> _Noted[None]:
            removed = await webhooks.remove_webhook(connection, by.actor.org_id, id)
            return None, happenings.WEBHOOK_REMOVED if removed else "", id

        await self._unit(by, work)

    async def ping(self, by: Asker, id: str) -> Delivery | None:
        """Queue a test, which is tried once; give it."""
        org_id, message, now = by.actor.org_id, f"msg_{id}_ping_{secrets.token_hex(6)}", _now()

        async def work(connection: Connection) -> _Noted[Delivery | None]:
            asked = [Queued(message, None, "", message, PING)]  # a record of its own: it waits for no other
            await webhook_deliveries.queue(connection, org_id, id, asked, now=now, expires_at=now)
            return await webhook_deliveries.read_delivery(connection, org_id, id, message), "", ""

        return await self._unit(by, work)

    async def send_again(self, by: Asker, id: str, delivery_id: str | None) -> int:
        """Queue a delivery anew, or all dead ones (None), under the same ids; give their number."""
        now = _now()

        async def work(connection: Connection) -> _Noted[int]:
            number = await webhook_deliveries.send_again(
                connection, by.actor.org_id, id, delivery_id, now=now, expires_at=now + WINDOW
            )
            kind = happenings.WEBHOOK_SENT_AGAIN if number else ""
            return number, kind, f"{id} {delivery_id or number}"

        return await self._unit(by, work)

    async def _unit(self, by: Asker, work: Callable[[Connection], Awaitable[_Noted[_Result]]]) -> _Result:
        """Do `work` and write down what it says, in one transaction; then tell the log."""
        actor = by.actor
        who = {"user_id": actor.user_id, "session_id": actor.session_id, "device_id": actor.device_id}

        async def noted(connection: Connection) -> tuple[_Result, Happening | None]:
            result, kind, detail = await work(connection)
            if not kind:
                return result, None
            happening = Happening(actor.org_id, kind, **who, address=by.address, detail=detail)
            await security.write_down(connection, happening)
            return result, happening

        result, happening = await unit_of_work(self.database, actor.org_id, noted)
        if happening is not None:
            happenings.tell(happening)
        return result


def _with_state(held: Webhook, state: str | None) -> Mapping[str, Any]:
    """Give what goes with a state: one that is resumed is tried at once, whatever became of it before."""
    if state == PAUSED:
        return {"state": PAUSED, "reason": BY_A_PERSON, "closed_until": None}
    if state == ACTIVE and held.state != ACTIVE:
        return {"state": ACTIVE, "reason": "", "failures": 0, "closed_until": None}
    return {}


def _now() -> datetime:
    return datetime.now(UTC)
