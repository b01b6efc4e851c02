"""The second wall: row-level security and a role that owns nothing (docs/decisions/0011-walls.md).

Two organisations have records under the same ids; every text of B carries a canary. The first wall, the organisation in every
statement, is taken away by rewriting statements on their way to PostgreSQL; the second by lending connections of the owner.
Either wall alone must hold, and with both down the same tests must see the leak.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from erp_core.catalogue import BY_TABLE, ENTITIES
from migrations.walls import MAKE_ROLE_V1
from sync_server.engine.listing import Asked, read_page
from sync_server.operate.postgres import Cluster
from sync_server.operate.setup import role_fault
from sync_server.operate.standing import report
from sync_server.store import log, registry, rows, sessions
from sync_server.store.database import APP_ROLE, NO_ORGANISATION, Connection, Database, RoleMissing, _AppConnection
from sync_server.store.unit_of_work import enter, unit_of_work
from sync_server.web import keys
from tests.harness.servers import Server
from tests.harness.stock import StockClient
from tests.harness.world import ORG, OTHER_ORG, House, contact, partner

CANARY = "canary-51c2"
PARTNER = BY_TABLE["business_partners"]
ONLY_B = f"only-{CANARY}"


# --- Walls that can be taken away -------------------------------------------------------------------------------------


class _Forgetful:
    """A connection that forgets to ask for its organisation where records, labels, sessions and devices are read or deleted."""

    FILTER = re.compile(
        r"\b[flds]\.org_id = \$1|(?<=FROM feed WHERE )org_id = \$1|(?<=FROM business_partners WHERE )org_id = \$1"
    )
    FORGETS = ("fetch", "fetchrow", "fetchval", "execute", "copy_from_query")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._connection, name)
        if name not in self.FORGETS:
            return method
        return lambda sql, *values, **named: method(self.FILTER.sub("$1::text IS NOT NULL", sql), *values, **named)


class Planted(Database):
    """A database without one of its walls, or without both."""

    first = True
    second = True

    @asynccontextmanager
    async def acquire(self, org_id: str) -> AsyncIterator[Connection]:
        lent = super().acquire(org_id) if self.second else self.acquire_everywhere()
        async with lent as connection:
            yield connection if self.first else _Forgetful(connection)


MakePlanted = Callable[..., Awaitable[Planted]]


@pytest.fixture
async def planted(database_url: str) -> AsyncIterator[MakePlanted]:
    made: list[Planted] = []

    async def make(*, first: bool = True, second: bool = True) -> Planted:
        database = await Planted.open(database_url, pool_max=2)
        assert isinstance(database, Planted)
        database.first, database.second = first, second
        made.append(database)
        return database

    yield make
    for database in made:
        await database.close()


@pytest.fixture
async def both(database: Database, tmp_path: Path) -> tuple[House, House]:
    """A and B with a partner and a contact under the same ids; B has another partner, and its agent a phone."""
    houses = await House.settle(database, tmp_path, ORG), await House.settle(database, tmp_path, OTHER_ORG)
    for house in houses:
        mark = CANARY if house.org_id == OTHER_ORG else "ours"
        made = {
            "business_partners": {"created": [partner("p", legal_name=f"{mark} p")]},
            "partner_contacts": {"created": [contact("c", "p", name=f"{mark} c")]},
        }
        await house.push(house.actor("agent1", f"phone-of-{mark}"), await house.clock(), made)
    b = houses[1]
    await b.add_partners(ONLY_B)
    await b.run(
        f"INSERT INTO device (org_id, id, user_id, name) VALUES ('{OTHER_ORG}', '{CANARY}', 'agent1', '{CANARY}');"
        f"INSERT INTO session (org_id, id, user_id, device_id, expires_at) VALUES"
        f" ('{OTHER_ORG}', '{CANARY}', 'agent1', '{CANARY}', now() + interval '1 day')"
    )
    return houses


# --- What somebody of A does, and what it says ------------------------------------------------------------------------

Act = Callable[[House], Awaitable[Any]]


async def first_sync(a: House) -> Any:
    return await a.pull(a.actor())


async def delta(a: House) -> Any:
    return await a.pull(a.actor(), (2 << 40) + 1)


async def list_over_rest(a: House) -> Any:
    return await read_page(a.database, a.standings, a.actor(), "business_partners", Asked(limit=100))


async def state_for_a_merge(a: House) -> Any:
    async with a.database.acquire(a.org_id) as connection:
        return await log.read_states(connection, a.org_id, [("business_partners", "p"), ("business_partners", ONLY_B)])


async def holders_of_a_value(a: House) -> Any:
    async with a.database.acquire(a.org_id) as connection:
        return await rows.ids_by(connection, PARTNER, "legal_name", a.org_id, [f"Partner {ONLY_B}"])


async def devices_of_everybody(a: House) -> Any:
    async with a.database.acquire(a.org_id) as connection:
        return await registry.list_devices(connection, a.org_id, None)


async def sessions_of_a_namesake(a: House) -> Any:
    async with a.database.acquire(a.org_id) as connection:
        return await sessions.list_sessions(connection, a.org_id, "agent1")


ACTS: Final[tuple[Act, ...]] = (
    first_sync,
    delta,
    list_over_rest,
    state_for_a_merge,
    holders_of_a_value,
    devices_of_everybody,
    sessions_of_a_namesake,
)


async def _said(act: Act, both: tuple[House, House], database: Database) -> str:
    a = both[0]
    return str(await act(House(database, a.room, a.org_id, a.standings)))


@pytest.mark.parametrize("act", ACTS)
async def test_either_wall_alone_keeps_the_other_organisation_out(
    act: Act, both: tuple[House, House], planted: MakePlanted
) -> None:
    assert CANARY not in await _said(act, both, await planted(first=False))
    assert CANARY not in await _said(act, both, await planted(second=False))


@pytest.mark.parametrize("act", ACTS)
async def test_without_both_walls_the_leak_is_seen(act: Act, both: tuple[House, House], planted: MakePlanted) -> None:
    """Or the test above would prove nothing."""
    assert CANARY in await _said(act, both, await planted(first=False, second=False))


@pytest.mark.parametrize("second", [True, False])
async def test_a_deletion_that_forgets_its_organisation_deletes_nothing_of_another(
    second: bool, both: tuple[House, House], planted: MakePlanted
) -> None:
    database = await planted(first=False, second=second)

    async with database.acquire(ORG) as connection:
        await rows.delete(connection, PARTNER, ORG, [ONLY_B])

    assert (ONLY_B in await both[1].ids("business_partners")) is second


@pytest.mark.parametrize("second", [True, False])
async def test_a_record_cannot_be_written_into_another_organisation(
    second: bool, both: tuple[House, House], planted: MakePlanted
) -> None:
    made = {"smuggled": {**PARTNER.empty(), "branch_id": "b1", "legal_name": "Smuggled", "kind": ("buyer",)}}
    database = await planted(second=second)
    written: Any = None

    async with database.acquire(ORG) as connection:
        try:
            await rows.insert(connection, PARTNER, OTHER_ORG, made)
        except asyncpg.InsufficientPrivilegeError as refusal:
            written = refusal

    assert (written is not None) is second
    assert ("smuggled" not in await both[1].ids("business_partners")) is second


async def test_the_answers_over_http_are_right_with_both_walls(both: tuple[House, House], server: Server) -> None:
    """The second wall takes nothing away that is one's own."""
    answer = await StockClient(server, both[0].actor()).pull(None)

    named = [record["legal_name"] for record in answer["changes"]["business_partners"]["created"]]
    assert named == ["ours p"]


