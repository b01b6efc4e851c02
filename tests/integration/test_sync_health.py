"""How syncing goes: what is counted, whose it is, and who may ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync_server.store.database import Database
from tests.harness.office import at_desk
from tests.harness.servers import Server
from tests.harness.world import House, lot


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    settled = await House.settle(database, tmp_path)
    await settled.add_partners("p1")
    await settled.employ("boss", "manager")
    return settled


async def test_pushes_are_counted_in_their_hour_and_pulls_are_not(server: Server, house: House) -> None:
    clerk, actor = await at_desk(server, house, "boss"), house.actor("agent1", "phone1")
    before = (await clerk.ask("GET", "/sync/health")).json
    await house.push(actor, await house.clock(), {"availabilities": {"created": [lot("l", "p1")]}})
    await house.pull(actor)

    after = (await clerk.ask("GET", "/sync/health")).json

    assert len(after["hours"]) == 24
    assert sum(hour["pushes"] for hour in after["hours"]) == sum(hour["pushes"] for hour in before["hours"]) + 1
    assert [hour["at"] for hour in after["hours"]] == sorted(hour["at"] for hour in after["hours"])


async def test_open_issues_are_counted_by_device_and_settled_ones_are_not(server: Server, house: House) -> None:
    clerk = await at_desk(server, house, "boss")
    await house.run("""
      INSERT INTO sync_issues (org_id, id, author_id, table_name, record_id, kind, operation, reason_code, sentence, state,
        device_id) VALUES ('org_a', 'i1', 'agent1', 'trades', 't', 'parked', 'updated', 'x', 'X.', 'open', 'phone1'),
        ('org_a', 'i2', 'agent1', 'trades', 't', 'parked', 'updated', 'x', 'X.', 'discarded', 'phone1')
    """)

    assert (await clerk.ask("GET", "/sync/health")).json["open_issues"] == {"phone1": 1}


async def test_timeline_has_what_was_written_down_of_the_device_and_of_no_other(server: Server, house: House) -> None:
    clerk = await at_desk(server, house, "boss")
    await house.run("""
      INSERT INTO device (org_id, id, user_id) VALUES ('org_a', 'phone1', 'agent1'), ('org_a', 'phone2', 'agent1');
      INSERT INTO security_event (org_id, kind, user_id, device_id) VALUES ('org_a', 'logged_in', 'agent1', 'phone1'),
        ('org_a', 'logged_out', 'agent1', 'phone2')
    """)

    told = (await clerk.ask("GET", "/devices/phone1/timeline")).json["traces"]

    assert [trace["kind"] for trace in told] == ["logged_in"]
    assert (await clerk.ask("GET", "/devices/nobody/timeline")).status == 404


async def test_it_is_for_who_looks_after_devices(server: Server, house: House) -> None:
    await house.employ("field", "agent")
    clerk = await at_desk(server, house, "field")

    assert [(await clerk.ask("GET", path)).status for path in ("/sync/health", "/devices/phone1/timeline")] == [
        403,
        403,
    ]
