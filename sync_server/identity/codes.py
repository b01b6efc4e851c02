"""One-time codes by phone: asked for with a number, tried with a request id, good once.

Owns: the way from a number to a code, and from a code to whose number it is.
Must not know: HTTP, how a message is sent, or how a session begins.
Invariant: asking is the same statements, the same work and the same answer whether or not the number is anybody's; of many
who try the right code at once, one has it (tests/integration/test_codes.py).

Whose number it is, is looked up after the answer (outbox.py) and after the right code. So an organisation's own budget cannot
be refused at the door: it would say that the number is one of theirs. It is kept in the outbox, and logged as an error.
"""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import structlog

from sync_server.identity import code_rules as rules
from sync_server.identity.code_rules import TooManyCodes
from sync_server.identity.guesses import network_of
from sync_server.identity.outbox import Item, Outbox
from sync_server.identity.phone_numbers import masked
from sync_server.identity.secret_key import SecretKey
from sync_server.store import codes
from sync_server.store.actor import Actor
from sync_server.store.codes import Asked, Holder
from sync_server.store.database import NO_ORGANISATION, Connection, Database
from sync_server.store.unit_of_work import Busy, enter, unit_of_work

EARLIER_MAX: Final = rules.PER_DAY
"""Earlier requests that are looked at."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ticket:
    """What whoever asked for a code is told. `expires_in`: seconds."""

    request_id: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class Proved:
    """The code was right and is used up: this user, or the mover, has the phone."""

    request_id: str
    phone: str
    org_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """The code was not right; `left`: how often it may still be tried."""

    left: int
    phone: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Choose:
    """The code was right and is not used: the number is known in several organisations."""

    holders: Sequence[Holder]


class CodeRefused(Exception):
    """There is no such code, for whatever reason: unknown, used, expired, tried too often, asked for by another device."""


class MoreNeeded(Exception):
    """The code was right and is not used: something else is needed with it."""


Gate: TypeAlias = Callable[[Connection, str, str], Awaitable[bool]]
"""Says, in the transaction that uses a code, whether what else this user of this organisation must show is right. Raises
`MoreNeeded` if it was not shown."""


class Codes:
    """Codes over one database and one secret."""

    def __init__(
        self,
        database: Database,
        secret: SecretKey,
        outbox: Outbox,
        *,
        countries: Sequence[str],
        everybody_per_day: int,
    ) -> None:
        """`countries`: country codes, the first is home."""
        self.outbox = outbox
        self.countries = frozenset(countries)
        self._home = countries[0]
        self._database = database
        self._secret = secret
        self._everybody_per_day = everybody_per_day

    async def ask(self, number: str, *, device_id: str = "", address: str = "", mover: Actor | None = None) -> Ticket:
        """Have a code sent to a number, E.164, if it is somebody's; whoever asked a moment ago gets the same request again.

        `mover`: who wants to move to the number; then it is sent in any case. Raises `TooManyCodes`, `Busy`. Cost: one
        transaction of four statements.
        """
        if self.outbox.is_full:
            raise Busy
        asker = f"device {device_id}" if device_id else f"network {network_of(address)}"
        id, code = uuid.uuid4().hex, rules.new_code()
        digest = self._secret.digest(id, code)

        async def work(connection: Connection) -> Ticket:
            earlier = await codes.lock_phone(connection, number, EARLIER_MAX)
            again = rules.repeated(earlier, asker, mover.session_id if mover else "")
            if again is not None:
                return Ticket(again.id, int(again.left))
            wait = rules.wait_for_number(earlier)
            if wait > 0:
                raise TooManyCodes(wait)
            await self._spend(connection, number)
            await codes.insert_request(
                *(connection,),
                id=id,
                phone=number,
                asker=asker,
                device_id=device_id,
                digest=digest,
                life=rules.LIFE,
                mover=mover,
            )
            return Ticket(id, int(rules.LIFE.total_seconds()))

        ticket = await unit_of_work(self._database, NO_ORGANISATION, work)
        if ticket.request_id == id:
            log.info("code_asked", number=masked(number), request=id, device=device_id)
            self.outbox.put(Item(number, code, id, mover.org_id if mover else ""))
        return ticket

    async def _spend(self, connection: Connection, number: str) -> None:
        budgets = rules.shared_budgets(number, self._home, self._everybody_per_day)
        filled = await codes.spend(connection, {name: budget.share for name, budget in budgets.items()})
        wait = rules.overfull(budgets, filled)
        if wait > 0:
            log.warning("code_budget_spent", names=[n for n, b in budgets.items() if filled[n] > b.window])
            raise TooManyCodes(wait)

    async def try_login(
        self, request_id: str, code: str, *, device_id: str = "", org_id: str = "", gate: Gate | None = None
    ) -> Proved | Wrong | Choose:
        """Try a code; if it is right, say whose number it is. `org_id`: which organisation, where there are several.

        Raises `CodeRefused`, `MoreNeeded`, `TooManyCodes` and `Busy`. Cost: one transaction of two to five statements.
        """

        async def settle(connection: Connection, asked: Asked) -> Proved | Choose | None:
            holders = await codes.holders_of(connection, asked.phone)
            wanted = [holder for holder in holders if org_id in ("", holder.org_id)]
            if not wanted:
                return None
            if len(wanted) > 1:
                return Choose(holders)
            holder = wanted[0]
            await enter(connection, holder.org_id)
            if gate is not None and not await gate(connection, holder.org_id, holder.user_id):
                return None
            return Proved(asked.id, asked.phone, holder.org_id, holder.user_id)

        return await self._try(NO_ORGANISATION, request_id, code, device_id, "", settle)

    async def try_move(
        self, request_id: str, code: str, actor: Actor, move: Callable[[Connection, str], Awaitable[bool]]
    ) -> Proved | Wrong | Choose:
        """Try the code that `actor` asked for to move to a number; if it is right, do `move(connection, number)` with it."""

        async def settle(connection: Connection, asked: Asked) -> Proved | Choose | None:
            if not await move(connection, asked.phone):
                return None
            return Proved(asked.id, asked.phone, actor.org_id, actor.user_id)

        return await self._try(actor.org_id, request_id, code, actor.device_id, actor.session_id, settle)

    async def _try(
        self,
        org_id: str,
        request_id: str,
        code: str,
        device_id: str,
        session_id: str,
        settle: Callable[[Connection, Asked], Awaitable[Proved | Choose | None]],
    ) -> Proved | Wrong | Choose:
        async def work(connection: Connection) -> Proved | Wrong | Choose:
            of_number = await codes.lock_asked(connection, request_id, rules.WITHIN)
            asked = next((each for each in of_number if each.id == request_id), None)
            if asked is None or not _may_be_tried(asked, device_id, session_id):
                raise CodeRefused
            wait = rules.wait_for_tries(of_number)
            if wait > 0:
                raise TooManyCodes(wait)
            is_right = hmac.compare_digest(asked.digest, self._secret.digest(request_id, code))
            settled = await settle(connection, asked) if is_right else None
            if settled is None:
                await codes.count_try(connection, request_id)
                return Wrong(rules.TRIES - asked.tries - 1, asked.phone)
            if isinstance(settled, Proved):
                await codes.use(connection, request_id)
            return settled

        tried = await unit_of_work(self._database, org_id, work)
        if isinstance(tried, Wrong):
            log.info("code_wrong", request=request_id, number=masked(tried.phone), left=tried.left)
        return tried

    async def give_back(self, request_id: str) -> None:
        """Make a code good again: what it was used for did not come about."""
        async with self._database.acquire(NO_ORGANISATION) as connection:
            await codes.give_back(connection, request_id)

    def notify(self, number: str, org_id: str) -> None:
        """Tell a number that its user has moved to another."""
        self.outbox.put(Item(number, org_id=org_id))


def _may_be_tried(asked: Asked, device_id: str, session_id: str) -> bool:
    same_device = asked.device_id in ("", device_id)
    return asked.is_good and asked.tries < rules.TRIES and same_device and asked.session_id == session_id
