"""A phone finds out what it holds wrongly, and is sent just that (engine/verify.py).

The device's half, mobile/replica_verify.py, has digests of its own.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from erp_core.catalogue import SCHEMA_VERSION, SYNCED
from mobile.replica import Replica
from mobile.replica_schema import read_schema
from mobile.replica_verify import question, repair
from sync_server.engine import verify as verifying
from sync_server.store.database import Database
from sync_server.wire.schema import schema_document
from tests.harness.office import Answer, Clerk, at_desk
from tests.harness.servers import Server
from tests.harness.world import EngineTransport, House, contact, lot, partner, records, trade

PATH = "/sync/verify"
BROAD_ROWS = 50_000


@pytest.fixture
async def house(server: Server, database: Database, tmp_path: Path) -> House:
    return await House.settle(database, tmp_path)


class Phone:
    """A device that pulls by the engine and asks for verification over HTTP."""

    def __init__(self, house: House, clerk: Clerk) -> None:
        schema = read_schema(schema_document())
        self.device = Replica(schema, EngineTransport(house, clerk.actor), random=Random(0))
        self.clerk = clerk

    async def ask(self) -> Answer:
        self.asked = question(self.device, SCHEMA_VERSION)
        return await self.clerk.ask("POST", PATH, self.asked)

    async def verified(self) -> Any:
        answer = await self.ask()
        assert answer.status == 200, answer.json
        return answer.json

    def spoil(self, table: str, id: str, **values: Any) -> None:
        """Change a row behind the device's back, as a bug would."""
        disk = self.device.snapshot()
        disk.tables[table][id].update(values)
        self.device.restore(disk)

    def lose(self, table: str, id: str) -> None:
        disk = self.device.snapshot()
        del disk.tables[table][id]
        self.device.restore(disk)

    def invent(self, table: str, id: str, like: str) -> None:
        disk = self.device.snapshot()
        disk.tables[table][id] = {**disk.tables[table][like], "id": id}
        self.device.restore(disk)


async def _phone(server: Server, house: House, user: str = "agent1") -> Phone:
    phone = Phone(house, await at_desk(server, house, user))
    await phone.device.sync()
    return phone


async def _furnish(house: House) -> None:
    everything = {
        "business_partners": {
            "created": [partner("p", credit_limit=125_000.5, tags='["कपास","good"]'), partner("q", credit_limit=7)]
        },
        "partner_contacts": {"created": [contact("c", "p", name='હેતલ \u2028 "S" \\ \x1f /')]},
        "availabilities": {"created": [lot("l", "p", state="active")]},
        "trades": {"created": [trade("t", "p", "q"), trade("u", "q", "p", bales=7)]},
    }
    answer = await house.push(house.actor("agent2"), None, everything)
    assert not any(answer.values()), answer


async def test_nothing_differs_on_a_phone_that_just_pulled(server: Server, house: House) -> None:
    await _furnish(house)
    phone = await _phone(server, house)

    assert phone.device.rows("trades")
    assert phone.device.rows("partner_contacts")
    assert await phone.verified() == {"tables": {}, "more": False}


async def test_of_fifty_thousand_rows_three_wrong_ones_are_named_and_cost_under_one_percent(
    server: Server, house: House
) -> None:
    await house.fetch(
        "INSERT INTO business_partners (org_id, id, branch_id, legal_name, kind, remarks)"
        " SELECT $1, 'x' || n, 'b1', 'Partner ' || n, '{buyer,seller}', 'Pays after ' || n || ' days'"
        " FROM generate_series(1, $2::int) n",
        *(house.org_id, BROAD_ROWS),
    )
    phone = await _phone(server, house)
    whole = len(json.dumps(list(phone.device.rows("business_partners").values())))
    right = phone.device.snapshot()
    phone.lose("business_partners", "x17")
    phone.spoil("business_partners", "x40000", remarks="Pays at once")
    phone.invent("business_partners", "ghost", like="x1")

    answer = await phone.verified()
    spent = len(json.dumps(phone.asked)) + len(json.dumps(answer))

    assert list(answer["tables"]) == ["business_partners"]
    assert len(answer["tables"]["business_partners"]["buckets"]) == 3
    assert not answer["more"]
    assert spent < whole / 100, f"{spent} of {whole} bytes"
    assert repair(phone.device, phone.asked, answer) == 3
    assert phone.device.snapshot() == right
    assert await phone.verified() == {"tables": {}, "more": False}


