"""Organisations and people from the command line (sync_server/operate/people_command.py, people.py, founding.py)."""

from __future__ import annotations

import asyncio
import fcntl
import os
import select
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from erp_core.access import ROLES
from sync_server.operate import people
from sync_server.operate.founding import found_organisation
from sync_server.operate.named import NotDone
from sync_server.operate.people import Asked, NewPerson
from sync_server.store.database import Database
from tests.harness.servers import Server
from tests.integration.test_command_line import cotton_sync, execute

ORG = "vidarbha"
PEOPLE_OF = ("--org", ORG)
SUNITA = (*PEOPLE_OF, "--username", "sunita@vidarbha.example")
ASHA = NewPerson("asha", "Asha Raut", "+916100000101", "wide river, slow boat")


async def read(url: str, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(sql, *arguments)]
    finally:
        await connection.close()


@pytest.fixture
async def house(database_url: str) -> str:
    """URL of a database with an organisation, two branches and two partners."""
    database = await Database.open(database_url, pool_max=2)
    await people.add_organisation(database, ORG, {"legal_name": "Vidarbha Fibres Private Limited"})
    await database.close()
    await execute(
        database_url,
        f"""
        INSERT INTO branches (org_id, id, code, name, state) VALUES
          ('{ORG}', 'b-akola', 'AKL', 'Akola', 'Maharashtra'), ('{ORG}', 'b-wani', 'WNI', 'Wani', 'Maharashtra');
        INSERT INTO business_partners (org_id, id, branch_id, kind, legal_name) VALUES
          ('{ORG}', 'mill', 'b-akola', '{{buyer}}', 'Morna Spinning Mills'),
          ('{ORG}', 'gin1', 'b-akola', '{{ginner}}', 'Purna Gin Press'),
          ('{ORG}', 'gin2', 'b-wani', '{{ginner}}', 'Purna Gin Press');
        """,
    )
    return database_url


@pytest.fixture
async def office(house: str) -> AsyncIterator[Database]:
    database = await Database.open(house, pool_max=3)
    yield database
    await database.close()


# --- Organisations ----------------------------------------------------------------------------------------------------


async def test_organisation_is_founded_with_its_roles(database_url: str) -> None:
    ended = await cotton_sync(
        *("org", "add", "--id", ORG, "--name", "Vidarbha Fibres", "--state", "Maharashtra"), database_url=database_url
    )

    assert (ended.code, ended.out) == (0, "Founded Vidarbha Fibres, id vidarbha.\n"), ended.err
    assert await read(database_url, "SELECT org_id, legal_name, state FROM organisations") == [
        (ORG, "Vidarbha Fibres", "Maharashtra")
    ]
    found = await read(database_url, "SELECT id, title, external, ships, codes FROM roles ORDER BY id")
    assert found == [
        (role.id, role.title, role.external, True, sorted(role.codes))
        for role in sorted(ROLES.values(), key=lambda role: role.id)
    ]

    again = await cotton_sync("org", "add", "--id", ORG, "--name", "Another", database_url=database_url)
    assert (again.code, again.err) == (1, "cotton-sync: There is an organisation of this id.\n")


@pytest.mark.parametrize(
    ("id", "fields", "why"),
    [
        ("two words", {}, "'two words' is no id"),
        ("x1", {"gstin": "24AAAAA0000A1Z5"}, "24AAAAA0000A1Z5 is not a GSTIN"),
        ("x1", {"state": "Gujarat", "gstin": "27AAPFU0939F1ZV"}, "a registration in Maharashtra, not in Gujarat"),
        ("x1", {"state": "Vidarbha"}, "state: "),
    ],
)
async def test_organisation_that_its_declaration_refuses_is_not_founded(
    database: Database, database_url: str, id: str, fields: dict[str, str], why: str
) -> None:
    with pytest.raises(NotDone, match=why):
        await people.add_organisation(database, id, {"legal_name": "Vidarbha Fibres", **fields})

    assert await read(database_url, "SELECT id FROM organisations") == []


async def test_unknown_field_of_an_organisation_is_our_mistake(database: Database) -> None:
    async with database.acquire_everywhere() as connection:
        with pytest.raises(KeyError):
            await found_organisation(connection, org_id="x1", legal_name="X", colour="white")


# --- People -----------------------------------------------------------------------------------------------------------


