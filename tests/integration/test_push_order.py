"""The order of a device's pushes: an attempt that was given up is not applied after the one that was acknowledged.

Found by tests/integration/test_crashes.py: a phone gave up a push, pulled, sent its edit anew and had it acknowledged, sent the
next; then the first attempt was applied, and the phone's newest edit was gone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sync_server.engine.devices import Overtaken
from sync_server.engine.push import push
from sync_server.store.actor import Actor
from sync_server.store.database import Database
from sync_server.web import keys
from tests.harness.people import ORG, settle
from tests.harness.phones import Phone, phone
from tests.harness.servers import Server
from tests.harness.world import request


@pytest.fixture
async def asha(database: Database, server: Server) -> Phone:
    """A phone that has made a partner, and has it acknowledged."""
    await settle(database)
    async with database.acquire_everywhere() as connection:
        await connection.execute("INSERT INTO organisations (org_id, id, legal_name) VALUES ($1, $1, $1)", ORG)
        await connection.execute(
            "INSERT INTO branches (org_id, id, code, name, state) VALUES ($1, 'b1', 'RJK', $1, 'Gujarat')", ORG
        )
        await connection.execute("UPDATE roles SET codes = codes || '{branch.read_all,branch.write_all}'::text[]")
    device = await phone(server, "asha", "phone-1")
    assert await send(device, await pulled(device), created("p")) == (200, {})
    return device


async def pulled(device: Phone) -> int:
    """Pull; give the cursor."""
    return int((await device.pull(None, 4, None))["timestamp"])


async def send(device: Phone, cursor: int | None, lists: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    path = f"/sync?last_pulled_at={'null' if cursor is None else cursor}"
    answer: tuple[int, dict[str, Any]] = await device.client.ask("POST", path, {"business_partners": lists})
    return answer


def created(id: str) -> dict[str, Any]:
    return {"created": [{"id": id, "branch_id": "b1", "legal_name": "Of Asha", "kind": '["buyer"]'}]}


def email(value: str) -> dict[str, Any]:
    return {"updated": [{"id": "p", "email": f"{value}@b.example", "_changed": "email"}]}


async def stored(database: Database) -> str:
    async with database.acquire_everywhere() as connection:
        return str(await connection.fetchval("SELECT split_part(email, '@', 1) FROM business_partners"))


async def test_an_attempt_from_an_older_pull_takes_nothing_back(database: Database, asha: Phone) -> None:
    given_up = await pulled(asha)
    assert (await send(asha, given_up, email("other")))[0] == 200  # so that the clock moves
    for value in ("first", "second"):
        assert (await send(asha, await pulled(asha), email(value)))[0] == 200

    status, problem = await send(asha, given_up, email("first"))

    assert (status, problem["code"]) == (409, "push_overtaken")
    assert await stored(database) == "second"


async def test_what_was_deleted_since_an_attempt_was_given_up_is_not_made_by_it(
    database: Database, asha: Phone
) -> None:
    """Deleted before its creation was known to have arrived, a record was never there; the attempt would make it."""
    given_up = await pulled(asha)
    assert (await send(asha, given_up, email("moved")))[0] == 200
    assert (await send(asha, await pulled(asha), {"deleted": ["q"]}))[0] == 200

    status, _ = await send(asha, given_up, created("q"))

    assert status == 409
    async with database.acquire_everywhere() as connection:
        assert await connection.fetchval("SELECT count(*) FROM business_partners WHERE id = 'q'") == 0


async def test_of_two_attempts_from_one_pull_the_one_that_arrived_first_is_the_older(
    database: Database, server: Server, asha: Phone
) -> None:
    assert server.app is not None
    actor = Actor(ORG, "u1", asha.client.grant["session_id"], "phone-1")
    cursor = await pulled(asha)
    newer = request(cursor, {"business_partners": email("newer")})
    older = replace(request(cursor, {"business_partners": email("older")}), arrived=newer.arrived - 5)
    standings = server.app[keys.STANDINGS]

    await push(database, standings, actor, newer)
    with pytest.raises(Overtaken):
        await push(database, standings, actor, older)

    assert await stored(database) == "newer"


async def test_several_pushes_from_one_pull_in_any_order_are_all_applied(
    database: Database, server: Server, asha: Phone
) -> None:
    """As a program of an integrator may send them, at once: their records are not the same."""
    assert server.app is not None
    actor = Actor(ORG, "u1", asha.client.grant["session_id"], "phone-1")
    cursor = await pulled(asha)
    for n in range(3):
        wanted = request(cursor, {"business_partners": created(f"q{n}")})
        await push(database, server.app[keys.STANDINGS], actor, replace(wanted, arrived=wanted.arrived - n))

    async with database.acquire_everywhere() as connection:
        assert await connection.fetchval("SELECT count(*) FROM business_partners WHERE id LIKE 'q%'") == 3


async def test_who_was_overtaken_pulls_and_goes_on(database: Database, asha: Phone) -> None:
    """As a phone does that was set back to a backup: it is behind its own pushes, and catches up."""
    backup = await pulled(asha)
    for value in ("one", "two"):
        assert (await send(asha, await pulled(asha), email(value)))[0] == 200
    assert (await send(asha, backup, email("backup")))[0] == 409

    assert (await send(asha, await pulled(asha), email("backup")))[0] == 200

    assert await stored(database) == "backup"


async def test_a_client_that_never_pulls_is_never_overtaken(database: Database, asha: Phone) -> None:
    assert (await send(asha, await pulled(asha), email("pulled")))[0] == 200

    assert (await send(asha, None, created("q")))[0] == 200
