"""What the office does with organisations and people, by the names that people type.

Owns: checking what is about to be written by its declaration, and writing it.
Must not know: options, terminals (people_command.py), SQL, how a name is found (named.py).
Invariant: what the catalogue's rules refuse is not written, and everything that is written is in the log
(tests/integration/test_people_command.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import asyncpg

from erp_core.access import codes_across_branches
from erp_core.entities.grant import GRANT
from erp_core.entities.organisation import ORGANISATION
from erp_core.entities.user import USER
from erp_core.language import Entity
from erp_core.values import SAFE_ID, Row, Unreadable
from sync_server.identity import sessions
from sync_server.identity.people import add_user, login_name
from sync_server.operate import named
from sync_server.operate.founding import found_organisation
from sync_server.operate.named import NotDone
from sync_server.store import log, roster, rows
from sync_server.store.database import Connection, Database
from sync_server.store.roster import ListedGrant, ListedRole

BY: Final = "command line"
"""Who ended a session, where a person of the organisation would stand."""

_IN_BRANCHES: Final = frozenset({"partner.read", "desk.read", "quality.write", "dispatch.write"})
"""Codes that show what belongs to a branch."""

_TAKEN: Final = {
    "users_username_key": "The organisation has somebody of this login name.",
    "login_name_pkey": "Somebody has this login name, perhaps in another organisation; choose another.",
    "users_phone_key": "Somebody of the organisation has this telephone number.",
    "users_pkey": "The organisation has somebody of this id.",
    "organisations_pkey": "There is an organisation of this id.",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A grant as it was asked for: a role, at most one place by its name, and the moments between which it holds."""

    role: str
    branch: str | None = None
    partner: str | None = None
    agent: str | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    @property
    def place(self) -> str | None:
        return self.branch or self.partner or self.agent


@dataclass(frozen=True, slots=True)
class NewPerson:
    """A person to add; `password` None: codes by telephone only."""

    username: str
    name: str
    phone: str | None
    password: str | None
    id: str | None = None


# --- Organisations ----------------------------------------------------------------------------------------------------


async def add_organisation(database: Database, org_id: str, fields: Mapping[str, str | None]) -> None:
    """Found an organisation; `fields` by their names in the declaration. Raises NotDone."""
    if SAFE_ID.fullmatch(org_id) is None:
        raise NotDone(f"{org_id!r} is no id: 1 to 64 letters, digits, _ . and -")
    row = {**ORGANISATION.empty(), **fields}
    _check(ORGANISATION, row)
    given: dict[str, Any] = {field.name: row[field.name] for field in ORGANISATION.fields}
    async with database.acquire_everywhere() as connection:
        try:
            await found_organisation(connection, org_id=org_id, **given)
        except asyncpg.UniqueViolationError as taken:
            raise _taken(taken) from taken


# --- People -----------------------------------------------------------------------------------------------------------


async def add_person(database: Database, org_id: str, person: NewPerson, asked: Asked) -> ListedGrant:
    """Add a person with a first grant, wholly or not at all; give the grant. Raises NotDone."""
    user_id = person.id or uuid.uuid4().hex
    async with database.acquire_everywhere() as connection:
        await named.known_organisation(connection, org_id)
        try:
            async with connection.transaction():
                branch = await named.branch_of(connection, org_id, asked.branch)
                row = {"username": login_name(person.username), "name": person.name, "phone": person.phone}
                _check(USER, {**USER.empty(), **row})
                await add_user(
                    connection,
                    org_id=org_id,
                    user_id=user_id,
                    username=person.username,
                    name=person.name,
                    password=person.password,
                    branch_id=branch,
                    phone=person.phone,
                )
                return await _give(connection, org_id, user_id, asked)
        except asyncpg.UniqueViolationError as taken:
            raise _taken(taken) from taken


async def set_active(database: Database, org_id: str, username: str, active: bool) -> int:
    """Let a user in again, or lock the user out and end the sessions; give how many ended. Raises NotDone."""
    async with database.acquire_everywhere() as connection, connection.transaction():
        user = await named.user_of(connection, org_id, username)
        await rows.lock(connection, USER, org_id, [user.id])
        ((_, state),) = (await log.read_states(connection, org_id, [(USER.table, user.id)])).items()
        assert state.row is not None, "it is there, and locked"
        changed = {**state.row, "is_active": active, "updated_at": None, "updated_by": None}
        await rows.update(connection, USER, org_id, {user.id: changed})
    return 0 if active else await _end_sessions(database, org_id, user.id, "disabled")


