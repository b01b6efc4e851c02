"""Accept, then correct: whatever a phone was made to believe and the server did not keep, its next pull puts right."""

from __future__ import annotations

from pathlib import Path

import pytest

from erp_core.language import Violation, World
from sync_server.engine import judge
from sync_server.engine.draft import Draft
from sync_server.store.database import Database
from tests.harness.world import House, partner, records


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await House.settle(database, tmp_path)


async def test_cleared_text_that_is_refused_comes_back(house: House) -> None:
    """An empty text is what a phone sends for none, and must not pass for "nothing changed"."""
    agent = house.actor()
    await house.run(
        "INSERT INTO business_partners (org_id, id, branch_id, legal_name, kind, state, pan)"
        f" VALUES ('{house.org_id}', 'p', 'b1', 'Partner', '{{buyer}}', 'approved', 'AAPFU0939F')"
    )
    cursor = await house.clock()

    cleared = partner("p", state="approved", pan="", _status="updated", _changed="pan")
    await house.push(agent, cursor, {"business_partners": {"updated": [cleared]}, "sync_issues": {}})

    answer = await house.pull(agent, cursor)
    assert records(answer, "business_partners")["p"]["pan"] == "AAPFU0939F"
    assert [issue["reason_code"] for issue in await house.issues()] == ["locked"]


async def test_record_that_breaks_the_server_is_corrected_on_the_phone_too(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = house.actor()
    await house.add_partners("p")
    cursor = await house.clock()
    judged = judge.judge

    def with_a_bug(draft: Draft, world: World) -> list[Violation]:
        if not draft.faults:
            raise TypeError("unsupported operand")
        return judged(draft, world)

    monkeypatch.setattr(judge, "judge", with_a_bug)

    edited = partner("p", remarks="mine", _status="updated", _changed="remarks")
    await house.push(agent, cursor, {"business_partners": {"updated": [edited]}, "sync_issues": {}})

    answer = await house.pull(agent, cursor)
    assert records(answer, "business_partners")["p"]["remarks"] is None


async def test_correction_reaches_every_phone_of_its_user_and_nobody_else(house: House) -> None:
    await house.add_partners("p")
    cursor = await house.clock()
    gone_wrong = partner("p", legal_name="", _status="updated", _changed="legal_name")

    await house.push(
        house.actor(phone="one"), cursor, {"business_partners": {"updated": [gone_wrong]}, "sync_issues": {}}
    )

    for phone in ("one", "two"):
        answer = await house.pull(house.actor(phone=phone), cursor)
        assert records(answer, "business_partners")["p"]["legal_name"] == "Partner p"
    other = await house.pull(house.actor(user="agent2"), cursor)
    assert not records(other, "business_partners")
