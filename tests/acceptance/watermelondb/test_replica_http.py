"""The device in Python syncs over HTTP as a phone does: the transport sends what WatermelonDB's snippet sends."""

from __future__ import annotations

from random import Random

import pytest

from mobile.replica import Replica, read_schema
from mobile.replica_http import HttpTransport, Refused, login
from tests.harness.servers import PASSWORD, Server

PARTNERS = "business_partners"


async def device(server: Server, username: str) -> Replica:
    token = await login(server.session, server.url, username, PASSWORD)
    async with server.session.get("/api/v1/sync/schema", headers={"Authorization": f"Bearer {token}"}) as answer:
        schema = read_schema(await answer.json())
    replica = Replica(schema, HttpTransport(server.session, server.url, token), migrations=(), migrations_enabled_at=1)
    await replica.sync()
    return replica


async def test_two_devices_exchange_their_changes(demo_server: Server, seed: int) -> None:
    one, two = await device(demo_server, "manager"), await device(demo_server, "admin")
    values = next(iter(one.rows(PARTNERS).values()))
    begins = {"state": "draft", "kyc_state": "pending"}
    copied = {name: values[name] for name in ("branch_id", "kind", "tags")} | begins
    row_id = one.create(PARTNERS, {**copied, "legal_name": f"Ginner {Random(seed).random()}"})
    await one.sync()
    await two.sync()
    two.update(PARTNERS, row_id, {"trade_name": "Seen"})
    await two.sync()
    await one.sync()

    assert one.rows(PARTNERS)[row_id]["trade_name"] == "Seen"
    one.delete(PARTNERS, row_id)
    await one.sync()
    await two.sync()

    assert row_id not in two.rows(PARTNERS)
    assert (one.complaints, two.complaints) == ([], [])
    assert not one.has_unsynced_changes()
    assert not two.has_unsynced_changes()


async def test_a_refusal_names_its_code(demo_server: Server) -> None:
    with pytest.raises(Refused) as refused:
        await login(demo_server.session, demo_server.url, "agent1", "wrong")

    assert (refused.value.status, refused.value.code) == (401, "login_refused")


async def test_a_wrong_token_ends_the_sync_and_changes_nothing(demo_server: Server) -> None:
    one = await device(demo_server, "agent1")
    before = one.snapshot()
    one.transport = HttpTransport(demo_server.session, demo_server.url, "no token at all")

    with pytest.raises(Refused, match="401"):
        await one.sync()

    assert one.snapshot() == before
