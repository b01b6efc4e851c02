"""Phones that push without a pause while something else breaks: the load and the judge of the crash tests.

Owns: the loop of one phone (pull, push, try again until it is acknowledged), and the comparison of what all of them were
told with what PostgreSQL holds.
Must not know: what breaks, and the server's code; it speaks HTTP and, as the judge, plain SQL.
Invariant: a phone counts a push as acknowledged only after it has read the 200 to its end (tests/integration/test_crashes.py).

Every push creates partners with a contact each, under ids never used before, and raises a counter of its phone by one. A
push that got no answer is sent again, in one of the two ways there are: the same request once more, or, as WatermelonDB
does, after another pull, hence at another cursor. Some requests are cut off by the phone itself, some are sent twice at once.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import asyncpg
import orjson

from sync_server.identity.people import add_user

ORG: Final = "crash"
PASSWORD: Final = "cotton-demo"
SYNC: Final = "/api/v1/sync"
REQUEST_SECONDS: Final = 30
AGAIN_SECONDS: Final = 0.05
LOST: Final = (aiohttp.ClientError, ConnectionError, TimeoutError)
"""What a phone sees when the server, the database or the network goes away in the middle."""

TRY_AGAIN: Final = {503, 504}
"""Answers that say: not now, nothing was applied or it is not known."""

Changes = dict[str, dict[str, list[Any]]]


async def prepare_organisation(url: str, phones: Sequence[str]) -> None:
    """Make the organisation by plain SQL: a user and a counter (a requirement's `bales_max`) for each phone."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            f"""
            INSERT INTO organisations (org_id, id, legal_name, base_currency, financial_year_start_month)
              VALUES ('{ORG}', '{ORG}', 'Crash Cotton', 'INR', 4);
            INSERT INTO branches (org_id, id, code, name, state, is_active)
              VALUES ('{ORG}', 'b1', 'RJT', 'Rajkot', 'Gujarat', true);
            INSERT INTO units (org_id, id, code, name, dimension, factor_to_base)
              VALUES ('{ORG}', 'kg', 'kg', 'kilogram', 'mass', 1);
            INSERT INTO commodities (org_id, id, name, category, hsn, base_unit_id, trade_unit_id, rate_unit_id, gst_rate_pct,
                grades, is_active)
              VALUES ('{ORG}', 'lint', 'Lint', 'lint', '5201', 'kg', 'kg', 'kg', 5, '{{}}', true);
            INSERT INTO business_partners (org_id, id, branch_id, kind, legal_name, credit_limit, exposure, kyc_state, state,
                tags)
              VALUES ('{ORG}', 'buyer', 'b1', '{{buyer}}', 'The buyer', 0, 0, 'pending', 'draft', '{{}}');
            """
        )
        await connection.execute("SELECT found_roles($1)", ORG)
        for phone in phones:
            await connection.execute(
                "INSERT INTO requirements (org_id, id, branch_id, buyer_id, commodity_id, bales_min, bales_max, urgency,"
                " bales_fulfilled, state) VALUES ($1, $2, 'b1', 'buyer', 'lint', 1, 1, 'normal', 0, 'draft')",
                ORG,
                counter_of(phone),
            )
            await add_user(
                connection,
                org_id=ORG,
                user_id=phone,
                username=phone,
                name=phone,
                branch_id="b1",
                password=PASSWORD,
            )
            await connection.execute(
                "INSERT INTO grants (org_id, id, user_id, role_id, branch_id) VALUES ($1, $2, $2, 'agent', 'b1')",
                ORG,
                phone,
            )
    finally:
        await connection.close()


def counter_of(phone: str) -> str:
    return f"counter.{phone}"


@dataclass
class Phone:
    """One phone. `acknowledged`: its pushes that were answered 200; `held`: the partners it was sent in pulls."""

    name: str
    base: str
    rng: random.Random
    token: str = ""
    cursor: int | None = None
    acknowledged: int = 0
    created: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    interrupted: int = 0
    answers: set[int] = field(default_factory=set)

    async def run(self, session: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        """Push until told to stop; the push under way is brought to its end, so that every count is exact."""
        self.token = await self._until_answered(self._login, session)
        while not stop.is_set():
            await self.push_once(session)
        await self._until_answered(self.pull, session)

    async def push_once(self, session: aiohttp.ClientSession) -> None:
        """Make one push and repeat it until it is acknowledged."""
        await self._until_answered(self.pull, session)
        changes = self.next_changes()
        body = orjson.dumps(changes)
        while not await self._attempt(session, body):
            await asyncio.sleep(self.rng.uniform(0, AGAIN_SECONDS))
            if self.rng.random() < 0.5:
                await self._until_answered(self.pull, session)
        self.acknowledged += 1
        self.created |= {record["id"] for record in changes["business_partners"]["created"]}

    def next_changes(self) -> Changes:
        """Make the changes of the next push: some partners, a contact of each, and the counter one higher."""
        number = self.acknowledged + 1
        partners = [
            {
                **_new(f"{self.name}.{number}.{n}"),
                "branch_id": "b1",
                "kind": '["ginner"]',
                "legal_name": f"Ginner {number} of {self.name}",
                "kyc_state": "pending",
                "state": "draft",
                "tags": "[]",
            }
            for n in range(self.rng.randint(1, 3))
        ]
        contacts = [
            {**_new(f"{p['id']}.c"), "partner_id": p["id"], "kind": "owner", "is_primary": True, "name": "The owner"}
            for p in partners
        ]
        counter = {
            "id": counter_of(self.name),
            "_status": "updated",
            "_changed": "bales_max",
            "bales_max": number + 1,
        }
        return {
            "business_partners": {"created": partners, "updated": [], "deleted": []},
            "partner_contacts": {"created": contacts, "updated": [], "deleted": []},
            "requirements": {"created": [], "updated": [counter], "deleted": []},
        }

    async def pull(self, session: aiohttp.ClientSession) -> None:
        """Pull and apply what concerns partners. Raises what LOST names, and `NotNow`."""
        query = {"last_pulled_at": str(self.cursor or "null"), "schema_version": "1", "migration": "null"}
        async with session.get(self.base + SYNC, params=query, headers=self._headers()) as answer:
            pulled = orjson.loads(await self._read(answer))
        partners = pulled["changes"]["business_partners"]
        self.held |= {record["id"] for record in (*partners["created"], *partners["updated"])}
        self.held -= set(partners["deleted"])
        assert pulled["timestamp"] >= (self.cursor or 0), "the cursor went back"
        assert "experimentalStrategy" not in pulled, "a crash is no reason for a replacement"
        self.cursor = pulled["timestamp"]

    async def post(self, session: aiohttp.ClientSession, body: bytes) -> None:
        """Push once; returns when it is acknowledged. Raises what LOST names, and `NotNow`."""
        query = {"last_pulled_at": str(self.cursor)}
        async with session.post(self.base + SYNC, params=query, data=body, headers=self._headers()) as answer:
            assert orjson.loads(await self._read(answer)) == {}, "nothing of it is to be refused"

    async def _attempt(self, session: aiohttp.ClientSession, body: bytes) -> bool:
        whim = self.rng.random()
        try:
            if whim < 0.1:  # the phone hangs up itself
                async with asyncio.timeout(self.rng.uniform(0, 0.02)):
                    await self.post(session, body)
            elif whim < 0.2:  # it sends the same twice at once, as a retry that overtakes
                both = await asyncio.gather(self.post(session, body), self.post(session, body), return_exceptions=True)
                _raise_unexpected(both)
                if all(isinstance(each, BaseException) for each in both):
                    self.interrupted += 1
                    return False
            else:
                await self.post(session, body)
        except (*LOST, NotNow):
            self.interrupted += 1
            return False
        return True

    async def _until_answered(self, work: Any, session: aiohttp.ClientSession) -> Any:
        while True:
            try:
                return await work(session)
            except (*LOST, NotNow):
                self.interrupted += 1
                await asyncio.sleep(AGAIN_SECONDS)

    async def _login(self, session: aiohttp.ClientSession) -> str:
        credentials = {"username": self.name, "password": PASSWORD}
        async with session.post(f"{self.base}/api/v1/auth/login", json=credentials) as answer:
            return str(orjson.loads(await self._read(answer))["access_token"])

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        body = await answer.read()
        self.answers.add(answer.status)
        if answer.status in TRY_AGAIN:
            raise NotNow
        assert answer.status == 200, f"{self.name}: {answer.status} {body[:1000]!r}"
        return body

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}


class NotNow(Exception):
    """The server said that it cannot answer at the moment."""


def _new(id: str) -> dict[str, Any]:
    return {"id": id, "_status": "created", "_changed": ""}


def _raise_unexpected(results: Sequence[object]) -> None:
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, (*LOST, NotNow)):
            raise result


# --- Many of them -----------------------------------------------------------------------------------------------------


@dataclass
class Fleet:
    """Phones at work. `acknowledged()` lets a test wait for progress instead of time."""

    phones: list[Phone]
    tasks: list[asyncio.Task[None]]

    def acknowledged(self) -> int:
        return sum(phone.acknowledged for phone in self.phones)

    async def progress(self, pushes: int) -> None:
        """Wait until so many more pushes are acknowledged. Raises what a phone raised."""
        goal = self.acknowledged() + pushes
        while self.acknowledged() < goal:
            for task in self.tasks:
                if task.done():
                    task.result()
                    raise AssertionError("a phone stopped by itself")
            await asyncio.sleep(0.005)


@asynccontextmanager
async def fleet_at_work(bases: str | Sequence[str], names: Sequence[str], seed: int) -> AsyncIterator[Fleet]:
    """Let a phone per name push, each to one of `bases`; at the end of the block all finish their push and pull once more."""
    urls = [bases] if isinstance(bases, str) else bases
    stop = asyncio.Event()
    timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        phones = [Phone(name, urls[n % len(urls)], random.Random(f"{seed}/{name}")) for n, name in enumerate(names)]
        fleet = Fleet(phones, [asyncio.create_task(phone.run(session, stop)) for phone in phones])
        try:
            yield fleet
            stop.set()
            await asyncio.gather(*fleet.tasks)
        finally:
            for task in fleet.tasks:
                task.cancel()
            await asyncio.gather(*fleet.tasks, return_exceptions=True)
        # Once all have pushed, everybody must be able to hear of everything.
        await asyncio.gather(*(phone.pull(session) for phone in phones))


# --- The judge --------------------------------------------------------------------------------------------------------


async def judge(url: str, phones: Sequence[Phone]) -> None:
    """Hold what the phones were told against what PostgreSQL has. Fails with the difference."""
    connection = await asyncpg.connect(url)
    try:
        created = set[str]().union(*(phone.created for phone in phones))
        await _judge_records(connection, created)
        await _judge_log(connection, created)
        for phone in phones:
            assert phone.held - {"buyer"} == created, f"{phone.name} holds other partners than were pushed"
            await _judge_counter(connection, phone)
    finally:
        await connection.close()


async def _judge_records(connection: asyncpg.Connection, created: set[str]) -> None:
    partners = {r["id"] for r in await connection.fetch("SELECT id FROM business_partners WHERE org_id = $1", ORG)}
    contacts = {r["partner_id"] for r in await connection.fetch("SELECT partner_id FROM partner_contacts")}
    assert partners - {"buyer"} == created, "acknowledged and stored partners differ"
    assert contacts == created, "a partner is stored without its contact, or the other way round"


async def _judge_log(connection: asyncpg.Connection, created: set[str]) -> None:
    """One 'i' for each id and nothing else; the feed agrees with the log; the clock is not behind either."""
    events = await connection.fetch(
        "SELECT record_id, string_agg(op::text, '') AS ops FROM event WHERE org_id = $1"
        " AND entity = 'business_partners' AND record_id <> 'buyer' GROUP BY record_id",
        ORG,
    )
    assert {row["record_id"]: row["ops"] for row in events} == dict.fromkeys(created, "i")
    stray = await connection.fetchval(
        "SELECT count(*) FROM feed f FULL JOIN (SELECT DISTINCT ON (entity, record_id) * FROM event WHERE org_id = $1"
        " ORDER BY entity, record_id, position DESC) e ON f.org_id = e.org_id AND f.entity = e.entity AND f.id = e.record_id"
        " WHERE f.position IS DISTINCT FROM e.position OR f.payload::text IS DISTINCT FROM e.new::text",
        ORG,
    )
    assert stray == 0, f"{stray} records differ between log and feed"
    behind = await connection.fetchval(
        "SELECT count(*) FROM event e JOIN org_clock k USING (org_id) WHERE e.position > (k.epoch::bigint << 40) + k.seq"
    )
    assert behind == 0, "an event is above the clock"


async def _judge_counter(connection: asyncpg.Connection, phone: Phone) -> None:
    """The log of the counter must read 1, 2, 3, …: a lost push leaves a gap, one that counts double a repetition."""
    values = await connection.fetch(
        "SELECT (new->>'bales_max')::integer AS value FROM event WHERE org_id = $1 AND entity = 'requirements'"
        " AND record_id = $2 ORDER BY position",
        ORG,
        counter_of(phone.name),
    )
    found, told = [row["value"] for row in values], list(range(1, phone.acknowledged + 2))
    assert found == told, f"{phone.name}: the log of its counter reads {found}, not 1 to {told[-1]}"
