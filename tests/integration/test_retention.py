"""What tells of persons is let go of when its time is over; that something happened stays (security.md, 66)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sync_server.config import load_settings
from sync_server.operate.retention import let_go, periods
from tests.harness.office import Clerk
from tests.harness.world import House


@pytest.fixture
async def old(house: House) -> House:
    """A house in which somebody logged in from somewhere, and a wiped device left a push that was decided about."""
    await house.run(
        "INSERT INTO security_event (org_id, kind, user_id, address, detail) VALUES"
        " ('org_a', 'logged_in', 'agent1', '203.0.113.9', 'phone');"
        "INSERT INTO device (org_id, id, user_id, state) VALUES ('org_a', 'd1', 'agent1', 'wiped');"
        "INSERT INTO wipe (org_id, id, device_id, user_id, ordered_by, immediately)"
        " VALUES ('org_a', 'w1', 'd1', 'agent1', 'agent2', false);"
        "INSERT INTO impounded (org_id, id, device_id, wipe_id, user_id, session_id, born, digest, body, records, state,"
        " decided_by, decided_at) VALUES"
        " ('org_a', 'i1', 'd1', 'w1', 'agent1', 's1', 0, 'x', '{\"a\": 1}', '{}', 'discarded', 'agent1', now()),"
        " ('org_a', 'i2', 'd1', 'w1', 'agent1', 's1', 0, 'y', '{\"a\": 2}', '{}', 'waiting', NULL, NULL)"
    )
    return house


async def state(house: House) -> tuple[str, str, list[bytes]]:
    [event] = await house.fetch(
        "SELECT address, detail FROM security_event WHERE kind = 'logged_in' AND user_id = 'agent1'"
    )
    bodies = await house.fetch("SELECT body FROM impounded ORDER BY id")
    return event["address"], event["detail"], [row["body"] for row in bodies]


async def test_when_its_time_is_over_it_goes_and_not_before(old: House, tmp_path: Path) -> None:
    settings, now = load_settings(data=tmp_path), datetime.now(UTC)
    before = await state(old)
    await let_go(old.database, settings, now + timedelta(days=settings.impounded_days - 1))
    assert await state(old) == before

    await let_go(old.database, settings, now + timedelta(days=settings.impounded_days, minutes=1))
    assert await state(old) == ("203.0.113.9", "phone", [b"", b'{"a": 2}'])

    assert await let_go(old.database, settings, now + timedelta(days=settings.whence_days, minutes=1)) > 0
    assert await state(old) == ("", "", [b"", b'{"a": 2}'])
    assert await let_go(old.database, settings, now + timedelta(days=settings.whence_days, minutes=1)) == 0


async def test_for_how_long_things_are_kept_is_told_by_the_settings(clerk: Clerk) -> None:
    answer = await clerk.ask("GET", "/privacy/retention")
    kept = {one["what"]: one["days"] for one in answer.json["kept"]}
    assert kept == {one.what: one.days for one in periods(clerk.server.settings)}
    assert kept["whence people logged in"] == clerk.server.settings.whence_days