# --- Whom a connection works for --------------------------------------------------------------------------------------


async def _seen_organisations(connection: Connection) -> set[str]:
    return {row["org_id"] for row in await connection.fetch("SELECT DISTINCT org_id FROM feed")}


async def test_a_connection_sees_the_organisation_it_was_lent_for_and_no_other(
    both: tuple[House, House], database_url: str
) -> None:
    database = await Database.open(database_url, pool_max=1)
    for org_id in (ORG, OTHER_ORG, OTHER_ORG, NO_ORGANISATION, ORG, "no such", "o'; RESET ROLE; --"):
        async with database.acquire(org_id) as connection:
            assert await _seen_organisations(connection) == {org_id} & {ORG, OTHER_ORG}
        async with database.snapshot(org_id) as connection:
            assert await _seen_organisations(connection) == {org_id} & {ORG, OTHER_ORG}
    async with database.acquire_everywhere() as connection:
        assert await _seen_organisations(connection) == {ORG, OTHER_ORG}
    await database.close()


async def test_a_fresh_connection_of_the_role_sees_nothing(both: tuple[House, House], database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(f"SET ROLE {APP_ROLE}")

    tables = [entity.table for entity in ENTITIES] + [
        "feed",
        "event",
        "label",
        "hold",
        "session",
        "device",
        "org_clock",
    ]
    assert {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in tables} == dict.fromkeys(
        tables, 0
    )
    await connection.close()


async def test_a_unit_that_learns_whose_it_is_sees_that_organisation_until_it_ends(
    both: tuple[House, House], database_url: str
) -> None:
    database = await Database.open(database_url, pool_max=1)

    async def work(connection: Connection) -> tuple[set[str], set[str]]:
        before = await _seen_organisations(connection)
        await enter(connection, OTHER_ORG)
        return before, await _seen_organisations(connection)

    assert await unit_of_work(database, NO_ORGANISATION, work) == (set(), {OTHER_ORG})
    async with database.acquire(NO_ORGANISATION) as connection:
        assert await _seen_organisations(connection) == set()
    await database.close()


async def test_a_change_of_organisation_that_was_cut_off_is_made_again(
    both: tuple[House, House], database_url: str
) -> None:
    database = await Database.open(database_url, pool_max=1)
    async with database.acquire(ORG):
        pass
    async with database.acquire_everywhere() as other:  # nothing waits for it: it only makes the loop turn
        entering = asyncio.ensure_future(_once(database.acquire(OTHER_ORG)))
        await asyncio.sleep(0)
        entering.cancel()
        await asyncio.wait({entering})
        assert await _seen_organisations(other) == {ORG, OTHER_ORG}

    for org_id in (ORG, OTHER_ORG):
        async with database.acquire(org_id) as connection:
            assert await _seen_organisations(connection) == {org_id}
    await database.close()


async def _once(lent: AbstractAsyncContextManager[Connection]) -> None:
    async with lent:
        pass


async def test_requests_of_one_organisation_in_a_row_cost_no_statement_more(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: list[str] = []
    database = await Database.open(database_url, pool_max=1)
    fetchval = asyncpg.Connection.fetchval

    async def counted(self: Any, sql: str, *values: Any) -> Any:
        changes.append(values[0])
        return await fetchval(self, sql, *values)

    monkeypatch.setattr(_AppConnection, "fetchval", counted, raising=False)
    for org_id in ("a", "a", "a", "b", "b", "a"):
        async with database.acquire(org_id):
            pass

    assert changes == ["a", "b", "a"]
    await database.close()


# --- The role ---------------------------------------------------------------------------------------------------------


async def _acting(database: Database, connections: int) -> set[str]:
    """Name who the connections act as that `database` lends at the same time."""
    acting: set[str] = set()
    together = asyncio.Barrier(connections)

    async def ask() -> None:
        async with database.acquire(ORG) as connection:
            acting.add(await connection.fetchval("SELECT current_user"))
            await together.wait()

    await asyncio.gather(*(ask() for _ in range(connections)))
    return acting


async def test_every_connection_that_is_lent_acts_as_the_role(server: Server) -> None:
    assert server.app is not None
    database = server.app[keys.DATABASE]

    assert await _acting(database, 3) == {APP_ROLE}
    async with database.acquire_everywhere() as owner:
        await owner.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await asyncio.sleep(0.1)
    assert await _acting(database, 3) == {APP_ROLE}, "those that were made in place of the old ones too"


async def test_a_server_that_forgot_to_become_the_role_would_be_noticed(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forget(_connection: Connection) -> None:
        return None

    monkeypatch.setattr(_AppConnection, "become_app", forget)
    database = await Database.open(database_url, pool_max=1)

    assert await _acting(database, 1) != {APP_ROLE}
    await database.close()


async def test_a_server_that_may_not_act_as_the_role_does_not_start(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync_server.store.database.APP_ROLE", "pg_signal_backend")  # is there, and not ours
    with pytest.raises(RoleMissing, match="GRANT"):
        await Database.open(database_url, pool_max=1)
    monkeypatch.setattr("sync_server.store.database.APP_ROLE", "no_such_role")
    with pytest.raises(RoleMissing, match="CREATE ROLE"):
        await Database.open(database_url, pool_max=1)


async def test_the_doctor_is_told_whether_the_role_is_there(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await role_fault(database_url) is None
    for role in ("pg_signal_backend", "no_such_role"):
        monkeypatch.setattr("sync_server.store.walls.APP_ROLE", role)
        assert "CREATE ROLE" in (await role_fault(database_url) or "")


OWNS: Final = """
SELECT d.classid::regclass::text, d.objid FROM pg_shdepend d
WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = $1::text::regrole AND d.deptype = 'o'
"""
RIGHTS: Final = """
SELECT c.relname AS "table", acl.privilege_type AS right, '' AS column
FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) acl
WHERE c.relnamespace = 'public'::regnamespace AND acl.grantee IN (0, $1::text::regrole)
UNION ALL
SELECT c.relname, acl.privilege_type, a.attname
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid CROSS JOIN LATERAL aclexplode(a.attacl) acl
WHERE c.relnamespace = 'public'::regnamespace AND acl.grantee IN (0, $1::text::regrole)
"""
ONLY_READ: Final = ("event", "feed", "label", "assignment", "epoch_fork", "schema_stamp", "alembic_version")
NEVER_TOUCHED: Final = ("login_name", "app_user", "pgqueuer", "pgqueuer_log", "pgqueuer_schedules")
APPENDED: Final = ("security_event", "correction")
LOOK_UPS: Final = {"find_login", "find_login_holder", "find_people_by_phone", "is_known_installation", "search_names"}
CALLED: Final = {*LOOK_UPS, "ask_job", "list_jobs"}


async def _rights(owner: Connection) -> dict[str, set[str]]:
    given: dict[str, set[str]] = {}
    for row in await owner.fetch(RIGHTS, APP_ROLE):
        right = f"{row['right']} ({row['column']})" if row["column"] else row["right"]
        given.setdefault(row["table"], set()).add(right)
    return given


async def test_the_role_owns_nothing_and_is_nobody_special(database: Database) -> None:
    async with database.acquire_everywhere() as owner:
        role = await owner.fetchrow(
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls FROM pg_roles"
            " WHERE rolname = $1",
            APP_ROLE,
        )
        member_of = await owner.fetch("SELECT roleid FROM pg_auth_members WHERE member = $1::text::regrole", APP_ROLE)

        assert not any(role)
        assert member_of == []
        assert await owner.fetch(OWNS, APP_ROLE) == []
        assert not await owner.fetchval("SELECT has_schema_privilege($1, 'public', 'CREATE')", APP_ROLE)
        assert not await owner.fetchval("SELECT has_database_privilege($1, current_database(), 'CREATE')", APP_ROLE)


async def test_the_role_has_no_right_that_it_should_not_have(database: Database) -> None:
    async with database.acquire_everywhere() as owner:
        given = await _rights(owner)

    assert {
        right for rights in given.values() for right in rights if right in ("TRUNCATE", "REFERENCES", "TRIGGER")
    } == set()
    assert {table: given[table] for table in ONLY_READ} == {key: {"SELECT"} for key in ONLY_READ}
    assert {table: given.get(table) for table in NEVER_TOUCHED} == dict.fromkeys(NEVER_TOUCHED)
    assert {table: given[table] for table in APPENDED} == {key: {"SELECT", "INSERT"} for key in APPENDED}
    assert given["org_clock"] == {"SELECT", "INSERT (org_id)", "INSERT (seq)", "UPDATE (seq)", "UPDATE (rights)"}
    records = {entity.table for entity in ENTITIES}
    assert {table: given[table] for table in records} == {
        key: {"SELECT", "INSERT", "UPDATE", "DELETE"} for key in records
    }


async def test_the_role_calls_nothing_that_acts_as_the_owner_but_the_look_ups_and_the_queue(database: Database) -> None:
    async with database.acquire_everywhere() as owner:
        may_call = await owner.fetch(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef"
            " AND prorettype <> 'trigger'::regtype AND has_function_privilege($1, oid, 'EXECUTE')",
            APP_ROLE,
        )

    assert {row["proname"] for row in may_call} == CALLED, "see migrations/walls.py:close_functions"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET actor = 'somebody else'",
        "DELETE FROM event",
        "TRUNCATE event",
        "INSERT INTO event (org_id, position, entity, record_id, op, at) VALUES ('org_a', 1, 'x', 'x', 'i', now())",
        "UPDATE feed SET payload = NULL",
        "DELETE FROM label",
        "UPDATE security_event SET detail = ''",
        "DELETE FROM security_event",
        "SELECT salt FROM event_seal",
        "UPDATE seal_head SET position = 0",
        "UPDATE org_clock SET floor = 0",
        "UPDATE org_clock SET epoch = epoch + 1",
        "DELETE FROM hold",
        "UPDATE session SET user_id = 'administrator'",
        "INSERT INTO device (org_id, id, user_id) VALUES ('org_b', 'mine', 'agent1')",
        "SELECT * FROM login_name",
        "ALTER TABLE event DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE business_partners DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "CREATE TABLE public.mine (id text)",
        "CREATE POLICY all_of_it ON feed USING (true)",
    ],
)
async def test_the_log_and_the_walls_are_not_the_roles_to_change(both: tuple[House, House], statement: str) -> None:
    async with both[0].database.acquire(ORG) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


# --- The migration ----------------------------------------------------------------------------------------------------


async def test_a_wall_that_was_taken_down_by_hand_is_told(database: Database, database_url: str) -> None:
    for sql, said in (
        ("DROP POLICY walls ON feed", "policy feed.walls dropped"),
        ("GRANT DELETE ON event TO cotton_app", "rights event changed"),
        ("ALTER TABLE trades DISABLE ROW LEVEL SECURITY", "relation trades changed"),
    ):
        async with database.acquire_everywhere() as owner:
            await owner.execute(sql)
        assert said in (await report(database_url)).sentence


async def test_databases_migrated_side_by_side_share_the_role(
    make_database: Callable[[str | None], Awaitable[str]], cluster: Cluster
) -> None:
    admin = await asyncpg.connect(cluster.url("postgres", admin=True))
    other = f"cotton_app_{random.randrange(2**32)}"
    script = MAKE_ROLE_V1.replace("cotton_app", other)
    await admin.execute(f"CREATE ROLE {other}_maker CREATEROLE; GRANT {other}_maker TO postgres")

    async def make() -> None:
        connection = await asyncpg.connect(cluster.url("postgres", admin=True))
        await connection.execute(f"SET SESSION AUTHORIZATION {other}_maker")
        await connection.execute(script)
        await connection.execute(f"SET ROLE {other}")
        await connection.close()

    try:
        await asyncio.gather(*(make() for _ in range(8)))
    finally:
        await admin.execute(f"DROP ROLE IF EXISTS {other}; DROP ROLE {other}_maker")
        await admin.close()


async def test_who_may_not_make_the_role_is_told_what_an_administrator_runs(empty_url: str) -> None:
    connection = await asyncpg.connect(empty_url)
    with pytest.raises(asyncpg.InsufficientPrivilegeError) as refused:
        await connection.execute(MAKE_ROLE_V1.replace("cotton_app", "cotton_other"))
    await connection.close()

    assert "CREATE ROLE cotton_other NOLOGIN; GRANT cotton_other TO cotton;" in str(refused.value)
