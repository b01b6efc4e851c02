"""A small trading house for tests of the engine: an organisation with reference rows, pulls, pushes and devices.

Owns: the fewest rows that a partner, a lot or a trade needs, and the way from a test to the engine, through the wire's own
readers and writers but without HTTP.
Must not know: the rules of the trade; records here satisfy the declarations and little else.
Invariant: `truth` is read by plain SQL and turned into wire form here, sharing nothing with the capture that it judges.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import asyncpg

from erp_core.access import CODES
from mobile.replica import Replica, Transport, read_schema
from sync_server.engine.pull import PullRequest
from sync_server.engine.push import PushRequest, push
from sync_server.engine.spooling import Spooled, pieces, pull
from sync_server.engine.standing import Standings
from sync_server.store.actor import Actor
from sync_server.store.clock import read_clock
from sync_server.store.database import Database
from sync_server.store.spool import SpoolRoom
from sync_server.wire import pulling
from sync_server.wire.changes import read_changes
from sync_server.wire.schema import schema_document

ORG = "org_a"
OTHER_ORG = "org_b"
USERS = ("agent1", "agent2", "agent3", "agent4", "someone", "reader")
"""Who is there from the first, with every code of the house: tests of anything but rights need not think of them."""
Changes = Mapping[str, Mapping[str, list[Any]]]

_GRANTS = itertools.count(1)

_REFERENCE_ROWS = """
INSERT INTO organisations (org_id, id, legal_name) VALUES ('{org}', '{org}', 'House {org}');
INSERT INTO branches (org_id, id, code, name, state) VALUES
  ('{org}', 'b1', 'RJK', 'Rajkot {org}', 'Gujarat'), ('{org}', 'b2', 'AKL', 'Akola {org}', 'Maharashtra');
INSERT INTO units (org_id, id, code, name, dimension, factor_to_base) VALUES
  ('{org}', 'kg', 'kg', 'Kilogram', 'mass', 1), ('{org}', 'candy', 'candy', 'Candy', 'mass', 355.62);
INSERT INTO commodities (org_id, id, name, category, hsn, base_unit_id, trade_unit_id, rate_unit_id, gst_rate_pct)
  VALUES ('{org}', 'lint', 'Cotton lint', 'lint', '5201', 'kg', 'candy', 'candy', 5);
SELECT found_roles('{org}');
INSERT INTO roles (org_id, id, title, codes) VALUES ('{org}', 'everything', 'Everything', '{codes}');
"""


def partner(id: str, **values: Any) -> dict[str, Any]:
    """Make a partner as a phone sends it."""
    return {"id": id, "branch_id": "b1", "legal_name": f"Partner {id}", "kind": '["buyer","seller"]', **values}


def contact(id: str, partner_id: str, **values: Any) -> dict[str, Any]:
    """Make a partner's contact as a phone sends it."""
    return {"id": id, "partner_id": partner_id, "kind": "other", "name": f"Contact {id}", **values}


def lot(id: str, seller_id: str, **values: Any) -> dict[str, Any]:
    """Make an availability as a phone sends it."""
    fixed = {"branch_id": "b1", "seller_id": seller_id, "commodity_id": "lint", "crop_year": "2026-27"}
    return {"id": id, **fixed, "bales_offered": 100, "asking_price_per_candy": 62_000, **values}


def trade(id: str, buyer_id: str, seller_id: str, **values: Any) -> dict[str, Any]:
    """Make a trade as a phone sends it."""
    fixed = {"branch_id": "b1", "buyer_id": buyer_id, "seller_id": seller_id, "commodity_id": "lint"}
    terms = {"bales": 50, "price_per_candy": 62_500.5, "trade_date": "2026-11-20"}
    return {"id": id, **fixed, **terms, **values}