async def test_unsynced_edits_are_neither_compared_nor_touched(server: Server, house: House) -> None:
    await _furnish(house)
    phone = await _phone(server, house)
    phone.device.update("business_partners", "p", {"remarks": "typed and not sent"})
    phone.device.create("business_partners", {"branch_id": "b1", "legal_name": "Typed", "kind": '["buyer"]'}, id="n")
    phone.device.delete("partner_contacts", "c")

    assert await phone.verified() == {"tables": {}, "more": False}

    phone.spoil("business_partners", "q", legal_name="wrong")
    assert repair(phone.device, phone.asked, await phone.verified()) == 1
    held = phone.device.rows("business_partners")
    assert held["p"]["remarks"] == "typed and not sent"
    assert held["q"]["legal_name"] == "Partner q"
    assert held["n"]["_status"] == "created"
    assert phone.device.deleted("partner_contacts") == ["c"]


async def test_hidden_fields_count_as_the_pull_sends_them(
    server: Server, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _furnish(house)
    await house.run(
        f"INSERT INTO roles (org_id, id, title, codes) VALUES ('{house.org_id}', 'looker', 'L', '{{partner.read,sync.use}}')"
    )
    await house.employ("grace", "looker", branch_id="b1")
    phone = await _phone(server, house, "grace")
    hidden = [name for name, value in phone.device.rows("business_partners")["p"].items() if value is None]
    assert "credit_limit" in hidden

    with monkeypatch.context() as planted:
        planted.setattr("sync_server.engine.spooling.hidden_of", lambda view: {})
        assert (await phone.verified())["tables"], "a planted bug, every field is shown, is found"
    assert await phone.verified() == {"tables": {}, "more": False}

    phone.spoil("business_partners", "p", credit_limit=125_000.5)
    answer = await phone.verified()
    rows = {row["id"]: row for row in answer["tables"]["business_partners"]["rows"]}
    assert rows["p"]["credit_limit"] is None, "what was hidden stays hidden"


async def test_what_moved_since_the_cursor_is_compared_as_it_was(server: Server, house: House) -> None:
    await _furnish(house)
    phone = await _phone(server, house)
    await house.run(f"""
      UPDATE business_partners SET remarks = 'newer' WHERE org_id = '{house.org_id}' AND id = 'p';
      UPDATE business_partners SET remarks = 'newest' WHERE org_id = '{house.org_id}' AND id = 'p';
      DELETE FROM partner_contacts WHERE org_id = '{house.org_id}' AND id = 'c';
      DELETE FROM trades WHERE org_id = '{house.org_id}' AND id = 'u';
    """)
    await house.add_partners("young")

    assert await phone.verified() == {"tables": {}, "more": False}

    phone.spoil("business_partners", "p", remarks="wrong")
    assert repair(phone.device, phone.asked, await phone.verified()) == 1
    assert phone.device.rows("business_partners")["p"]["remarks"] != "newest", "that comes with the next pull"
    await phone.device.sync()
    assert phone.device.rows("business_partners")["p"]["remarks"] == "newest"


async def test_what_came_into_a_branch_or_left_it_since_is_compared_as_it_was(server: Server, house: House) -> None:
    await _furnish(house)
    await house.employ("mira", "manager", branch_id="b1")
    await house.run(
        f"UPDATE roles SET codes = codes || '{{sync.use}}' WHERE org_id = '{house.org_id}' AND id = 'manager'"
    )
    await house.run(f"UPDATE business_partners SET branch_id = 'b2' WHERE org_id = '{house.org_id}' AND id = 'q'")
    phone = await _phone(server, house, "mira")
    assert "p" in phone.device.rows("business_partners")
    await house.run(f"""
      UPDATE business_partners SET branch_id = 'b2' WHERE org_id = '{house.org_id}' AND id = 'p';
      UPDATE business_partners SET branch_id = 'b1' WHERE org_id = '{house.org_id}' AND id = 'q';
    """)

    assert await phone.verified() == {"tables": {}, "more": False}


# --- When the phone must sync first -----------------------------------------------------------------------------------


async def test_rights_that_changed_ask_for_a_sync_first(server: Server, house: House) -> None:
    await house.employ("mira")
    grant = await house.grant("mira", "everything")
    phone = await _phone(server, house, "mira")
    await house.take(grant)
    await house.grant("mira", "everything", branch_id="b1")

    answer = await phone.ask()

    assert (answer.status, answer.json["code"]) == (409, "behind")
    await phone.device.sync()
    assert await phone.verified() == {"tables": {}, "more": False}


async def test_its_own_push_since_asks_for_a_sync_first(server: Server, house: House) -> None:
    phone = await _phone(server, house)
    phone.device.create("business_partners", {"branch_id": "b1", "legal_name": "Mine", "kind": '["buyer"]'}, id="m")
    await phone.device.sync()

    answer = await phone.ask()

    assert (answer.status, answer.json["code"]) == (409, "behind")


async def test_too_much_movement_asks_for_a_sync_first(
    server: Server, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = await _phone(server, house)
    monkeypatch.setattr(verifying, "SMALL_DELTA_MAX", 2)
    await house.add_partners("a", "b", "c")

    assert (await phone.ask()).json["code"] == "behind"


# --- Bounds -----------------------------------------------------------------------------------------------------------


async def test_a_long_answer_comes_in_parts(server: Server, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.add_partners(*(f"p{n}" for n in range(300)))
    phone = await _phone(server, house)
    right = phone.device.snapshot()
    monkeypatch.setattr(verifying, "ROWS_BYTES_MAX", 60_000)
    for n in range(300):
        phone.spoil("business_partners", f"p{n}", remarks="wrong")

    rounds = 0
    while (answer := await phone.verified())["tables"]:
        assert len(json.dumps(answer["tables"])) < 80_000
        repair(phone.device, phone.asked, answer)
        rounds += 1
        assert rounds < 20
    assert rounds > 2
    assert phone.device.snapshot() == right


async def test_a_bucket_that_no_answer_can_hold_asks_for_more_buckets(
    server: Server, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.add_partners(*(f"p{n}" for n in range(50)))
    phone = await _phone(server, house)
    monkeypatch.setattr(verifying, "ROWS_BYTES_MAX", 10_000)
    for n in range(50):
        phone.lose("business_partners", f"p{n}")

    answer = await phone.ask()

    assert (answer.status, answer.json["code"]) == (409, "too_different")
    assert answer.json["rows"]["business_partners"] == 50


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"last_pulled_at": None}, "bad_cursor"),
        ({"schema_version": "2"}, "bad_schema_version"),
        ({"tables": {"users": {"rows": 0, "digests": ["0" * 16]}}}, "unknown_table"),
        ({"tables": {"trades": {"rows": 0, "digests": ["0" * 16] * 3}}}, "invalid_value"),
        ({"tables": {"trades": {"rows": 0, "digests": ["x" * 16]}}}, "wrong_type"),
        ({"tables": {"trades": {"digests": []}}}, "wrong_type"),
        ({"without": {"trades": ["a b"]}}, "wrong_type"),
        ({"without": {"trades": [f"i{n}" for n in range(10_001)]}}, "too_many_records"),
        ({"surprise": 1}, "unknown_member"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_a_pointer(
    server: Server, house: House, change: dict[str, Any], code: str
) -> None:
    phone = await _phone(server, house)

    answer = await phone.clerk.ask("POST", PATH, {**question(phone.device, SCHEMA_VERSION), **change})

    assert (answer.status, answer.json["code"]) in ((400, code), (413, code), (422, code))
    assert answer.json["pointer"].startswith("/" + next(iter(change)))


async def test_an_old_app_is_compared_by_the_columns_that_it_knows(server: Server, house: House) -> None:
    await _furnish(house)
    phone = await _phone(server, house)
    old = {
        entity.table: {field.name for field in entity.all_fields if field.since <= 1}
        for entity in SYNCED
        if entity.since <= 1
    }
    phone.device.schema = {
        table: tuple(column for column in columns if column.name in old[table])
        for table, columns in phone.device.schema.items()
        if table in old
    }

    answer = await phone.clerk.ask("POST", PATH, question(phone.device, 1))

    assert (answer.status, answer.json) == (200, {"tables": {}, "more": False})


# --- Planted bugs -----------------------------------------------------------------------------------------------------


async def test_planted_bug_is_found(server: Server, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What moved since is left out; or taken as it is now: either way a right phone would be "repaired"."""
    await _furnish(house)
    phone = await _phone(server, house)
    await house.run(f"UPDATE business_partners SET remarks = 'newer' WHERE org_id = '{house.org_id}' AND id = 'p'")

    async def nothing_moved(self: object) -> None: ...

    async def as_now(connection: Any, org_id: str, keys: Any, at: int) -> Any:
        rows = await connection.fetch("SELECT entity, id, payload::text FROM feed WHERE org_id = $1", org_id)
        return {(row[0], row[1]): row[2] for row in rows}

    with monkeypatch.context() as planted:
        planted.setattr("sync_server.store.verifying.read_payloads_at", as_now)
        assert (await phone.verified())["tables"]
    with monkeypatch.context() as planted:
        planted.setattr("sync_server.engine.verify._Comparison._read_moved", nothing_moved)
        assert (await phone.verified())["tables"]
    assert not (await phone.verified())["tables"]
    assert records(await house.pull(phone.clerk.actor), "business_partners")["p"]["remarks"] == "newer"
