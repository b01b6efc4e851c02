"""Slices: an exchange's answer in pieces adds up to the whole, the urgent first, whatever breaks (engine/slicing.py)."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import time
import tracemalloc
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest

from erp_core.catalogue import BY_TABLE
from erp_core.language import Urgency
from sync_server.engine import exchange, slicing
from sync_server.engine import pull as pulls
from sync_server.engine.pull import Delta, PullRequest
from sync_server.engine.spooling import Spooled, pull
from sync_server.store import spool
from sync_server.store.database import Database
from sync_server.store.parcels import KEPT_OF_OWNER, Parcel, ParcelRoom
from sync_server.web import keys
from sync_server.wire.slicing import Cutter, Slice, write_more
from tests.conftest import MakeServerProcess
from tests.harness.office import at_desk
from tests.harness.people import logged_in, settle
from tests.harness.servers import Server, serve_here
from tests.harness.world import House, partner

_IDS = itertools.count()
BUDGET = 4096


@dataclass
class Phone:
    """Somebody's phone that fetches slices, by hand."""

    url: str
    headers: Mapping[str, str]
    cursor: int | None = None
    seen: list[bytes] = field(default_factory=list)
    """The bodies of the last answer, as they were sent."""

    async def post(self, body: Mapping[str, Any]) -> tuple[int, bytes]:
        sent = {**self.headers, "Accept-Encoding": "identity"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.url}/api/v1/sync/exchange", json=body, headers=sent) as answer,
        ):
            return answer.status, await answer.read()

    async def begin(self, changes: Any = None, *, budget: int | None = BUDGET, **said: Any) -> dict[str, Any]:
        """Exchange; give the first slice."""
        wanted = {"push_id": f"s{next(_IDS)}", "last_pulled_at": self.cursor, "schema_version": 2}
        budgeted = {} if budget is None else {"budget_bytes": budget}
        status, body = await self.post({**wanted, "changes": changes or {}, **budgeted, **said})
        answer: dict[str, Any] = json.loads(body)
        assert status == 200, answer
        self.seen = [body]
        return answer

    async def more(self, token: str) -> dict[str, Any]:
        """Give a further slice."""
        status, body = await self.post({"more": token})
        assert status == 200, body
        self.seen.append(body)
        answer: dict[str, Any] = json.loads(body)
        return answer

    async def refused(self, token: str) -> dict[str, Any]:
        """Ask for a slice that is not there; give the problem without what differs between any two."""
        status, body = await self.post({"more": token})
        problem: dict[str, Any] = json.loads(body)
        assert (status, problem["code"]) == (410, "slices_gone")
        del problem["correlation_id"]
        return problem

    async def rest(self, slice_: dict[str, Any]) -> list[dict[str, Any]]:
        """Give all slices from `slice_` on."""
        found = [slice_]
        while "more" in found[-1]:
            found.append(await self.more(found[-1]["more"]["token"]))
        return found

    async def all(self, changes: Any = None, *, budget: int = BUDGET, **said: Any) -> list[dict[str, Any]]:
        return await self.rest(await self.begin(changes, budget=budget, **said))

    async def whole(self) -> dict[str, Any]:
        """Give the answer in one piece."""
        return await self.begin(budget=None)


def rows_in(slice_: Mapping[str, Any]) -> int:
    return sum(len(listed) for lists in slice_["changes"].values() for listed in lists.values())


def added_up(slices: list[dict[str, Any]]) -> dict[tuple[str, str], list[Any]]:
    """Put slices together: (table, list) -> what is in it, in the order of ids; what is empty is left out."""
    together: dict[tuple[str, str], list[Any]] = {}
    for one in slices:
        for table, lists in one["changes"].items():
            for which, listed in lists.items():
                together.setdefault((table, which), []).extend(listed)
    ids = {key: sorted(listed, key=lambda r: r if isinstance(r, str) else r["id"]) for key, listed in together.items()}
    return {key: listed for key, listed in ids.items() if listed}


