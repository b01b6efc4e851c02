"""Privacy: a person asks to be forgotten, somebody decides, and it is done; and what is known of a person is given to them.

Owns: who may ask for whom, what keeps a person from being forgotten, the list outside of the database.
Must not know: HTTP, SQL, JSON, how a person is forgotten (erasing.py).
Invariant: a person is forgotten only after somebody with the code for it agreed, never while a deal of theirs is under way, and
not before that is in the list that outlives the database (tests/integration/test_privacy_api.py).
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from erp_core.catalogue import BY_NAME
from erp_core.language import Entity
from erp_core.privacy import open_work
from sync_server.engine.entitlements import Entitlements
from sync_server.engine.erasing import Person, erase
from sync_server.engine.gate import require
from sync_server.engine.knowing import Known, what_is_known
from sync_server.engine.reading import entitled_now
from sync_server.engine.standing import Standings
from sync_server.store import log
from sync_server.store import privacy as store
from sync_server.store.actor import Actor
from sync_server.store.database import Connection, Database
from sync_server.store.privacy import Behind, Request
from sync_server.store.unit_of_work import unit_of_work

APPROVE: Final = "privacy.erase_approve"
OWN: Final = "privacy.export_own"
ANY: Final = "privacy.export_any"


class NoSuchPerson(Exception):
    """There is no such person, or not for the asker."""


class AskedAlready(Exception):
    """A request for this person is open."""


class Decided(Exception):
    """Somebody has decided about the request."""


class StillNeeded(Exception):
    """The person cannot be forgotten yet; `because`: (table, id) of what is under way, a few of it."""

    def __init__(self, because: Sequence[tuple[str, str]]) -> None:
        super().__init__("still needed")
        self.because = because


@dataclass(frozen=True, slots=True)
class Stands:
    """How a request stands: `behind`, the devices that have not been told yet; `files`, those not yet removed."""

    request: Request
    behind: Sequence[Behind] = ()
    files: int = 0


@dataclass(frozen=True, slots=True)
class Privacy:
    """The requests of a server's organisations.

    `remember`: writes a decision to the list outside of the database. `forget_copies`: removes the answers kept in files.
    """

    database: Database
    standings: Standings
    remember: Callable[[str, Person, str], Awaitable[None]]
    forget_copies: Callable[[], Awaitable[None]]

    async def ask(self, actor: Actor, entity: str, id: str, reason: str) -> Request:
        """Ask that a person be forgotten: oneself, or one whose record the asker sees. Raises NoSuchPerson, AskedAlready."""

        async def work(connection: Connection) -> Request:
            entitled = await entitled_now(connection, self.standings, actor)
            await _require_seen(connection, actor, entitled, BY_NAME[entity], id)
            request = Request(
                *(secrets.token_hex(8), entity, id, "open", reason, actor.user_id, datetime.now(UTC)),
                *(None, None, None, {}),
            )
            if not await store.insert(connection, actor.org_id, request):
                raise AskedAlready
            return request

        return await unit_of_work(self.database, actor.org_id, work)

    async def list_requests(self, actor: Actor) -> Sequence[Request]:
        """List requests, newest first: one's own; who may decide sees all."""
        async with self.database.snapshot(actor.org_id) as connection:
            entitled = await entitled_now(connection, self.standings, actor)
            own = None if entitled.has(APPROVE) else actor.user_id
            return await store.list_requests(connection, actor.org_id, own)

    async def read(self, actor: Actor, id: str) -> Stands | None:
        """Say how a request stands; None: it is not there, or not for the asker."""
        async with self.database.snapshot(actor.org_id) as connection:
            entitled = await entitled_now(connection, self.standings, actor)
            request = await store.read(connection, actor.org_id, id)
            if request is None or (request.asked_by != actor.user_id and not entitled.has(APPROVE)):
                return None
            if request.position is None:
                return Stands(request)
            behind = await store.list_behind(connection, actor.org_id, request.position)
            return Stands(request, behind, await store.count_files(connection, actor.org_id, id))

    async def export(self, actor: Actor, entity: str, id: str) -> Known:
        """Give everything that is known of a person: oneself, or for who may, one whose record they see.

        Raises NoSuchPerson, `gate.NotEntitled`. Cost: reads the organisation's log once.
        """
        async with self.database.snapshot(actor.org_id) as connection:
            entitled = await entitled_now(connection, self.standings, actor)
            own = entity == "user" and id == actor.user_id
            require(entitled, *((OWN, ANY) if own else (ANY,)))
            await _require_seen(connection, actor, entitled, BY_NAME[entity], id)
            return await what_is_known(connection, actor.org_id, entity, id)

    async def refuse(self, actor: Actor, id: str, reason: str) -> None:
        """Refuse a request, with a reason for who asked. Raises NoSuchPerson, Decided."""

        async def work(connection: Connection) -> bool:
            if await store.read(connection, actor.org_id, id) is None:
                raise NoSuchPerson
            return await store.refuse(connection, actor.org_id, id, actor.user_id, reason)

        if not await unit_of_work(self.database, actor.org_id, work):
            raise Decided

    async def approve(self, actor: Actor, id: str) -> None:
        """Agree to a request, and forget the person at once. Raises NoSuchPerson, Decided, StillNeeded, `Busy`."""
        async with self.database.snapshot(actor.org_id) as connection:
            request = await store.read(connection, actor.org_id, id)
            if request is None:
                raise NoSuchPerson
            if request.state != "open":
                raise Decided
            await _require_unneeded(connection, actor, request)
        person = Person(request.id, request.entity, request.record_id)
        await self.remember(actor.org_id, person, actor.user_id)
        await carry_out(self.database, actor.org_id, person, actor.user_id)
        await self.forget_copies()


async def carry_out(database: Database, org_id: str, person: Person, by: str) -> None:
    """Forget a person to whose request somebody agreed; again, if it was cut off. Raises `Busy`."""
    done = await erase(database, org_id, person)
    who = (person.request_id, person.entity, person.id)
    async with database.acquire_everywhere() as connection:
        await store.finish(connection, org_id, who, by, done.position, done.proof())


async def _require_seen(connection: Connection, actor: Actor, entitled: Entitlements, entity: Entity, id: str) -> None:
    """Raise NoSuchPerson unless the asker sees a person's record, or is the person."""
    state = (await log.read_states(connection, actor.org_id, [(entity.table, id)])).get((entity.table, id))
    own = entity.name == "user" and id == actor.user_id
    if state is None or state.row is None or not (own or entitled.mask(entity, state.scopes)):
        raise NoSuchPerson


async def _require_unneeded(connection: Connection, actor: Actor, request: Request) -> None:
    """Raise StillNeeded while a deal of the person's is under way, or the person would forget themselves."""
    if request.entity == "user" and request.record_id == actor.user_id:
        raise StillNeeded([("users", actor.user_id)])
    if request.entity == "business_partner":
        asked = [(entity.table, field, states) for entity, field, states in open_work()]
        found = await store.list_needed(connection, actor.org_id, request.record_id, asked)
        if found:
            raise StillNeeded(found)
