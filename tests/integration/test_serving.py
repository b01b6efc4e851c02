"""Serving: health, readiness, draining, workers (sync_server/app.py, web/health.py, operate/serving.py)."""

from __future__ import annotations

import asyncpg

from tests.harness.servers import Server


async def test_process_answers_that_it_is_alive(server: Server) -> None:
    async with server.session.get("/healthz") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "alive"})


async def test_migrated_database_is_ready(server: Server) -> None:
    async with server.session.get("/readyz") as answer:
        assert answer.status == 200
        assert (await answer.json())["schema"] == "current"


async def test_altered_schema_is_not_ready(server: Server, database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("ALTER TABLE feed DISABLE TRIGGER ALL; CREATE INDEX extra ON feed (author)")
    await connection.close()

    async with server.session.get("/readyz") as answer:
        assert answer.status == 503
        problem = await answer.json()

    assert (problem["code"], problem["schema"]) == ("schema_mismatch", "altered")