async def test_person_is_added_with_a_grant_and_logs_in_with_what_was_shown_once(house: str, server: Server) -> None:
    ended = await cotton_sync(
        *("user", "add", *SUNITA, "--name", "Sunita Wankhade", "--role", "agent", "--branch", "AKL"),
        *("--until", "2099-03-31", "--phone", "+916100000101", "--id", "sunita", "--generate-password"),
        database_url=house,
    )

    assert ended.code == 0, ended.err
    first, second = ended.out.splitlines()
    assert first == "Added sunita@vidarbha.example: agent for branch AKL, until 2099-04-01 00:00."
    assert second.startswith("Password, shown this once: ")
    assert await read(house, "SELECT id, username, name, phone, branch_id, is_active FROM users") == [
        ("sunita", "sunita@vidarbha.example", "Sunita Wankhade", "+916100000101", "b-akola", True)
    ]
    last_moment = datetime(2099, 3, 31, 18, 30, tzinfo=UTC)  # midnight in India
    assert await read(house, "SELECT user_id, role_id, branch_id, partner_id, agent_id, valid_until FROM grants") == [
        ("sunita", "agent", "b-akola", None, None, last_moment)
    ]
    password = second.removeprefix("Password, shown this once: ")
    assert await server.login("Sunita@Vidarbha.example", password)
    everything = await read(house, "SELECT row_to_json(e)::text FROM event e")
    assert not any(password in row for (row,) in everything)


async def test_who_may_do_what_is_in_the_log(house: str) -> None:
    database = await Database.open(house, pool_max=2)
    given = await people.add_person(database, ORG, ASHA, Asked("manager"))
    await people.set_active(database, ORG, "asha", active=False)
    await people.take(database, ORG, given.id)
    await database.close()

    found = await read(
        house, "SELECT entity, op::text FROM event WHERE entity IN ('users', 'grants') ORDER BY position"
    )
    assert found == [("users", "i"), ("grants", "i"), ("users", "u"), ("grants", "d")]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (Asked("agent", branch="RJK"), r"There is no branch 'RJK'\. There is: AKL \(Akola\), WNI \(Wani\)\."),
        (Asked("farmer", branch="AKL"), r"There is no role 'farmer'\. There is: .*administrator.*trader"),
        (Asked("external_buyer", partner="nobody"), "There is no partner 'nobody'"),
        (Asked("external_seller", partner="Purna Gin Press"), "Several partners are called 'Purna Gin Press'"),
        (Asked("agent", agent="ravi"), "Nobody of vidarbha has the login name 'ravi'"),
        (Asked("agent", branch="AKL", agent="asha"), "A grant is for one place"),
        (Asked("external_buyer"), "External buyer is a role for the people of a partner"),
        (Asked("external_buyer", branch="AKL"), "External buyer is a role for the people of a partner"),
        (Asked("agent"), "Field agent reaches into no branch by itself"),
        (
            Asked("manager", valid_from=datetime(2027, 1, 2, tzinfo=UTC), valid_until=datetime(2027, 1, 1, tzinfo=UTC)),
            "later",
        ),
    ],
)
async def test_person_with_a_grant_that_cannot_be_is_not_added(
    office: Database, house: str, asked: Asked, why: str
) -> None:
    with pytest.raises(NotDone, match=why):
        await people.add_person(office, ORG, ASHA, asked)

    assert await read(house, "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM login_name)") == [(0, 0)]


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        (Asked("agent", branch="b-wani"), ("WNI", None, None)),
        (Asked("agent", branch="Wani"), ("WNI", None, None)),
        (Asked("agent", agent="asha"), (None, None, "asha")),
        (Asked("agent", partner="mill"), (None, "Morna Spinning Mills", None)),
        (Asked("external_buyer", partner="Morna Spinning Mills"), (None, "Morna Spinning Mills", None)),
        (Asked("Manager"), (None, None, None)),
        (Asked("accountant"), (None, None, None)),
    ],
)
async def test_place_may_be_named_as_people_name_it(
    office: Database, asked: Asked, place: tuple[str | None, ...]
) -> None:
    given = await people.add_person(office, ORG, ASHA, asked)

    assert (given.branch, given.partner, given.agent) == place
    assert await people.list_grants(office, ORG, "asha") == [given]