def order_of(slices: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Give (table, id) in the order in which they came; within a slice the tables are in the order of the answer."""
    return [
        (table, record if isinstance(record, str) else record["id"])
        for one in slices
        for table, lists in one["changes"].items()
        for listed in lists.values()
        for record in listed
    ]


async def phone_of(server: Server, house: House, user: str = "agent1", session: str = "") -> Phone:
    clerk = await at_desk(server, house, user, session)
    return Phone(server.url, clerk.headers)


def parcels(server: Server) -> list[Path]:
    return [path for path in server.settings.data.glob("spools/*/slices/*") if path.is_file()]


@pytest.fixture
async def house(server: Server, database: Database, tmp_path: Path) -> House:
    return await House.settle(database, tmp_path)


@pytest.fixture
async def stocked(house: House) -> House:
    """A house with some work, of which a phone holds nothing yet."""
    await stock(house, 40)
    return house


@pytest.fixture
async def phone(server: Server, stocked: House) -> Phone:
    return await phone_of(server, stocked)


async def stock(house: House, count: int, prefix: str = "p") -> None:
    """Insert partners, lots, trades and issues by plain SQL; names have what is awkward in JSON and in CSV."""
    awkward = """E'line\\nbreak, "quoted" \\\\ back {"created_by":"agent1","state":"draft"} \\t ક 🚚'"""
    await house.run(f"""
      INSERT INTO business_partners (org_id, id, branch_id, legal_name, kind, remarks, assigned_agent_id)
        SELECT '{house.org_id}', '{prefix}' || n, 'b1', 'Partner ' || n, '{{buyer,seller}}', repeat({awkward}, n % 5),
          CASE n % 4 WHEN 0 THEN 'agent1' WHEN 1 THEN 'agent2' END
        FROM generate_series(1, {count}) n;
      INSERT INTO availabilities (org_id, id, branch_id, seller_id, commodity_id, crop_year, bales_offered,
          asking_price_per_candy, state)
        SELECT '{house.org_id}', '{prefix}l' || n, 'b1', '{prefix}' || n, 'lint', '2026-27', 100, 62000, 'active'
        FROM generate_series(1, {count}) n;
      INSERT INTO sync_issues (org_id, id, author_id, table_name, record_id, kind, operation, reason_code, sentence, state)
        SELECT '{house.org_id}', '{prefix}i' || n, 'agent1', 'trades', 't9', 'refused', 'updated', 'locked', 'Fixed.', 'open'
        FROM generate_series(1, 5) n;
    """)


async def move(house: House) -> None:
    """Change, add and delete, so that a delta has all three lists."""
    await stock(house, 20, "new")
    await house.run("""
      UPDATE business_partners SET email = id || '@example.com' WHERE id LIKE 'p%' AND id NOT IN ('p1', 'p2');
      DELETE FROM availabilities WHERE id LIKE 'pl1%';
    """)


# --- The whole of it --------------------------------------------------------------------------------------------------


@pytest.fixture(params=["first sync", "delta in memory", "spooled delta"])
async def syncing(
    request: pytest.FixtureRequest, phone: Phone, stocked: House, monkeypatch: pytest.MonkeyPatch
) -> Phone:
    """A phone before each kind of answer."""
    if request.param != "first sync":
        phone.cursor = (await phone.whole())["timestamp"]
        await move(stocked)
    if request.param == "spooled delta":
        monkeypatch.setattr(pulls, "SMALL_DELTA_MAX", 0)
    return phone


async def test_slices_add_up_to_the_whole_answer(syncing: Phone, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(seed)
    whole = await syncing.whole()

    for budget in (4096, *(random.randint(4096, 1 << random.randint(13, 17)) for _ in range(6))):
        monkeypatch.setattr(spool, "BLOCK_BYTES", random.randint(10, 5000))  # a block ends anywhere in a record
        slices = await syncing.all(budget=budget)

        assert added_up(slices) == added_up([whole])
        assert slices[-1]["timestamp"] == whole["timestamp"]
        assert all(len(body) <= budget for body in syncing.seen)


async def test_what_is_still_to_come_is_told_exactly(syncing: Phone) -> None:
    slices = await syncing.all()

    assert len(slices) > 5
    for place, one in enumerate(slices[:-1]):
        left, bodies = slices[place + 1 :], syncing.seen[place + 1 :]
        assert one["more"]["rows"] == sum(map(rows_in, left))
        assert one["more"]["bytes"] == sum(map(len, bodies))


async def test_only_the_last_slice_moves_the_cursor_and_only_the_first_has_verdicts(syncing: Phone) -> None:
    slices = await syncing.all(updated("business_partners", "p1", legal_name="By phone"))

    assert [n for n, one in enumerate(slices) if "verdicts" in one] == [0]
    assert [n for n, one in enumerate(slices) if "timestamp" in one] == [len(slices) - 1]
    assert "more" not in slices[-1]
    assert all(one.keys() <= {"verdicts", "changes", "more", "timestamp"} for one in slices)


async def test_answer_that_fits_is_not_cut_and_nothing_is_kept_of_it(server: Server, phone: Phone) -> None:
    answer = await phone.begin(budget=1 << 20)

    assert answer["timestamp"]
    assert "more" not in answer
    assert parcels(server) == []


async def test_record_larger_than_the_budget_goes_alone(server: Server, house: House) -> None:
    await house.add_partners("q", "big", "r")
    await house.run("UPDATE business_partners SET remarks = repeat('x', 1900), tags = array(SELECT 'tag' || n FROM "
                    "generate_series(1, 900) n) WHERE id = 'big'")  # fmt: skip
    phone = await phone_of(server, house)

    slices = await phone.all()

    (place,) = (n for n, one in enumerate(slices) for r in one["changes"].get("business_partners", {}).get("created", ())
                if r["id"] == "big")  # fmt: skip
    assert rows_in(slices[place]) == 1
    assert len(phone.seen[place]) > BUDGET
    assert all(len(body) <= BUDGET for n, body in enumerate(phone.seen) if n != place)


async def test_verdicts_that_fill_a_slice_go_alone(phone: Phone) -> None:
    await phone.begin(budget=1 << 20)
    changes = {"business_partners": {"created": [partner(f"w{n}") for n in range(40)]}}

    slices = await phone.all(changes)

    assert len(slices[0]["verdicts"]) == 40
    assert rows_in(slices[0]) == 0
    assert len(phone.seen[1]) <= BUDGET


# --- One snapshot -----------------------------------------------------------------------------------------------------


async def test_what_others_write_meanwhile_is_in_no_slice_and_in_the_next_answer(
    syncing: Phone, stocked: House
) -> None:
    whole = await syncing.whole()
    slices = [await syncing.begin()]
    while "more" in slices[-1]:
        if len(slices) < 4:
            await stocked.run(f"UPDATE business_partners SET remarks = 'meanwhile {len(slices)}'")
            await stocked.add_partners(f"late{len(slices)}")
        slices.append(await syncing.more(slices[-1]["more"]["token"]))

    assert added_up(slices) == added_up([whole])
    syncing.cursor = slices[-1]["timestamp"]
    following = added_up([await syncing.whole()])
    assert {r["id"] for r in following["business_partners", "created"]} == {"late1", "late2", "late3"}
    assert all(r["remarks"] == "meanwhile 3" for r in following["business_partners", "updated"])


# --- Whatever breaks --------------------------------------------------------------------------------------------------


async def test_same_token_gives_the_same_bytes_however_often_and_in_any_order(phone: Phone) -> None:
    slices = await phone.all()
    tokens = [one["more"]["token"] for one in slices[:-1]]

    again = await asyncio.gather(*(phone.post({"more": token}) for token in reversed(tokens)))

    assert [body for _, body in reversed(again)] == phone.seen[1:]


async def test_slice_whose_connection_was_cut_is_asked_for_again(phone: Phone, stocked: House, seed: int) -> None:
    random, whole = Random(seed), await phone.whole()
    slices = [await phone.begin(budget=1 << 14)]
    while "more" in slices[-1]:
        token = slices[-1]["more"]["token"]
        for _ in range(2):
            await cut_off(phone, {"more": token}, random.randint(0, 1 << 14))
        slices.append(await phone.more(token))

    assert added_up(slices) == added_up([whole])


async def cut_off(phone: Phone, body: Mapping[str, Any], after: int) -> None:
    """Ask, and go away after some bytes of the answer."""
    host, port = phone.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    text = json.dumps(body)
    headers = {**phone.headers, "Host": host, "Content-Type": "application/json", "Content-Length": str(len(text))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"POST /api/v1/sync/exchange HTTP/1.1\r\n{lines}\r\n{text}".encode())
    if after:
        await reader.read(after)
    writer.transport.abort()
    await asyncio.sleep(0)


@pytest.mark.parametrize("workers", [1, 2])
async def test_killed_between_slices_it_goes_on_after_a_restart(
    database_url: str, database: Database, tmp_path: Path, server_process: MakeServerProcess, workers: int
) -> None:
    house = await House.settle(database, tmp_path)
    await stock(house, 15)
    process = await server_process(database_url, workers=workers)
    phone = Phone(process.url, await headers_at(process.data, house))
    whole = await phone.whole()
    slices = [await phone.begin()]
    while "more" in slices[-1]:
        if len(slices) in (1, 3):
            await process.kill()
            await process.restart()
        slices.append(await phone.more(slices[-1]["more"]["token"]))

    assert len(slices) > 4
    assert added_up(slices) == added_up([whole])


async def headers_at(data: Path, house: House) -> dict[str, str]:
    """Open a session for a server process, with the key that it made."""
    from sync_server.identity.tokens import Tokens

    actor = house.actor("agent1", "desk")
    await house.fetch(
        "INSERT INTO session (org_id, id, user_id, expires_at) VALUES ($1, $2, $3, now() + interval '1 day')",
        *(actor.org_id, actor.session_id, actor.user_id),
    )
    return {"Authorization": f"Bearer {Tokens.open(data / 'keys', access_seconds=600).issue(actor)}"}


async def test_request_that_was_doubled_has_two_answers_that_both_go_on(phone: Phone) -> None:
    whole = await phone.whole()
    twice = await asyncio.gather(phone.begin(), phone.begin())

    for first in twice:
        assert added_up(await phone.rest(first)) == added_up([whole])


async def test_answer_that_is_given_up_while_it_is_made_leaves_nothing(house: House, tmp_path: Path) -> None:
    room, making = ParcelRoom(tmp_path / "slices", bytes_max=1 << 30, seconds=3600), asyncio.Event()
    await stock(house, 40)

    class Slow(Cutter):
        def last(self, timestamp: int) -> Slice:
            making.set()
            raise asyncio.CancelledError

    answer, how = await made(house, Slow(BUDGET, b"[]"))
    with pytest.raises(asyncio.CancelledError):
        await slicing.cut(room, house.actor(), answer, how)

    assert making.is_set()
    assert list((tmp_path / "slices").iterdir()) == []


async def made(house: House, cutter: Cutter) -> tuple[Delta | Spooled, slicing.Slicing]:
    """Make an answer without HTTP, and what it takes to cut it."""
    since = await slicing.entitled_since(house.database, house.standings, house.actor())
    wanted = PullRequest(None, ("business_partners", "units"))
    answer = await pull(house.database, house.room, house.standings, house.actor(), wanted)
    return answer, slicing.Slicing(since, cutter, lambda _: b"", write_more)


# --- What comes first -------------------------------------------------------------------------------------------------


async def test_inbox_comes_first_then_own_open_work_and_reference_data_last(
    server: Server, stocked: House, syncing: Phone
) -> None:
    await stocked.run("""
      INSERT INTO quality_inspections (org_id, id, availability_id, inspector_id, state) VALUES
        ('org_a', 'mine', 'pl30', 'agent1', 'draft'), ('org_a', 'done', 'pl30', 'agent1', 'accepted'),
        ('org_a', 'theirs', 'pl30', 'agent2', 'draft');
      INSERT INTO trades (org_id, id, branch_id, buyer_id, seller_id, commodity_id, bales, price_per_candy, trade_date,
          deliver_from, state, created_by)
        SELECT 'org_a', id, 'b1', 'p1', 'p2', 'lint', 50, 62000, '2026-11-20', now()::date + day, state, 'agent1'
        FROM (VALUES ('later', 'confirmed', 2), ('late', 'confirmed', -2), ('whenever', 'confirmed', NULL),
          ('completed', 'completed', -2), ('cancelled', 'cancelled', -2)) trade (id, state, day);
      INSERT INTO units (org_id, id, code, name, dimension, factor_to_base) VALUES
        ('org_a', 'qtl', 'qtl', 'Quintal', 'mass', 100);
    """)
    assigned = await stocked.fetch("SELECT id FROM business_partners WHERE assigned_agent_id = 'agent1'")
    own = {("business_partners", row["id"]) for row in assigned} | {
        ("quality_inspections", "mine"),
        ("trades", "late"),
        ("trades", "whenever"),
        ("trades", "later"),
    }

    order = order_of(await syncing.all())

    inbox = [BY_TABLE[table].urgency for table, _ in order].count(Urgency.INBOX)
    assert inbox
    assert {table for table, _ in order[:inbox]} == {"sync_issues"}
    mine = [key in own for key in order[inbox:]]
    assert sum(mine) >= 7
    assert mine == sorted(mine, reverse=True)
    today = order[inbox : inbox + sum(mine) - 1]
    assert sorted(today[:2]) == [("trades", "late"), ("trades", "whenever")]
    assert today[2] == ("quality_inspections", "mine")
    assert order[inbox + sum(mine) - 1] == ("trades", "later"), "after all that is for today"
    rest = [BY_TABLE[table].urgency for table, _ in order[inbox + sum(mine) :]]
    assert rest == sorted(rest)
    assert rest[-1] is Urgency.REFERENCE


# --- Echo -------------------------------------------------------------------------------------------------------------


def updated(table: str, id: str, **values: Any) -> dict[str, Any]:
    return {table: {"updated": [{"id": id, **values, "_status": "updated", "_changed": ",".join(values)}]}}


async def test_what_was_taken_as_sent_is_in_no_slice_and_what_was_merged_is(
    server: Server, phone: Phone, stocked: House
) -> None:
    phone.cursor = (await phone.whole())["timestamp"]
    await move(stocked)
    changes = {
        "business_partners": {
            "updated": [
                {"id": "p1", "legal_name": "Taken", "_status": "updated", "_changed": "legal_name"},
                {"id": "p3", "legal_name": "Merged", "_status": "updated", "_changed": "legal_name"},
            ]
        }
    }

    slices = await phone.all(changes)

    assert [one["verdict"] for one in slices[0]["verdicts"]] == ["accepted", "merged"]
    got = {r["id"]: r for r in added_up(slices)["business_partners", "updated"]}
    assert "p1" not in got
    assert (got["p3"]["legal_name"], got["p3"]["email"]) == ("Merged", "p3@example.com")


async def test_same_push_again_has_one_effect_and_its_own_slices(phone: Phone, stocked: House) -> None:
    phone.cursor = (await phone.whole())["timestamp"]
    await move(stocked)
    changes = updated("business_partners", "p3", legal_name="Merged")
    once = await phone.all(changes, push_id="same")
    clock = await stocked.clock()

    again = await phone.all(changes, push_id="same")

    assert again[0]["verdicts"] == once[0]["verdicts"]
    assert added_up(again) == added_up(once)
    assert await stocked.clock() == clock


# --- Whose they are ---------------------------------------------------------------------------------------------------


async def test_nobody_else_learns_anything_of_a_token(server: Server, phone: Phone, stocked: House) -> None:
    slices = await phone.all()
    token = slices[0]["more"]["token"]
    other = await House.settle(stocked.database, stocked.room._folder, "org_b")
    strangers = [
        await phone_of(server, stocked, "agent2"),
        await phone_of(server, stocked, "agent1", "another-device"),
        await phone_of(server, other, "agent1"),
    ]

    made_up = await phone.refused("x" * 43 + ".1")

    for stranger in strangers:
        assert await stranger.refused(token) == made_up
    name, _, place = token.partition(".")
    for wrong in (
        f"{name}.{len(slices)}",
        f"{name}.99999",
        f"{name}.0",
        name,
        f"../{name}.1",
        f"{name}.{place}\n",
        "",
        f"{name}.-1",
    ):
        assert await phone.refused(wrong) == made_up
    assert await phone.more(token), "and the owner still has it"


async def test_user_whose_rights_changed_begins_again(server: Server, stocked: House) -> None:
    await stocked.run("UPDATE business_partners SET assigned_agent_id = 'field' WHERE id LIKE 'p%'")
    await stocked.employ("field")
    await stocked.run("INSERT INTO roles (org_id, id, title, codes) VALUES ('org_a', 'some', 'Some',"
                      " '{sync.use,desk.read,desk.write}')")  # fmt: skip
    grant = await stocked.grant("field", "some", branch_id="b1")
    await stocked.grant("field", "some", branch_id="b2")
    phone = await phone_of(server, stocked, "field")
    slices = [await phone.begin()]
    slices.append(await phone.more(slices[0]["more"]["token"]))

    await stocked.take(grant)

    await phone.refused(slices[0]["more"]["token"])
    await phone.refused(slices[1]["more"]["token"])
    anew = await phone.all()
    assert not {table for table, _ in order_of(anew)} & {"business_partners", "availabilities"}
    await stocked.grant("field", "some", branch_id="b1")
    await phone.refused(slices[1]["more"]["token"])


async def test_rights_that_change_while_the_answer_is_made_let_nothing_slip(
    server: Server, stocked: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant = await stocked.grant("someone", "everything", branch_id="b1")
    phone = await phone_of(server, stocked, "someone")

    async def pull_and_take(*arguments: Any) -> Any:
        answer = await pull(*arguments)
        await stocked.take(grant)
        return answer

    monkeypatch.setattr(exchange, "pull", pull_and_take)

    await phone.refused((await phone.begin())["more"]["token"])


async def test_rights_of_others_that_change_disturb_nobody(phone: Phone, stocked: House) -> None:
    first = await phone.begin()
    await stocked.employ("newcomer", "everything")

    assert len(await phone.rest(first)) > 3


# --- How long, and how many -------------------------------------------------------------------------------------------


async def test_slices_that_nobody_asked_for_in_time_are_gone(server: Server, phone: Phone) -> None:
    first = await phone.begin()
    (path,) = parcels(server)
    late = time.time() - server.settings.slice_seconds
    os.utime(path, (late + 60, late + 60))
    second = await phone.more(first["more"]["token"])
    assert path.stat().st_mtime > late + 600, "who is still at it has the time anew"
    os.utime(path, (late - 1, late - 1))

    await phone.refused(second["more"]["token"])
    assert server.app is not None
    server.app[keys.PARCELS].sweep()
    assert parcels(server) == []


@pytest.mark.parametrize("left", [0, 10, 3000])
async def test_slices_of_which_a_disk_lost_the_end_are_gone(server: Server, phone: Phone, left: int) -> None:
    first = await phone.begin()
    (path,) = parcels(server)
    os.truncate(path, left)

    await phone.refused(first["more"]["token"])


async def test_slices_are_not_kept_for_ever_for_who_goes_on_asking(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await phone.begin()
    monkeypatch.setattr("sync_server.store.parcels.LONGEST_SECONDS", -1)

    await phone.refused(first["more"]["token"])


async def test_device_keeps_its_newest_answers_only(server: Server, phone: Phone) -> None:
    tokens = [(await phone.begin())["more"]["token"] for _ in range(KEPT_OF_OWNER + 2)]

    assert len(parcels(server)) == KEPT_OF_OWNER
    await phone.refused(tokens[0])
    for token in tokens[-KEPT_OF_OWNER:]:
        await phone.more(token)


@pytest.mark.parametrize("room", [0, 50_000])
async def test_answer_for_which_there_is_no_room_comes_whole(
    server: Server, database_url: str, stocked: House, tmp_path: Path, room: int
) -> None:
    await stock(stocked, 200, "many")
    async with serve_here(database_url, tmp_path / "small", slice_bytes_max=room) as small:
        phone = await phone_of(small, stocked)
        answer = await phone.begin()

        assert answer.keys() == {"verdicts", "changes", "timestamp"}
        assert added_up([answer]) == added_up([await phone.whole()])
        assert parcels(small) == []


async def test_answer_comes_whole_while_the_disk_is_full(
    server: Server, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, full = ParcelRoom.begin, os.open("/dev/full", os.O_WRONLY)

    async def begin_on_a_full_disk(room: ParcelRoom, owner: str) -> Parcel:
        parcel = await begin(room, owner)
        os.dup2(full, parcel._file)
        return parcel

    monkeypatch.setattr(ParcelRoom, "begin", begin_on_a_full_disk)
    answer = await phone.begin()
    os.close(full)

    assert "more" not in answer
    assert added_up([answer]) == added_up([await phone.whole()])
    assert parcels(server) == []


async def test_answer_whose_copy_failed_is_to_be_asked_for_again(
    phone: Phone, stocked: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sync_server.store.listings.copy_listing", fails)
    status, body = await phone.post({"push_id": "x", "last_pulled_at": None, "changes": {}, "budget_bytes": BUDGET})

    assert (status, json.loads(body)["code"]) == (503, "busy")


async def test_replacement_is_not_cut(phone: Phone, stocked: House) -> None:
    phone.cursor = 1_700_000_000_000  # of another backend: what the phone has is to be replaced
    answer = await phone.begin()

    assert answer["experimentalStrategy"] == "replacement"
    assert "more" not in answer


async def test_device_that_is_to_be_emptied_gets_no_further_slice_and_hears_of_it_when_it_begins_anew(
    server: Server, database: Database
) -> None:
    await settle(database)
    async with database.acquire_everywhere() as connection:
        await connection.execute("UPDATE roles SET codes = codes || '{branch.read_all}'::text[] WHERE id = 'agent'")
        await connection.execute(
            "INSERT INTO branches (org_id, id, code, name, state) SELECT 'org.1', n, n, 'SECRET ' || n, 'Gujarat'"
            " FROM generate_series(1, 40) n"
        )
    asha, mina = await logged_in(server, "asha", id="phone-1"), await logged_in(server, "mina", id="desk-1")
    wanted: dict[str, Any] = {"push_id": "p", "last_pulled_at": None, "changes": {}, "budget_bytes": BUDGET}
    _, first = await asha.ask("POST", "/sync/exchange", wanted)
    assert (await mina.ask("POST", "/devices/phone-1/wipe"))[0] == 200

    status, problem = await asha.ask("POST", "/sync/exchange", {"more": first["more"]["token"]})
    assert (status, problem["code"]) == (410, "slices_gone")
    status, answer = await asha.ask("POST", "/sync/exchange", wanted)
    assert (status, rows_in(answer), answer.get("more")) == (200, 0, None)
    unsent = {"branches": {"created": [{"id": "kept-back"}]}}
    assert await asha.ask("POST", "/sync/exchange", {**wanted, "changes": unsent}) == (200, {})


async def test_memory_does_not_grow_with_the_answer(house: House, tmp_path: Path) -> None:
    await house.run("""
      INSERT INTO business_partners (org_id, id, branch_id, legal_name, kind, remarks)
        SELECT 'org_a', 'p' || n, 'b1', 'Partner ' || n, '{buyer,seller}', repeat('remark ', 40)
        FROM generate_series(1, 20000) n
    """)
    room = ParcelRoom(tmp_path / "slices", bytes_max=1 << 30, seconds=3600)
    answer, how = await made(house, Cutter(1 << 16, b"[]"))

    tracemalloc.start()
    first = await slicing.cut(room, house.actor(), answer, how)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert first is not None
    more = json.loads(first)["more"]
    assert more["rows"] > 19_000
    assert more["bytes"] > 10 * 2**20
    assert peak < 5 * 2**20


# --- Shapes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "status", "code", "where"),
    [
        ({"budget_bytes": 4095}, 422, "invalid_value", "/budget_bytes"),
        ({"budget_bytes": 2**24 + 1}, 422, "invalid_value", "/budget_bytes"),
        ({"budget_bytes": True}, 422, "wrong_type", "/budget_bytes"),
        ({"budget_bytes": "9999"}, 422, "wrong_type", "/budget_bytes"),
        ({"more": 5}, 422, "wrong_type", "/more"),
        ({"more": None}, 422, "wrong_type", "/more"),
        ({"more": "x", "push_id": "p"}, 422, "unknown_member", "/push_id"),
    ],
)
async def test_wrong_member_is_pointed_at(
    phone: Phone, said: dict[str, Any], status: int, code: str, where: str
) -> None:
    usual: dict[str, Any] = {} if "more" in said else {"push_id": "p", "last_pulled_at": None, "changes": {}}
    answer = await phone.post({**usual, **said})

    problem = json.loads(answer[1])
    assert (answer[0], problem["code"], problem["pointer"]) == (status, code, where)


async def test_ended_session_gets_no_slice(server: Server, phone: Phone, stocked: House) -> None:
    token = (await phone.begin())["more"]["token"]
    await stocked.run("UPDATE session SET revoked_at = now()")
    assert server.app is not None
    server.app[keys.SESSIONS].forget("org_a", ["desk-of-agent1"])

    status, body = await phone.post({"more": token})

    assert (status, json.loads(body)["code"]) == (401, "session_ended")