@dataclass(frozen=True, slots=True)
class House:
    """An organisation in a database, and the engine over it."""

    database: Database
    room: SpoolRoom
    org_id: str = ORG
    standings: Standings = field(default_factory=Standings)

    @classmethod
    async def settle(cls, database: Database, folder: Path, org_id: str = ORG) -> House:
        """Insert the reference rows of an organisation by plain SQL."""
        house = cls(database, SpoolRoom(folder / "spools", bytes_max=1 << 24), org_id)
        await house.run(_REFERENCE_ROWS.format(org=org_id, codes="{" + ",".join(sorted(CODES)) + "}"))
        for user in USERS:
            await house.employ(user, "everything")
        for user in USERS:
            await house.settle_holds(house.actor(user))
        return house

    @classmethod
    async def found(cls, database: Database, folder: Path, org_id: str = ORG, *users: str) -> House:
        """Make an organisation of nothing but `users`, each with every code."""
        house = cls(database, SpoolRoom(folder / "spools", bytes_max=1 << 24), org_id)
        await house.fetch(
            "INSERT INTO roles (org_id, id, title, codes) VALUES ($1, 'everything', 'All', $2)", org_id, sorted(CODES)
        )
        for user in users:
            await house.employ(user, "everything")
        for user in users:
            await house.settle_holds(house.actor(user))
        return house

    async def settle_holds(self, actor: Actor) -> None:
        """Write down what a user holds now, as the first pull would."""
        async with self.database.acquire_everywhere() as connection:
            rights = (await read_clock(connection, self.org_id)).rights
            written = await self.standings.settle(connection, actor, rights)
        if written is None:
            await self.standings.write_down(self.database, actor)

    async def employ(self, user: str, role: str | None = None, **place: Any) -> None:
        """Add a user if there is none, and with a role a grant; `place`: branch_id, partner_id or agent_id, valid_until…."""
        await self.fetch(
            "INSERT INTO users (org_id, id, username, name) VALUES ($1, $2, $3, $2) ON CONFLICT (org_id, id) DO NOTHING",
            *(self.org_id, user, f"{user}@{self.org_id}"),
        )
        if role is not None:
            await self.grant(user, role, **place)

    async def grant(self, user: str, role: str, **place: Any) -> str:
        """Grant a role to a user by plain SQL; give the grant's id."""
        columns = "".join(f", {name}" for name in place)
        values = "".join(f", ${n}" for n in range(5, 5 + len(place)))
        id = f"g{next(_GRANTS)}"
        await self.fetch(
            f"INSERT INTO grants (org_id, id, user_id, role_id{columns}) VALUES ($1, $2, $3, $4{values})",
            *(self.org_id, id, user, role, *place.values()),
        )
        return id

    async def take(self, grant: str) -> None:
        """Take a grant away by plain SQL."""
        await self.fetch("DELETE FROM grants WHERE org_id = $1 AND id = $2", self.org_id, grant)

    def actor(self, user: str = "agent1", phone: str = "phone1") -> Actor:
        return Actor(self.org_id, user, phone)

    # --- Plain SQL ----------------------------------------------------------------------------------------------------

    async def run(self, script: str) -> None:
        """Run statements without parameters, as psql would."""
        async with self.database.acquire_everywhere() as connection:
            await connection.execute(script)

    async def fetch(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        async with self.database.acquire_everywhere() as connection:
            return list(await connection.fetch(statement, *values))

    async def one(self, statement: str, *values: Any) -> Any:
        async with self.database.acquire_everywhere() as connection:
            return await connection.fetchval(statement, *values)

    async def add_partners(self, *ids: str) -> None:
        """Insert partners by plain SQL, as the office's import would."""
        await self.fetch(
            "INSERT INTO business_partners (org_id, id, branch_id, legal_name, kind)"
            " SELECT $1, id, 'b1', 'Partner ' || id, '{buyer,seller}' FROM unnest($2::text[]) id",
            self.org_id,
            list(ids),
        )

    async def ids(self, table: str) -> list[str]:
        found = await self.fetch(f"SELECT id FROM {table} WHERE org_id = $1 ORDER BY id", self.org_id)
        return [row["id"] for row in found]

    async def events(self, after: int = 0) -> list[asyncpg.Record]:
        """Give the organisation's log, oldest first."""
        statement = "SELECT * FROM event WHERE org_id = $1 AND position > $2 ORDER BY position"
        return await self.fetch(statement, self.org_id, after)

    async def clock(self) -> int:
        """Give the newest position, read by plain SQL."""
        return int(await self.one("SELECT (epoch::bigint << 40) + seq FROM org_clock WHERE org_id = $1", self.org_id))

    async def truth(self, table: str, where: str = "true") -> dict[str, dict[str, Any]]:
        """Give the rows of a table in wire form: id -> row. Moments may differ from the wire's by a millisecond."""
        found = await self.fetch(f"SELECT * FROM {table} WHERE org_id = $1 AND {where}", self.org_id)
        return {row["id"]: {k: _wire(v) for k, v in row.items() if k != "org_id"} for row in found}

    # --- The engine ---------------------------------------------------------------------------------------------------

    async def pull(self, actor: Actor, cursor: int | None = None, **query: str) -> dict[str, Any]:
        """Pull as the web does; give the parsed answer."""
        asked = pulling.read_pull({**({} if cursor is None else {"last_pulled_at": str(cursor)}), **query})
        wanted = PullRequest(asked.cursor, asked.tables, asked.new_tables, asked.new_columns)
        answer = await pull(self.database, self.room, self.standings, actor, wanted)
        if isinstance(answer, Spooled):
            streamed = (
                pulling.StreamedTable(t.table, pieces(t.created), pieces(t.updated), pieces(t.deleted), t.corrections)
                for t in answer.tables
            )
            stream = pulling.stream_changes(answer.cursor, streamed, replaces=answer.replaces)
            body = b"".join([piece async for piece in stream])
        else:
            body = pulling.write_delta(answer.cursor, answer.tables, answer.moved)
        parsed: dict[str, Any] = json.loads(body)
        return parsed

    async def push(
        self, actor: Actor, cursor: float | None, changes: Changes, *, holds_issues: bool = True
    ) -> dict[str, Any]:
        """Push as the web does; give the answer's JSON. Raises what the engine raises."""
        answer = await push(self.database, self.standings, actor, request(cursor, changes, holds_issues=holds_issues))
        return pulling.write_kept_back(answer.kept_back)

    def device(self, user: str = "agent1", phone: str = "phone1", *, seed: int = 0) -> Replica:
        """Make a device of `user` that talks to the engine."""
        schema = read_schema(schema_document())
        return Replica(schema, EngineTransport(self, self.actor(user, phone)), random=Random(f"{seed}/{phone}"))

    async def issues(self) -> list[asyncpg.Record]:
        return await self.fetch("SELECT * FROM sync_issues WHERE org_id = $1 ORDER BY created_at, id", self.org_id)


class EngineTransport(Transport):
    """A device's way to the engine without HTTP."""

    def __init__(self, house: House, actor: Actor) -> None:
        self.house = house
        self.actor = actor

    async def pull(
        self, last_pulled_at: int | None, schema_version: int, migration: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        query = {"schema_version": str(schema_version), "migration": json.dumps(migration)}
        return await self.house.pull(self.actor, last_pulled_at, **query)

    async def push(self, changes: Mapping[str, Any], last_pulled_at: float) -> Mapping[str, Any]:
        return await self.house.push(self.actor, last_pulled_at, changes, holds_issues="sync_issues" in changes)


def request(cursor: float | None, changes: Changes, *, holds_issues: bool = True) -> PushRequest:
    """Make the push request of a change set, as the web makes it."""
    body = json.dumps(changes).encode()
    whole = None if cursor is None else int(cursor)
    digest = hashlib.sha256(f"{whole}\n".encode() + body).digest()
    return PushRequest(whole, read_changes(json.loads(body), records_max=10_000), digest, holds_issues=holds_issues)


def records(answer: Mapping[str, Any], table: str) -> dict[str, dict[str, Any]]:
    """Give what a pull says exists in `table`: id -> record, of both lists; an id in two lists is an error."""
    lists = answer["changes"][table]
    listed = [record["id"] for record in (*lists["created"], *lists["updated"])] + lists["deleted"]
    assert len(listed) == len(set(listed)), f"an id comes twice in {table}: {listed}"
    return {record["id"]: record for record in (*lists["created"], *lists["updated"])}


def changed_tables(answer: Mapping[str, Any]) -> list[str]:
    """Name the tables of which a pull says anything."""
    return [table for table, lists in answer["changes"].items() if any(lists.values())]


def _wire(value: Any) -> Any:
    match value:
        case datetime():
            return round((value - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
        case date():
            return value.isoformat()
        case Decimal():
            return float(value)
        case list():
            return json.dumps(value, separators=(",", ":"))
        case _:
            return value