@pytest.mark.parametrize(
    ("person", "why"),
    [
        (NewPerson("ASHA", "Asha Other", None, None), "Somebody has this login name|somebody of this login name"),
        (NewPerson("ravi", "Ravi Rao", ASHA.phone, None), "Somebody of the organisation has this telephone number"),
        (NewPerson("ravi", "Ravi Rao", "98250", None), "phone: |98250 is not a telephone number"),
        (NewPerson("ravi rao", "Ravi Rao", None, None), "username: "),
        (NewPerson("ravi", "Ravi Rao", None, None, "asha-id"), "somebody of this id"),
    ],
)
async def test_person_who_cannot_be_is_not_added(office: Database, house: str, person: NewPerson, why: str) -> None:
    first = NewPerson(ASHA.username, ASHA.name, ASHA.phone, ASHA.password, "asha-id")
    await people.add_person(office, ORG, first, Asked("manager"))

    with pytest.raises(NotDone, match=why):
        await people.add_person(office, ORG, person, Asked("manager"))

    assert await read(house, "SELECT id FROM users") == [("asha-id",)]


async def test_login_name_of_another_organisation_is_taken(office: Database) -> None:
    await people.add_person(office, ORG, ASHA, Asked("manager"))
    await people.add_organisation(office, "rival", {"legal_name": "Rival Cotton"})

    with pytest.raises(NotDone, match="perhaps in another organisation"):
        await people.add_person(office, "rival", NewPerson("asha", "Asha", None, None), Asked("manager"))


async def test_nobody_reaches_into_another_organisation(office: Database) -> None:
    given = await people.add_person(office, ORG, ASHA, Asked("manager"))
    await people.add_organisation(office, "rival", {"legal_name": "Rival Cotton"})

    with pytest.raises(NotDone, match="Nobody of rival"):
        await people.set_active(office, "rival", "asha", active=False)
    with pytest.raises(NotDone, match="There is no grant"):
        await people.take(office, "rival", given.id)
    with pytest.raises(NotDone, match="There is no branch 'AKL'"):
        await people.add_person(office, "rival", NewPerson("ravi", "Ravi", None, None), Asked("agent", branch="AKL"))
    with pytest.raises(NotDone, match="There is no partner 'mill'"):
        await people.add_person(office, "rival", NewPerson("ravi", "Ravi", None, None), Asked("agent", partner="mill"))
    assert await people.list_grants(office, "rival", None) == []
    with pytest.raises(NotDone, match=r"There is no organisation 'nowhere'\. There is: rival, vidarbha\."):
        await people.list_roles(office, "nowhere")


# --- Passwords --------------------------------------------------------------------------------------------------------


async def test_password_is_never_an_option(house: str) -> None:
    ended = await cotton_sync(
        *("user", "add", *SUNITA, "--name", "Sunita", "--role", "manager", "--password", "wide river, slow boat"),
        database_url=house,
    )

    assert ended.code == 2
    assert "No such option" in ended.err


async def test_person_without_password_has_a_telephone(house: str) -> None:
    given = ("user", "add", *SUNITA, "--name", "Sunita", "--role", "manager", "--no-password")
    refused = await cotton_sync(*given, database_url=house)
    added = await cotton_sync(*given, "--phone", "+916100000101", database_url=house)

    assert (refused.code, added.code) == (1, 0)
    assert "--phone" in refused.err
    assert await read(house, "SELECT password_hash FROM credential") == [(None,)]


def at_a_terminal(url: str, *typed: str) -> tuple[int, str]:
    """Run `user add` on a terminal of its own, type lines when asked for them; give the exit code and what was seen."""
    here, there = os.openpty()

    def take_the_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    command = (*("user", "add", *SUNITA), "--name", "Sunita", "--role", "manager")
    process = subprocess.Popen(
        [sys.executable, "-m", "sync_server", *command],
        stdin=there,
        stdout=there,
        stderr=there,
        start_new_session=True,
        preexec_fn=take_the_terminal,
        env={**os.environ, "COTTON_DATABASE_URL": url},
    )
    os.close(there)
    seen, answered = b"", 0
    while select.select([here], [], [], 60)[0]:
        try:
            read_now = os.read(here, 4096)
        except OSError:  # nobody is at the other end any more
            break
        seen += read_now
        if seen.count(b": ") > answered < len(typed):  # once per question: what is typed before it is thrown away
            os.write(here, f"{typed[answered]}\n".encode())
            answered += 1
    os.close(here)
    return process.wait(60), seen.decode()


