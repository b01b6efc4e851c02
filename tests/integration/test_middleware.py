"""The log of the whole server: secrets that pass through it are planted, and then looked for."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import orjson
import pytest
import structlog

from sync_server import log
from sync_server.identity.people import add_user
from sync_server.store.database import Database
from tests.harness.servers import Server

CANARY = "canary-5f2c"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    written = io.StringIO()
    log.configure("debug", written)
    yield written
    root.handlers[:], root.level = before
    structlog.reset_defaults()


async def test_no_password_token_or_body_reaches_the_log(
    database: Database, server: Server, lines: io.StringIO
) -> None:
    password = CANARY + "-password"
    async with database.acquire_everywhere() as connection:
        await add_user(
            connection,
            org_id="org",
            user_id="u1",
            username="asha",
            name="Asha",
            password=password,
        )
    grant = await server.grant("asha", password)
    bearer = {"Authorization": f"Bearer {grant['access_token']}"}
    requests = [
        ("/api/v1/auth/login", {"username": "asha", "password": CANARY + "-wrong"}, {}),
        ("/api/v1/auth/login", {"username": CANARY + "-name", "password": 7}, {}),
        ("/api/v1/auth/refresh", {"refresh_token": grant["refresh_token"]}, {}),
        ("/api/v1/auth/refresh", {"refresh_token": grant["refresh_token"]}, {}),
        ("/api/v1/sync", {CANARY + "-table": {"created": []}}, bearer),
        ("/api/v1/sync?last_pulled_at=" + CANARY, {"trades": CANARY}, bearer),
        ("/api/v1/sync", {}, {"Authorization": bearer["Authorization"] + "x"}),
        ("/api/v1/sync", {}, {"Authorization": "Basic " + CANARY, "Cookie": "session=" + CANARY}),
    ]
    statuses = []
    for path, body, headers in requests:
        async with server.session.post(path, json=body, headers=headers) as answer:
            statuses.append(answer.status)

    written = lines.getvalue()
    assert all(status in (200, 400, 401, 422) for status in statuses), statuses
    assert sum(orjson.loads(line)["event"] == "request" for line in written.splitlines()) == len(requests) + 1
    for secret in (CANARY, grant["access_token"], grant["refresh_token"], grant["access_token"].split(".")[2]):
        assert secret not in written


async def test_a_database_that_is_gone_is_a_503(server: Server, database: Database, lines: io.StringIO) -> None:
    """Its connections are cut by PostgreSQL, as in a restart."""
    async with database.acquire_everywhere() as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    statuses = []
    for _ in range(3):
        async with server.session.post("/api/v1/auth/login", json={"username": "a", "password": "b"}) as answer:
            statuses.append(answer.status)

    assert set(statuses) <= {401, 503}
    assert statuses[-1] == 401
