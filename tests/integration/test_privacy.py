"""Who is forgotten is forgotten everywhere: in rows, log, inbox, receipts and on devices; and nothing brings it back
(security.md, 64).

Planted at the end: an erasure that leaves the log as it was, one that leaves the inbox, and a push that is not held to it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import pytest

from sync_server.engine import erasing, holding
from sync_server.engine.audit_faults import Harm
from sync_server.engine.auditing import audit
from sync_server.engine.erasing import Erased, Person, erase
from sync_server.engine.sealing import seal
from sync_server.store.database import Database
from tests.harness.world import House, contact, partner, trade

CANARY = "Zubeida Kasturbhai"
PHONE = "+919812345670"
PAN = "ABCPZ1234K"
CANARIES = (CANARY, PHONE, PAN)


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    """A house that knows of a person all that it can: now, before, in its inbox, in its answers."""
    house = await House.settle(database, tmp_path)
    await house.add_partners("other")
    known = partner("p1", legal_name=CANARY, phone=PHONE, pan=PAN, remarks=f"{CANARY} pays late")
    await house.push(house.actor(), None, made(business_partners=[known]))
    await house.push(house.actor(), await house.clock(), made(partner_contacts=[contact("c1", "p1", name=CANARY)]))
    await house.run(
        "INSERT INTO visits (org_id, id, branch_id, agent_id, partner_id, notes)"
        f" VALUES ('org_a', 'v1', 'b1', 'agent1', 'p1', '{CANARY} was out');"
        "INSERT INTO partner_contacts (org_id, id, partner_id, kind, name)"
        f" VALUES ('org_a', 'gone', 'p1', 'owner', '{CANARY}');"
        "DELETE FROM partner_contacts WHERE id = 'gone';"
        f"UPDATE business_partners SET legal_name = '{CANARY} & Sons' WHERE id = 'p1'"
    )
    await house.push(house.actor(), None, made(trades=[trade("t1", "p1", "other", remarks="kept")]))
    # Refused, and so kept in the inbox with all that was sent.
    wrong = {**partner("p1", legal_name=f"{CANARY} II", gstin="nonsense"), "_changed": "legal_name,gstin"}
    await house.push(house.actor("agent2"), await house.clock(), changed(business_partners=[wrong]))
    await house.run(
        "INSERT INTO notifications (org_id, id, reader_id, kind, title, body, table_name, record_id) VALUES"
        f" ('org_a', 'n1', 'agent1', 'partner.approved', 'Approved', '{CANARY}', 'business_partners', 'p1');"
    )
    answer = {"id": "p1", "legal_name": CANARY}
    await house.fetch(
        "INSERT INTO push_receipt (org_id, user_id, digest, answer) VALUES ($1, 'agent1', 'x', $2)",
        *(house.org_id, json.dumps({"changes": {"business_partners": {"updated": [answer]}}})),
    )
    await house.fetch(
        "INSERT INTO idempotency_key (org_id, user_id, key, digest, body) VALUES ($1, 'agent1', 'k', 'x', $2)",
        *(house.org_id, json.dumps(answer).encode()),
    )
    await seal(database, house.org_id)
    return house


def made(**tables: Sequence[object]) -> dict[str, dict[str, list[object]]]:
    empty: dict[str, dict[str, list[object]]] = {"sync_issues": {"created": [], "updated": [], "deleted": []}}
    return empty | {name: {"created": list(rows), "updated": [], "deleted": []} for name, rows in tables.items()}


def changed(**tables: Sequence[object]) -> dict[str, dict[str, list[object]]]:
    return {name: {**lists, "created": [], "updated": lists["created"]} for name, lists in made(**tables).items()}


async def forget(house: House, entity: str = "business_partner", id: str = "p1") -> Erased:
    return await erase(house.database, house.org_id, Person("r1", entity, id))


async def found(house: House, *canaries: str) -> list[str]:
    """Name the tables in which there is a canary anywhere, bytes included."""
    tables = await house.fetch(
        "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
    )
    wanted = [*canaries, *(canary.encode().hex() for canary in canaries)]
    return [
        row["name"]
        for row in tables
        if await house.one(
            f'SELECT EXISTS (SELECT FROM "{row["name"]}" t, unnest($1::text[]) c WHERE position(c IN t::text) > 0)',
            wanted,
        )
    ]


async def harms(house: House) -> list[Harm]:
    async with house.database.acquire_everywhere() as connection:
        return [fault.harm for fault in (await audit(connection, house.org_id)).faults]


async def test_a_person_who_is_forgotten_is_in_no_table_any_more(house: House) -> None:
    known = await found(house, *CANARIES)
    assert {"business_partners", "partner_contacts", "event", "feed", "sync_issues", "notifications"} <= set(known)
    assert {"push_receipt", "idempotency_key"} <= set(known)

    done = await forget(house)

    assert await found(house, *CANARIES) == []
    assert done.events > 5
    assert done.records["partner_contacts"] == 1


async def test_what_documents_name_stays_without_the_person(house: House) -> None:
    await forget(house)

    [row] = await house.fetch("SELECT * FROM business_partners WHERE id = 'p1'")
    assert (row["legal_name"], row["pan"], row["phone"], row["branch_id"]) == ("erased", None, None, "b1")
    assert await house.one("SELECT remarks FROM trades WHERE id = 't1'") == "kept"
    assert await house.one("SELECT legal_name FROM business_partners WHERE id = 'other'") == "Partner other"
    assert await house.ids("partner_contacts") == []


async def test_devices_lose_what_they_held_of_the_person_by_their_next_pull(house: House) -> None:
    device = house.device()
    await device.sync()
    assert CANARY in str(device.rows("business_partners"))

    done = await forget(house)
    await device.sync()

    assert CANARY not in str([device.rows(table) for table in device.schema])
    assert device.last_pulled_at is not None
    assert device.last_pulled_at >= done.position


async def test_the_chain_holds_after_an_erasure_and_a_salt_that_went_otherwise_is_told(house: House) -> None:
    await forget(house)
    await seal(house.database, house.org_id)
    assert await harms(house) == []

    await house.run("UPDATE event_seal SET salt = NULL WHERE position = (SELECT min(position) FROM event_seal)")

    assert await harms(house) == [Harm.SALT_GONE]


async def test_a_push_from_before_brings_nothing_back_and_its_device_is_corrected(house: House) -> None:
    device = house.device()
    await device.sync()
    before = await house.clock()
    await forget(house)

    old = partner("p1", legal_name=CANARY, phone=PHONE, pan=PAN, trade_name="Shop")
    await house.push(house.actor("agent2"), before, changed(business_partners=[old]))
    await house.push(house.actor("agent2"), before, changed(partner_contacts=[contact("c1", "p1", name=CANARY)]))
    late = {**old, "_changed": "legal_name,address", "address": "Gondal"}
    await house.push(house.actor("agent3"), await house.clock(), changed(business_partners=[late]))
    cursor = await house.clock()

    assert await found(house, *CANARIES) == []
    again = await house.pull(house.actor("agent3"), cursor - 1)
    assert "p1" in str(again["changes"]["business_partners"])


async def test_erasing_twice_is_erasing_once(house: House) -> None:
    await forget(house)
    seq = await house.clock()

    again = await forget(house)

    assert again.events == 0
    assert await house.clock() == seq
    assert await harms(house) == []


async def test_a_user_who_is_forgotten_cannot_log_in_and_is_nobody(house: House) -> None:
    await house.run(
        f"UPDATE users SET name = '{CANARY}', phone = '{PHONE}' WHERE id = 'agent4';"
        "INSERT INTO credential (org_id, user_id, password_hash) VALUES ('org_a', 'agent4', 'x');"
        "INSERT INTO security_event (org_id, kind, user_id, address, detail) VALUES"
        f" ('org_a', 'logged_in', 'agent4', '203.0.113.9', '{CANARY}')"
    )
    await forget(house, "user", "agent4")
    await forget(house, "business_partner", "p1")

    assert await found(house, CANARY, PHONE, "203.0.113.9", "agent4@org_a") == []
    [row] = await house.fetch("SELECT * FROM users WHERE id = 'agent4'")
    assert (row["username"], row["name"], row["is_active"]) == ("erased-agent4", "erased", False)
    assert await house.one("SELECT count(*) FROM credential WHERE user_id = 'agent4'") == 0


async def test_the_log_is_rewritten_for_nothing_but_an_erasure(house: House) -> None:
    for change in ("new = '{}'", "actor = 'me'", "new = NULL", "at = now()"):
        with pytest.raises(asyncpg.FeatureNotSupportedError):
            await house.run(f"UPDATE event SET {change} WHERE record_id = 'p1' AND new IS NOT NULL")
    await forget(house)
    for change in ('new = \'{"id": "p1"}\'', "actor = 'me'"):
        with pytest.raises(asyncpg.FeatureNotSupportedError):
            await house.run(f"UPDATE event SET {change} WHERE record_id = 'p1' AND new IS NOT NULL")
    with pytest.raises(asyncpg.FeatureNotSupportedError):
        await house.run("TRUNCATE event")


async def test_while_others_write_about_the_person_nothing_stays_and_nobody_fails(house: House) -> None:
    async def write(user: str) -> None:
        for turn in range(15):
            edit = {**partner("p1", legal_name=f"{CANARY} {turn}", remarks=f"{user} {turn}"), "_changed": "legal_name"}
            await house.push(house.actor(user), await house.clock(), changed(business_partners=[edit]))

    async def sealing() -> None:
        for _ in range(10):
            await seal(house.database, house.org_id)

    await asyncio.gather(write("agent1"), write("agent2"), forget(house), sealing())
    await seal(house.database, house.org_id)

    assert await found(house, *CANARIES) == []
    assert await harms(house) == []


# --- Planted ------------------------------------------------------------------------------------------------------------


async def test_an_erasure_that_leaves_the_log_is_caught(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object) -> None: ...

    monkeypatch.setattr(erasing._Erasure, "_rewrite_log", nothing)
    await forget(house)
    assert await found(house, *CANARIES) == ["event"]


async def test_an_erasure_that_leaves_the_inbox_is_caught(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasing, "COPIES", {})
    await forget(house)
    assert "sync_issues" in await found(house, *CANARIES)


async def test_a_push_that_is_not_held_to_an_erasure_is_caught(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await forget(house)
    monkeypatch.setattr(holding, "_leave_out", lambda *_: None)
    late = {**partner("p1", legal_name=CANARY), "_changed": "legal_name"}
    await house.push(house.actor("agent3"), await house.clock(), changed(business_partners=[late]))
    assert "business_partners" in await found(house, *CANARIES)