async def test_password_that_is_typed_is_not_shown(house: str, server: Server) -> None:
    typed = "wide river, slow boat"
    code, seen = await asyncio.to_thread(at_a_terminal, house, typed, typed)

    assert code == 0, seen
    assert typed not in seen
    assert "Added sunita@vidarbha.example: manager for the whole organisation." in seen
    assert await server.login("sunita@vidarbha.example", typed)


async def test_password_that_everybody_tries_is_refused(house: str) -> None:
    code, seen = await asyncio.to_thread(at_a_terminal, house, "Password1", "Password1")

    assert code == 1
    assert "among those that everybody tries first" in seen
    assert await read(house, "SELECT id FROM users") == []


# --- Locking out ------------------------------------------------------------------------------------------------------


async def test_who_is_disabled_is_out_and_who_is_enabled_may_come_back(
    house: str, office: Database, server: Server
) -> None:
    await people.add_person(office, ORG, ASHA, Asked("manager"))
    assert ASHA.password is not None
    await server.login("asha", ASHA.password)
    of_asha = (*PEOPLE_OF, "--username", "asha")

    disabled = await cotton_sync("user", "disable", *of_asha, database_url=house)
    assert (disabled.code, disabled.out) == (0, "Disabled asha; 1 sessions ended.\n"), disabled.err
    assert await read(house, "SELECT count(*) FROM session WHERE revoked_at IS NULL") == [(0,)]
    with pytest.raises(AssertionError):
        await server.login("asha", ASHA.password)

    enabled = await cotton_sync("user", "enable", *of_asha, database_url=house)
    assert (enabled.code, enabled.out) == (0, "Enabled asha.\n"), enabled.err
    await server.login("asha", ASHA.password)

    ended = await cotton_sync("user", "sessions", "end", *of_asha, database_url=house)
    assert (ended.code, ended.out) == (0, "1 sessions of asha ended.\n"), ended.err
    assert await read(house, "SELECT count(*) FROM session WHERE revoked_at IS NULL") == [(0,)]
    await server.login("asha", ASHA.password)


async def test_disabling_changes_nothing_else(office: Database, house: str) -> None:
    await people.add_person(office, ORG, ASHA, Asked("agent", branch="AKL"))
    columns = "username, name, phone, email, branch_id, language, created_at"
    before = await read(house, f"SELECT {columns} FROM users")

    await people.set_active(office, ORG, "asha", active=False)

    assert await read(house, f"SELECT {columns} FROM users WHERE NOT is_active") == before


# --- Roles and grants -------------------------------------------------------------------------------------------------


async def test_roles_are_listed_with_their_codes(house: str) -> None:
    ended = await cotton_sync("role", "list", *PEOPLE_OF, database_url=house)

    assert ended.code == 0, ended.err
    for role in ROLES.values():
        side = "people of partners" if role.external else "people of the house"
        assert f"{role.id}: {role.title}, for {side}\n    {' '.join(sorted(role.codes))}\n" in ended.out


async def test_grants_are_given_listed_and_taken(house: str, office: Database) -> None:
    await people.add_person(office, ORG, ASHA, Asked("agent", branch="AKL"))
    of_asha = (*PEOPLE_OF, "--username", "asha")

    given = await cotton_sync(
        *("grant", "give", *of_asha, "--role", "grader", "--branch", "WNI"),
        *("--from", "2026-12-01", "--until", "2026-12-31"),
        database_url=house,
    )
    assert given.code == 0, given.err
    id, _, words = given.out.partition(": ")
    assert words == "asha is grader for branch WNI, from 2026-12-01 00:00, until 2027-01-01 00:00.\n"

    listed = await cotton_sync("grant", "list", *of_asha, database_url=house)
    assert [line.partition(": ")[2] for line in listed.out.splitlines()] == [
        "asha is agent for branch AKL",
        "asha is grader for branch WNI, from 2026-12-01 00:00, until 2027-01-01 00:00",
    ]

    taken = await cotton_sync("grant", "take", *PEOPLE_OF, id, database_url=house)
    assert taken.code == 0, taken.err
    assert taken.out.startswith("asha is no longer grader for branch WNI")
    assert [grant.role for grant in await people.list_grants(office, ORG, None)] == ["agent"]

    again = await cotton_sync("grant", "take", *PEOPLE_OF, id, database_url=house)
    assert (again.code, again.err) == (
        1,
        f"cotton-sync: There is no grant {id}; `cotton-sync grant list` shows them.\n",
    )
