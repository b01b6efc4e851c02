"""A town: a trading house whose people come and go, with a neighbour of the same shape, and phones that watch them.

Owns: random steps of grants, moves, edits and syncs, and the question after each, which oracle.py answers.
Must not know: labels, holds, views.
Invariant: at every delivery, every row, every id and every word belongs to what the receiver may read, or had; after every
pull a device holds exactly what its user may see, in the fields that its user may see (DESIGN.md §7).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from erp_core.access import CODES
from mobile.replica import Replica
from mobile.replica_rows import sanitized
from mobile.replica_schema import read_schema
from sync_server.engine.gate import NotEntitled
from sync_server.engine.push import Conflict
from sync_server.wire.schema import schema_document
from tests.harness.world import EngineTransport, House
from tests.simulation.oracle import TABLES, given_to, visible

BRANCHES: Final = ("b1", "b2", "b3")
PEOPLE: Final = ("asha", "bharat", "chetan", "daya", "esha", "firoz")
ROLES: Final = (
    "manager",
    "trader",
    "agent",
    "grader",
    "dispatcher",
    "grader",
    "grader",
    "auditor",
    "mixed",
    "external_buyer",
    "external_seller",
)
STAMPS: Final = ("created_at", "updated_at")
"""Left out of the comparison: SQL reads them to the microsecond."""


# --- The town ---------------------------------------------------------------------------------------------------------


@dataclass
class Watched:
    """A phone, and what was wrong with what it was sent."""

    device: Replica
    transport: Spy
    user: str
    house: House


class Spy(EngineTransport):
    """A way to the engine that keeps every answer for the oracle."""

    heard: list[Mapping[str, Any]]

    def __init__(self, house: House, user: str, phone: str) -> None:
        super().__init__(house, house.actor(user, phone))
        self.heard = []

    async def pull(
        self, last_pulled_at: int | None, schema_version: int, migration: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        answer = await super().pull(last_pulled_at, schema_version, migration)
        self.heard.append(answer)
        return answer


@dataclass
class Town:
    """Two houses, their people and phones, and a random hand."""

    houses: Sequence[House]
    random: Random
    phones: list[Watched] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    made: int = 0

    @classmethod
    async def settle(cls, houses: Sequence[House], seed: int) -> Town:
        town = cls(houses, Random(seed))
        schema = read_schema(schema_document())
        for house in houses:
            await house.run(f"""
              INSERT INTO branches (org_id, id, code, name, state)
                VALUES ('{house.org_id}', 'b3', 'NGP', 'Nagpur {house.org_id}', 'Maharashtra');
              UPDATE roles SET codes = codes || '{{sync.use}}';  -- who has no phone has nothing to judge
              INSERT INTO roles (org_id, id, title, codes)
                VALUES ('{house.org_id}', 'mixed', 'Mixed', '{{partner.read}}');
              INSERT INTO settings (org_id, id, scope, scope_id, key, value) VALUES
                ('{house.org_id}', 's1', 'org', '{house.org_id}', 'a', '1'), ('{house.org_id}', 's2', 'branch', 'b2', 'a', '2'),
                ('{house.org_id}', 's3', 'user', 'asha', 'a', '3');""")
            for user in PEOPLE:
                await house.employ(user)
            for user in PEOPLE if house is houses[0] else PEOPLE[:1]:
                transport = Spy(house, user, f"{user}-{house.org_id}")
                device = Replica(schema, transport, random=Random(f"{seed}/{user}"))
                town.phones.append(Watched(device, transport, user, house))
            for _ in range(10):
                await town.trade_something(house)
        return town

    def _say(self, *what: object) -> None:
        self.story.append(" ".join(map(str, what)))

    async def _some(self, house: House, table: str) -> str | None:
        ids = await house.ids(table)
        return self.random.choice(ids) if ids else None

    def _id(self, letter: str) -> str:
        self.made += 1
        return f"{letter}{self.made}"

    async def step(self) -> None:
        """Do one thing."""
        house = self.houses[0] if self.random.random() < 0.9 else self.houses[1]
        deeds = (
            (self.trade_something, 6),
            (self.change_something, 6),
            (self.delete_something, 2),
            (self.move_something, 5),
            (self.give, 5),
            (self.take, 4),
            (self.change_role, 1),
            (self.disable_or_enable, 1),
        )
        if self.random.random() < 0.4:
            await self.sync(self.random.choice(self.phones))
            return
        (deed,) = self.random.choices([deed for deed, _ in deeds], [weight for _, weight in deeds])
        await deed(house)

    async def trade_something(self, house: House) -> None:
        org, pick = house.org_id, self.random
        partners = await house.ids("business_partners")
        kind = pick.choice(("partner", "partner", "contact", "lot", "need", "trade", "trade", "lorry", "grading"))
        if kind == "partner" or len(partners) < 3:
            values = (self._id("p"), pick.choice(BRANCHES), pick.choice((None, *PEOPLE)))
            await house.fetch(
                "INSERT INTO business_partners"
                " (org_id, id, branch_id, assigned_agent_id, legal_name, kind, credit_limit, remarks)"
                " VALUES ($1, $2, $3, $4, 'Partner of ' || $1, '{buyer,seller}', 1000, 'remark of ' || $1)",
                *(org, *values),
            )
            self._say(org, "partner", *values)
            return
        one, two = pick.sample(partners, 2)
        lot, trade = await self._some(house, "availabilities"), await self._some(house, "trades")
        if kind == "contact":
            await house.fetch(
                "INSERT INTO partner_contacts (org_id, id, partner_id, kind, name) VALUES ($1, $2, $3, 'other', 'Of ' || $1)",
                *(org, self._id("c"), one),
            )
        elif kind == "lot":
            await house.fetch(
                "INSERT INTO availabilities (org_id, id, branch_id, seller_id, commodity_id, crop_year, bales_offered,"
                " asking_price_per_candy, visibility, state) VALUES ($1, $2, $3, $4, 'lint', '2026-27', 10, 60000, $5, $6)",
                *(org, self._id("a"), pick.choice(BRANCHES), one),
                *(pick.choice(("organisation", "partners")), pick.choice(("draft", "active"))),
            )
        elif kind == "need":
            await house.fetch(
                "INSERT INTO requirements (org_id, id, branch_id, buyer_id, commodity_id, bales_min, bales_max)"
                " VALUES ($1, $2, $3, $4, 'lint', 1, 2)",
                *(org, self._id("r"), pick.choice(BRANCHES), one),
            )
        elif kind == "lorry" and trade:
            await house.fetch(
                "INSERT INTO dispatches (org_id, id, trade_id, transporter_id) VALUES ($1, $2, $3, $4)",
                *(org, self._id("d"), trade, pick.choice((None, two))),
            )
        elif kind == "grading" and (trade or lot):
            await house.fetch(
                "INSERT INTO quality_inspections (org_id, id, trade_id, availability_id) VALUES ($1, $2, $3, $4)",
                *(org, self._id("q"), trade if lot is None or pick.random() < 0.7 else None, lot),
            )
        else:
            await house.fetch(
                "INSERT INTO trades (org_id, id, branch_id, buyer_id, seller_id, broker_id, commodity_id, bales,"
                " price_per_candy, trade_date, remarks)"
                " VALUES ($1, $2, $3, $4, $5, $6, 'lint', 5, 61000, '2026-11-20', 'Of ' || $1)",
                *(org, self._id("t"), pick.choice(BRANCHES), one, two, pick.choice((None, one, pick.choice(partners)))),
            )
        self._say(org, kind, one, two, lot, trade)

    async def change_something(self, house: House) -> None:
        table, column = self.random.choice(
            (
                ("business_partners", "trade_name"),
                ("partner_contacts", "name"),
                ("trades", "remarks"),
                ("dispatches", "lr_number"),
            )
        )
        id = await self._some(house, table)
        value = self._id("word ")
        await house.fetch(f"UPDATE {table} SET {column} = $3 WHERE org_id = $1 AND id = $2", house.org_id, id, value)
        self._say(house.org_id, "change", table, id)

    async def delete_something(self, house: House) -> None:
        table = self.random.choice(("partner_contacts", "dispatches", "quality_inspections", "requirements", "trades"))
        id = await self._some(house, table)
        await house.fetch(f"DELETE FROM {table} WHERE org_id = $1 AND id = $2", house.org_id, id)
        self._say(house.org_id, "delete", table, id)

    async def move_something(self, house: House) -> None:
        pick = self.random
        partner = await self._some(house, "business_partners")
        table, column, value = pick.choice(
            (
                ("business_partners", "branch_id", pick.choice(BRANCHES)),
                ("business_partners", "assigned_agent_id", pick.choice((None, *PEOPLE))),
                ("trades", "branch_id", pick.choice(BRANCHES)),
                ("trades", "buyer_id", partner),
                ("dispatches", "transporter_id", partner),
                ("availabilities", "visibility", pick.choice(("partners", "private"))),
                ("trades", "state", pick.choice(("draft", "confirmed"))),
                ("quality_inspections", "state", pick.choice(("draft", "submitted"))),
            )
        )
        id = await self._some(house, table)
        await house.fetch(f"UPDATE {table} SET {column} = $3 WHERE org_id = $1 AND id = $2", house.org_id, id, value)
        self._say(house.org_id, "move", table, id, column, value)

    async def give(self, house: House) -> None:
        pick = self.random
        user, role = pick.choice(PEOPLE), pick.choice(ROLES)
        partner = await self._some(house, "business_partners")
        places: list[dict[str, Any]] = (
            [{"partner_id": partner}]
            if role.startswith("external")
            else [
                {},
                {"branch_id": pick.choice(BRANCHES)},
                {"branch_id": pick.choice(BRANCHES)},
                {"agent_id": pick.choice((user, pick.choice(PEOPLE)))},
                {"partner_id": partner},
            ]
        )
        place = pick.choice(places)
        await house.grant(user, role, **place)
        self._say(house.org_id, "give", user, role, place)

    async def take(self, house: House) -> None:
        grants = await house.fetch(
            "SELECT id, user_id, role_id FROM grants WHERE org_id = $1 AND user_id = ANY($2) ORDER BY id",
            house.org_id,
            list(PEOPLE),
        )
        if not grants:
            return
        grant = self.random.choice(grants)
        if self.random.random() < 0.5:
            await house.take(grant["id"])
        else:  # it ran out: nothing of it is written when that happens, so the clock is set back instead of waiting
            await house.fetch("ALTER TABLE grants DISABLE TRIGGER USER")
            await house.fetch(
                "UPDATE grants SET valid_until = now() - interval '1 second' WHERE org_id = $1 AND id = $2",
                house.org_id,
                grant["id"],
            )
            await house.fetch("ALTER TABLE grants ENABLE TRIGGER USER")
            house.standings._known.clear()  # its remembered moment was later
        self._say(house.org_id, "take", *grant.values())

    async def change_role(self, house: House) -> None:
        codes = [*self.random.sample(sorted(CODES - {c for c in CODES if c.startswith("external.")}), 12)]
        await house.fetch("UPDATE roles SET codes = $2 WHERE org_id = $1 AND id = 'mixed'", house.org_id, codes)
        self._say(house.org_id, "mixed is now", sorted(codes))

    async def disable_or_enable(self, house: House) -> None:
        user = self.random.choice(PEOPLE)
        await house.fetch(
            "UPDATE users SET is_active = NOT is_active WHERE org_id = $1 AND id = $2", house.org_id, user
        )
        self._say(house.org_id, "disable or enable", user)

    # --- Syncs --------------------------------------------------------------------------------------------------------

    async def sync(self, phone: Watched) -> None:
        """Sync a phone, maybe losing the answer, maybe with an edit of its own; judge what it was sent and what it holds."""
        pick = self.random
        if pick.random() < 0.3:
            self._edit(phone)
        held = {table: set(phone.device.rows(table)) for table in TABLES}
        allowed = await visible(phone.house, phone.user)
        phone.transport.heard.clear()
        try:
            pulled = await phone.device.pull()
        except NotEntitled:
            assert phone.device.last_pulled_at is None, f"{phone.user} is stuck with what they hold{self.told()}"
            return
        across = any(one.across for one in await given_to(phone.house, phone.user))
        self._judge_delivery(phone, phone.transport.heard[-1], allowed, held, across=across)
        if pick.random() < 0.15:
            self._say(phone.user, "lost the answer")
            return
        local = phone.device.collect(phone.device.apply(pulled))
        self._say(phone.house.org_id, phone.user, "pulled", phone.device.last_pulled_at, "pushes" if local else "")
        if local is None:
            self._judge_holding(phone, allowed)
            return
        try:
            phone.device.mark(local, await phone.device.push(local))
        except Conflict:
            self._say(phone.user, "must resolve")

    def _edit(self, phone: Watched) -> None:
        device, pick = phone.device, self.random
        table, column = pick.choice(
            (("business_partners", "trade_name"), ("trades", "delivery_terms"), ("dispatches", "lr_number"))
        )
        ids = sorted(device.rows(table))
        if ids and pick.random() < 0.7:
            device.update(table, pick.choice(ids), {column: self._id("typed ")})
        else:
            id = self._id(pick.choice(("p", "n")))
            values = {"branch_id": pick.choice(BRANCHES), "legal_name": f"Typed {id}", "kind": '["buyer"]'}
            if id not in device.rows("business_partners"):
                device.create("business_partners", values, id=id)

    def _judge_delivery(
        self,
        phone: Watched,
        answer: Mapping[str, Any],
        allowed: Mapping[str, Any],
        held: Mapping[str, set[str]],
        *,
        across: bool,
    ) -> None:
        for table, lists in answer["changes"].items():
            for record in (*lists["created"], *lists["updated"]):
                row = allowed[table].get(record["id"])
                assert row is not None, (
                    f"{phone.user} was sent {table}/{record['id']}, which is not theirs{self.told()}"
                )
                for name, value in record.items():
                    if row.get(name) is None:
                        assert value is None, f"{phone.user} was shown {table}/{record['id']}.{name}{self.told()}"
            # Whoever sees every branch may hear of a record that came and went since the last pull.
            unknown = set(lists["deleted"]) - held[table] - set(phone.device.deleted(table))
            assert not unknown or across, f"{phone.user} heard of {table} {sorted(unknown)}, never theirs{self.told()}"
        neighbour = next(house.org_id for house in self.houses if house is not phone.house)
        assert neighbour not in json.dumps(answer), f"{phone.user} was sent something of {neighbour}{self.told()}"

    def _judge_holding(self, phone: Watched, allowed: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
        for table in TABLES:
            columns = phone.device.schema[table]
            holds = {id: _comparable(row) for id, row in phone.device.rows(table).items()}
            wanted = {
                id: _comparable(sanitized({**row, "id": id}, columns, Random(0))) for id, row in allowed[table].items()
            }
            assert holds.keys() == wanted.keys(), (
                f"{phone.user} holds {sorted(holds.keys() - wanted.keys())} too many and {sorted(wanted.keys() - holds.keys())}"
                f" too few of {table}{self.told()}"
            )
            assert holds == wanted, (
                f"{phone.user} holds others of {table}:"
                f" {[(holds[id], wanted[id]) for id in holds if holds[id] != wanted[id]][:2]}{self.told()}"
            )
        assert not phone.device.complaints, f"{phone.user}'s phone complains: {phone.device.complaints}{self.told()}"

    def told(self) -> str:
        return "\n  " + "\n  ".join(self.story[-80:])


def _comparable(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("_status", "_changed", *STAMPS)}