async def end_sessions(database: Database, org_id: str, username: str) -> int:
    """End all sessions of a user; give how many there were. Raises NotDone."""
    async with database.acquire_everywhere() as connection:
        user = await named.user_of(connection, org_id, username)
    return await _end_sessions(database, org_id, user.id, "ended")


async def _end_sessions(database: Database, org_id: str, user_id: str, why: str) -> int:
    return len(await sessions.end_sessions(database, org_id, user_id, ended_by=why, by=BY))


# --- Grants -----------------------------------------------------------------------------------------------------------


async def list_roles(database: Database, org_id: str) -> Sequence[ListedRole]:
    """Give the roles of an organisation. Raises NotDone."""
    async with database.acquire_everywhere() as connection:
        await named.known_organisation(connection, org_id)
        return await roster.list_roles(connection, org_id)


async def list_grants(database: Database, org_id: str, username: str | None) -> Sequence[ListedGrant]:
    """Give the grants of an organisation, or of one user. Raises NotDone."""
    async with database.acquire_everywhere() as connection:
        await named.known_organisation(connection, org_id)
        user = None if username is None else await named.user_of(connection, org_id, username)
        return await roster.list_grants(connection, org_id, user_id=None if user is None else user.id)


async def give(database: Database, org_id: str, username: str, asked: Asked) -> ListedGrant:
    """Give a user a grant. Raises NotDone."""
    async with database.acquire_everywhere() as connection, connection.transaction():
        user = await named.user_of(connection, org_id, username)
        return await _give(connection, org_id, user.id, asked)


async def take(database: Database, org_id: str, grant_id: str) -> ListedGrant:
    """Take a grant away, and give what it was. Raises NotDone."""
    async with database.acquire_everywhere() as connection, connection.transaction():
        await named.known_organisation(connection, org_id)
        await rows.lock(connection, GRANT, org_id, [grant_id])
        found = await roster.list_grants(connection, org_id, grant_id=grant_id)
        if not found:
            raise NotDone(f"There is no grant {grant_id}; `cotton-sync grant list` shows them.")
        await rows.delete(connection, GRANT, org_id, [grant_id])
        return found[0]


async def _give(connection: Connection, org_id: str, user_id: str, asked: Asked) -> ListedGrant:
    role = await named.role_of(connection, org_id, asked.role)
    if asked.place is None and _of_branches(role):
        raise NotDone(
            f"{role.title} reaches into no branch by itself; give --branch, --partner or --agent, or another role."
        )
    row = GRANT.empty() | {
        "user_id": user_id,
        "role_id": role.id,
        "branch_id": await named.branch_of(connection, org_id, asked.branch),
        "partner_id": await named.partner_of(connection, org_id, asked.partner),
        "agent_id": None if asked.agent is None else (await named.user_of(connection, org_id, asked.agent)).id,
        "valid_from": asked.valid_from,
        "valid_until": asked.valid_until,
    }
    _check(GRANT, row, {("role", role.id): {"title": role.title, "external": role.external}})
    id = uuid.uuid4().hex
    await rows.insert(connection, GRANT, org_id, {id: row})
    (given,) = await roster.list_grants(connection, org_id, grant_id=id)
    return given


def _of_branches(role: ListedRole) -> bool:
    """Say whether a role is for records of branches, and reaches none of them when it is given for the organisation."""
    codes = frozenset(role.codes)
    return not role.external and bool(codes & _IN_BRANCHES) and not codes_across_branches(codes)


# --- What is written --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Known:
    """The world of a rule that looks at the records it names only."""

    rows: Mapping[tuple[str, str], Row]
    today: date = date.min

    def get(self, entity: str, id: str | None) -> Row | None:
        return None if id is None else self.rows.get((entity, id))

    def siblings(self, entity: str, field: str, id: str | None) -> Sequence[Row]:
        raise AssertionError(f"what the office adds gathers nothing, but {entity} with {field} {id} was asked for")


def _check(entity: Entity, row: Row, known: Mapping[tuple[str, str], Row] | None = None) -> None:
    """Refuse a new row that its declaration refuses. Raises NotDone."""
    for field in entity.fields:
        if isinstance(row[field.name], str):
            try:
                field.type.read(row[field.name])
            except Unreadable as wrong:
                raise NotDone(f"{field.name}: {wrong}") from wrong
    world = _Known(known or {}, datetime.now(UTC).date())
    faults = [violation.sentence for rule in entity.rules for violation in rule(row, None, world)]
    if faults:
        raise NotDone(" ".join(faults))


def _taken(violation: asyncpg.UniqueViolationError) -> NotDone:
    return NotDone(_TAKEN.get(violation.constraint_name, str(violation)))
