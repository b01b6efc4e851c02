"""Crashes in the middle of uploads: kill -9 of the server at random moments, again and again.

What was acknowledged of a file is there after the restart, every file ends as it was declared, and nothing is left in the store
that no record knows. A round ends after a number of acknowledged parts, never after a time. CRASH_ROUNDS sets the number of
rounds (4 by default).
"""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import asyncpg

from sync_server.engine.reclaiming import reclaim
from sync_server.web.uploads import ARRIVALS
from tests.conftest import MakeServerProcess
from tests.harness.pushers import ORG, prepare_organisation
from tests.harness.servers import Server, serve_here
from tests.harness.uploaders import Uploader, office_at_work

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "4"))
PEOPLE = ("p1", "p2", "p3")
PARTS_BETWEEN = 12


async def test_killed_server_keeps_what_it_acknowledged_of_files_and_leaves_nothing_else(
    database_url: str, server_process: MakeServerProcess, tmp_path: Path, seed: int
) -> None:
    await prepare_organisation(database_url, PEOPLE)
    server = await server_process(database_url)
    rng = random.Random(seed)

    async with office_at_work(server.url, PEOPLE, seed) as office:
        for _ in range(ROUNDS):
            await office.progress(PARTS_BETWEEN)
            await asyncio.sleep(
                rng.uniform(0, 0.03)
            )  # less than a part takes: over the rounds every step of one is hit
            await server.kill()
            await server.restart()
        await office.progress(PARTS_BETWEEN)
    await server.kill()

    assert sum(one.interrupted for one in office.people) >= ROUNDS, "nobody noticed the crashes"
    folder = server.data / "attachments"
    async with serve_here(database_url, tmp_path / "after", attachment_store=str(folder)) as after:
        await _let_time_pass(after, database_url)
        for person in office.people:
            await _judge_files(after, person)
    assert _names(folder) == await _known_names(database_url)
    assert not list((folder / "parts").rglob("*/*")), "no folder of an upload is left either"


async def _let_time_pass(after: Server, url: str) -> None:
    """Have the keeper find, as hours later, what nobody finished: first what is whole, then what has ended."""
    assert after.app is not None
    connection = await asyncpg.connect(url)
    try:
        for _ in range(2):
            await connection.execute(
                "UPDATE upload SET claimed_at = claimed_at - interval '1 hour', began_at = began_at - interval '1 hour',"
                " ended_at = ended_at - interval '1 hour'"
            )
            await reclaim(after.app[ARRIVALS])
        assert await connection.fetchval("SELECT count(*) FROM upload") == 0
    finally:
        await connection.close()


async def _judge_files(after: Server, person: Uploader) -> None:
    bearer = await after.bearer(person.name)
    for id, data in person.sent.items():
        async with after.session.get(f"/api/v1/attachments/{id}", headers=bearer) as answer:
            assert (await answer.json())["state"] == "verified"
        async with after.session.post(f"/api/v1/attachments/{id}/link", headers=bearer) as answer:
            url = (await answer.json())["url"]
        async with after.session.get(url) as answer:
            assert await answer.read() == data


def _names(folder: Path) -> set[str]:
    """Name every file of the store, those in writing included."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


async def _known_names(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        rooms = await connection.fetch("SELECT room FROM blob WHERE org_id = $1", ORG)
        return {f"files/o-{ORG}/{row['room']}/whole" for row in rooms}
    finally:
        await connection.close()
