"""Seeding a real database: the demo is whole, goes on where it stopped, and its people can log in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncpg
import pytest

from erp_core.access import ROLES
from erp_core.catalogue import ENTITIES
from erp_core.demo.people import PEOPLE
from erp_core.demo.reference import ORG_ID, OTHER_ORG_ID
from sync_server.operate import seed as seeding
from sync_server.operate.seed import LOGINS, PASSWORD, seed_database, seed_demo
from sync_server.store.database import Database
from tests.harness.servers import Server


async def counts(url: str, org_id: str = ORG_ID) -> dict[str, int]:
    connection = await asyncpg.connect(url)
    try:
        return {
            entity.table: await connection.fetchval(f"SELECT count(*) FROM {entity.table} WHERE org_id = $1", org_id)
            for entity in ENTITIES
        }
    finally:
        await connection.close()


NOT_SHOWN = {"sync_issues", "matches", "amendments", "samples", "attachments"}
"""Of these the demo has none."""


def documents(found: dict[str, int]) -> int:
    """Add up what the demo counts: everything but people and their rights."""
    return sum(number for table, number in found.items() if table not in ("users", "roles", "grants"))


async def test_the_demo_has_about_as_many_records_as_asked_for(database_url: str) -> None:
    told: list[int] = []

    report = await seed_demo(database_url, records=9_000, progress=told.append)

    found = await counts(database_url)
    note = 1
    assert documents(found) == report.records + note == report.made + note
    assert 9_000 <= report.records <= 9_100
    assert {table for table, number in found.items() if not number} == NOT_SHOWN
    assert told == sorted(told)
    assert told[-1] == report.records


async def test_the_second_organisation_is_tiny(demo_url: str) -> None:
    found = await counts(demo_url, OTHER_ORG_ID)

    assert documents(found) == 2
    assert (found["users"], found["grants"], found["roles"]) == (1, 1, len(ROLES))


@pytest.mark.parametrize("username", list(LOGINS))
async def test_every_demo_user_can_log_in(demo_server: Server, username: str) -> None:
    assert await demo_server.login(username, PASSWORD)


async def test_everybody_has_the_grant_that_goes_with_the_job(demo_url: str) -> None:
    connection = await asyncpg.connect(demo_url)
    try:
        grants = await connection.fetch(
            "SELECT g.user_id, g.role_id, b.name AS branch, g.agent_id, p.kind FROM grants g"
            " LEFT JOIN branches b ON b.org_id = g.org_id AND b.id = g.branch_id"
            " LEFT JOIN business_partners p ON p.org_id = g.org_id AND p.id = g.partner_id"
        )
    finally:
        await connection.close()
    assert {row["user_id"]: tuple(row)[1:] for row in grants} == {
        "agent1": ("agent", "Rajkot", None, None),
        "agent2": ("agent", "Rajkot", None, None),
        "agent3": ("agent", None, "agent3", None),
        "agent4": ("agent", "Akola", None, None),
        "grader1": ("grader", "Rajkot", None, None),
        "dispatcher1": ("dispatcher", "Rajkot", None, None),
        "trader1": ("trader", "Rajkot", None, None),
        "manager": ("manager", None, None, None),
        "admin": ("administrator", None, None, None),
        "accountant": ("accountant", None, None, None),
        "auditor": ("auditor", None, None, None),
        "buyer1": ("external_buyer", None, None, ["buyer"]),
        "seller1": ("external_seller", None, None, ["ginner", "seller"]),
        "other": ("administrator", None, None, None),
    }


async def test_a_demo_of_before_gets_the_people_who_came_since(demo_url: str) -> None:
    connection = await asyncpg.connect(demo_url)
    try:
        await connection.execute("DELETE FROM users WHERE username <> 'agent1'")
        await connection.execute(
            "UPDATE settings SET value = replace(value, 'logins=2', 'logins=1') WHERE key = 'demo.seeded'"
        )
    finally:
        await connection.close()

    assert (await seed_demo(demo_url)).users == len(PEOPLE) - 1
    assert (await seed_demo(demo_url)).users == 0


async def test_seeding_again_changes_nothing(demo_url: str) -> None:
    before = await counts(demo_url)

    again = await seed_demo(demo_url, records=300)

    assert (again.made, again.users) == (0, 0)
    assert await counts(demo_url) == before


async def test_a_start_does_not_grow_a_demo_that_is_complete(demo_url: str) -> None:
    report = await seed_demo(demo_url)

    assert (report.made, report.users) == (0, 0)
    assert 300 <= report.records <= 400


async def test_a_demo_grows_to_what_it_would_have_been(demo_url: str, database_url: str) -> None:
    await seed_demo(demo_url, records=1_000, seed=99)
    await seed_demo(database_url, records=1_000)

    assert await _ids(demo_url) == await _ids(database_url)


async def test_growing_does_not_bring_back_what_was_deleted(demo_url: str) -> None:
    connection = await asyncpg.connect(demo_url)
    try:
        await connection.execute("DELETE FROM requirements")
        await connection.execute("DELETE FROM users WHERE username = 'agent2'")
    finally:
        await connection.close()

    report = await seed_demo(demo_url, records=300)

    assert (await counts(demo_url))["requirements"] == 0
    assert report.users == 0


async def test_without_demo_users_nobody_can_log_in(database_url: str) -> None:
    report = await seed_demo(database_url, records=0, demo_users=False)

    connection = await asyncpg.connect(database_url)
    try:
        assert await connection.fetchval("SELECT count(*) FROM users") == 0
    finally:
        await connection.close()
    assert report.users == 0
    assert (await seed_demo(database_url, records=0)).users == len(PEOPLE)


async def test_an_interrupted_seeding_is_completed(database_url: str) -> None:
    class Killed(Exception):
        pass

    def killed_above(most: int) -> Callable[[int], None]:
        def progress(records: int) -> None:
            if records > most:
                raise Killed

        return progress

    with pytest.raises(Killed):
        await seed_demo(database_url, records=9_000, progress=killed_above(0))
    with pytest.raises(Killed):
        await seed_demo(database_url, progress=killed_above(1_000))
    report = await seed_demo(database_url)

    assert documents(await counts(database_url)) == report.records + 1
    assert report.records >= 9_000


async def test_two_processes_that_seed_at_once_make_one_demo(database_url: str, database: Database) -> None:
    reports = await asyncio.gather(*(seed_database(database, records=9_000) for _ in range(3)))

    assert {report.records for report in reports} == {documents(await counts(database_url)) - 1}
    assert sum(report.users for report in reports) == len(PEOPLE)


async def test_an_organisation_that_lost_its_note_is_left_alone(demo_url: str) -> None:
    connection = await asyncpg.connect(demo_url)
    try:
        await connection.execute("DELETE FROM settings WHERE key = 'demo.seeded'")
    finally:
        await connection.close()
    before = await counts(demo_url)

    report = await seed_demo(demo_url, records=2_000)

    assert (report.made, report.left_alone) == (0, seeding.NOT_OURS)
    assert await counts(demo_url) == before


async def test_no_demo_beside_real_data(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            "INSERT INTO organisations (org_id, id, legal_name) VALUES ('real', 'real', 'Real House')"
        )
    finally:
        await connection.close()

    report = await seed_demo(database_url)

    assert report == seeding.SeedReport(0, 0, 0, seeding.NOT_EMPTY)
    assert sum((await counts(database_url)).values()) == 0


async def _ids(url: str) -> dict[str, list[str]]:
    connection = await asyncpg.connect(url)
    try:
        return {
            entity.table: [
                row["id"]
                for row in await connection.fetch(
                    f"SELECT id FROM {entity.table} WHERE org_id = $1 ORDER BY id", ORG_ID
                )
            ]
            for entity in ENTITIES
        }
    finally:
        await connection.close()


def test_the_logins_are_the_promised_ones() -> None:
    assert list(LOGINS) == [
        *("agent1", "agent2", "agent3", "agent4", "grader1", "dispatcher1", "trader1"),
        *("manager", "admin", "accountant", "auditor", "buyer1", "seller1", "other"),
    ]
    assert seeding.PASSWORD == "cotton-demo"
