"""Auditing: whatever somebody with the whole database to themselves does to the log is found, at its row (security.md, 63)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sync_server.engine.audit_faults import Fault, Harm
from sync_server.engine.auditing import FAULTS_MAX, Audited, audit
from sync_server.engine.sealing import seal
from sync_server.store.database import Database
from tests.harness.tampering import cut, make_anew, put_in, swap, tamper
from tests.harness.world import House

Found = list[tuple[Harm, int, int]]


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    """Settle a house whose log has a creation, changes, deletions, a hole in its positions, and is sealed."""
    house = await House.settle(database, tmp_path)
    await house.add_partners("p1", "p2", "p3")
    await house.run("UPDATE business_partners SET address = 'elsewhere'; DELETE FROM business_partners WHERE id = 'p2'")
    await house.run("UPDATE org_clock SET seq = seq + 3")
    await house.add_partners("p4", "p5", "p6")
    await seal(database, house.org_id)
    return house


async def audited(house: House) -> Audited:
    async with house.database.acquire_everywhere() as connection:
        return await audit(connection, house.org_id)


async def found(house: House) -> Found:
    return [(one.harm, one.position, one.upto) for one in (await audited(house)).faults]


async def positions(house: House) -> list[int]:
    return [row["position"] for row in await house.events()]


async def at(house: House, of: str) -> int:
    """Give the position of the last event of a record."""
    return int(await house.one("SELECT max(position) FROM event WHERE record_id = $1", of))


# --- Nothing was done -------------------------------------------------------------------------------------------------


async def test_of_an_untouched_log_nothing_is_said(house: House) -> None:
    whole = await audited(house)

    assert (whole.faults, whole.waiting) == ((), 0)
    assert whole.sealed == len(await house.events())
    assert whole.position == await house.clock()


async def test_what_waits_for_its_seal_is_counted(house: House) -> None:
    await house.add_partners("p7", "p8")

    whole = await audited(house)

    assert (whole.faults, whole.waiting) == ((), 2)


async def test_a_log_without_an_event_or_without_a_seal_is_whole(database: Database, tmp_path: Path) -> None:
    house = House(database, (await House.settle(database, tmp_path)).room, "nobody")
    assert (await audited(house)).faults == ()
    unsealed = await audited(House(database, house.room))
    assert (unsealed.faults, unsealed.sealed) == ((), 0)
    assert unsealed.waiting > 0


async def test_while_many_write_and_seal_nothing_is_said(house: House) -> None:
    going = True

    async def write(writer: int) -> None:
        for n in range(20):
            await house.add_partners(f"w{writer}.{n}", f"v{writer}.{n}")

    async def keep(work: Callable[[], Awaitable[object]]) -> None:
        while going:
            await work()

    async def look() -> None:
        assert await found(house) == []

    others = [asyncio.create_task(keep(lambda: seal(house.database, house.org_id))), asyncio.create_task(keep(look))]
    await asyncio.gather(*(write(n) for n in range(3)))
    going = False
    await asyncio.gather(*others)
    await look()


# --- The log ----------------------------------------------------------------------------------------------------------

COLUMNS = {
    "previous": "coalesce(previous, 0) + 1",
    "entity": "'units'",
    "record_id": "record_id || 'x'",
    "op": "'i'",
    "new": "json_build_object('id', 'p3', 'credit_limit', 1000000)",
    "actor": "'agent1'",
    "session": "'s1'",
    "push": "'p1'",
    "at": "at + interval '1 microsecond'",
}


async def test_every_column_of_an_event_is_tried(house: House) -> None:
    columns = await house.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'event'::regclass AND attnum > 0 AND NOT attisdropped"
    )
    assert {row["attname"] for row in columns} - {"org_id", "position"} == COLUMNS.keys()


@pytest.mark.parametrize("column", COLUMNS)
async def test_an_event_that_was_altered_is_named(house: House, column: str) -> None:
    position = await at(house, "p3")

    await tamper(house, f"UPDATE event SET {column} = {COLUMNS[column]} WHERE position = {position}")

    assert await found(house) == [(Harm.ALTERED, position, position)]


async def test_white_space_in_a_records_json_counts(house: House) -> None:
    position = await at(house, "p3")
    await tamper(house, f"UPDATE event SET new = (new::text || ' ')::json WHERE position = {position}")
    assert await found(house) == [(Harm.ALTERED, position, position)]


@pytest.mark.parametrize("gone", [[0], [7], [7, 8, 9], [-1], [-3, -2, -1], [3, 8]])
async def test_events_that_were_deleted_are_named(house: House, gone: list[int]) -> None:
    there = await positions(house)
    rows = [there[n] for n in gone]

    await tamper(house, f"DELETE FROM event WHERE position = ANY('{{{','.join(map(str, rows))}}}')")

    together = len(gone) == 1 or gone[1] == gone[0] + 1
    runs = [(rows[0], rows[-1])] if together else [(row, row) for row in rows]
    assert await found(house) == [(Harm.DELETED, *run) for run in runs]


async def test_an_event_that_was_put_in_is_named(house: House) -> None:
    """In the hole that others' positions left; and before the first, after the last."""
    hole = await at(house, "p6") - 2
    await put_in(house, hole)
    assert await found(house) == [(Harm.PUT_IN, hole, hole)]
    await tamper(house, "DELETE FROM event WHERE record_id = 'forged'")
    await put_in(house, 1)
    assert await found(house) == [(Harm.PUT_IN, 1, 1)]
    await tamper(house, "DELETE FROM event WHERE record_id = 'forged'")
    beyond = await house.clock() + 1
    await put_in(house, beyond)
    assert await found(house) == [(Harm.PUT_IN, beyond, beyond)]


async def test_events_that_changed_places_are_named_with_where_they_were(house: House) -> None:
    one, other = await at(house, "p1"), await at(house, "p5")

    await swap(house, one, other)

    assert await found(house) == [(Harm.MOVED, one, one), (Harm.MOVED, other, other)]
    first = (await audited(house)).faults[0].sentence
    assert first == (
        f"The event at position {one} was moved: it was sealed at position {other}, the creation of"
        " business_partners/p5 by nobody named."
    )


async def test_another_organisations_log_is_not_touched_by_it(house: House, tmp_path: Path) -> None:
    other = await House.settle(house.database, tmp_path / "other", "org_b")
    await seal(house.database, "org_b")

    await tamper(house, "DELETE FROM event WHERE org_id = 'org_a' AND record_id = 'p1'")

    assert await found(house) != []
    assert await found(other) == []


async def test_of_a_log_that_was_altered_everywhere_a_hundred_faults_are_told(house: House) -> None:
    await house.add_partners(*(f"many{n}" for n in range(150)))
    await seal(house.database, house.org_id)
    await tamper(house, "UPDATE event SET actor = 'somebody'")
    assert len(await found(house)) == FAULTS_MAX


# --- The seals --------------------------------------------------------------------------------------------------------

OTHER = "sha256(position::text::bytea)"


@pytest.mark.parametrize("n", [0, 5, -2, -1])
@pytest.mark.parametrize(
    "change", [f"leaf = {OTHER}", f"digest = {OTHER}", f"leaf = {OTHER}, digest = sha256({OTHER})"]
)
async def test_a_seal_that_was_altered_is_named(house: House, change: str, n: int) -> None:
    position = (await positions(house))[n]

    await tamper(house, f"UPDATE event_seal SET {change} WHERE position = {position}")

    harm = Harm.ALTERED if change.count("=") > 1 else Harm.SEAL_ALTERED
    assert await found(house) == [(harm, position, position)]


@pytest.mark.parametrize(
    ("salt", "harm"), [("NULL", Harm.SALT_GONE), ("substr(sha256(salt), 1, 16)", Harm.ALTERED)], ids=["gone", "another"]
)
async def test_a_salt_that_is_not_what_it_was_is_named(house: House, salt: str, harm: Harm) -> None:
    position = await at(house, "p3")
    await tamper(house, f"UPDATE event_seal SET salt = {salt} WHERE position = {position}")
    assert await found(house) == [(harm, position, position)]


@pytest.mark.parametrize("n", [0, 5, -1])
async def test_a_seal_that_was_taken_out_is_named(house: House, n: int) -> None:
    position = (await positions(house))[n]
    await tamper(house, f"DELETE FROM event_seal WHERE position = {position}")
    assert await found(house) == [(Harm.SEAL_GONE, position, position)]


async def test_an_event_taken_out_with_its_seal_is_missed_between_its_neighbours(house: House) -> None:
    there = await positions(house)
    for table in ("event", "event_seal"):
        await tamper(house, f"DELETE FROM {table} WHERE position = {there[6]}")
    assert await found(house) == [(Harm.TAKEN_OUT, there[5], there[7])]


async def test_a_chain_that_was_mended_for_one_row_is_broken_at_the_next(house: House) -> None:
    there = await positions(house)
    one = there[6]
    await tamper(
        house,
        f"UPDATE event SET actor = 'x' WHERE position = {one};"
        f"UPDATE event_seal SET leaf = {OTHER}, digest = sha256({OTHER}) WHERE position = {one};",
    )
    assert await found(house) == [(Harm.ALTERED, one, one)]


@pytest.mark.parametrize("column", ["position", "sealed", "digest"])
async def test_an_end_of_the_chain_that_was_altered_is_told(house: House, column: str) -> None:
    value = "sha256(digest)" if column == "digest" else f"{column} - 1"
    await tamper(house, f"UPDATE seal_head SET {column} = {value}")
    assert [harm for harm, _, _ in await found(house)] == [Harm.HEAD_ALTERED]
    await tamper(house, "DELETE FROM seal_head")
    assert [harm for harm, _, _ in await found(house)] == [Harm.HEAD_ALTERED]


async def test_a_tail_cut_off_with_its_seals_is_told_by_the_end_of_the_chain(house: House) -> None:
    there = await positions(house)
    for table in ("event", "event_seal"):
        await tamper(house, f"DELETE FROM {table} WHERE position > {there[-3]}")
    assert await found(house) == [(Harm.CUT_OFF, there[-3], there[-3])]


async def test_what_only_published_heads_can_tell_is_not_told_without_them(house: House) -> None:
    """The reason for publishing: a chain made anew, and one cut off with its end, hold in themselves."""
    there = await positions(house)
    await cut(house, there[-3])
    assert await found(house) == []
    await tamper(house, "UPDATE event SET actor = 'somebody' WHERE record_id = 'p1'")
    await make_anew(house)
    assert await found(house) == []


# --- Anything, anywhere -----------------------------------------------------------------------------------------------


async def test_any_single_tampering_is_found_at_its_row(house: House, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(40):
        there = await positions(house)
        row = chance.choice(there)
        column = chance.choice([name for name in COLUMNS if name != "op"])
        table, do, rows = chance.choice(
            [
                ("event", f"UPDATE event SET {column} = {COLUMNS[column]} WHERE position = {row}", {row}),
                ("event", f"DELETE FROM event WHERE position = {row}", {row}),
                ("event_seal", f"UPDATE event_seal SET digest = {OTHER} WHERE position = {row}", {row}),
                ("event_seal", f"UPDATE event_seal SET leaf = {OTHER} WHERE position = {row}", {row}),
                ("event_seal", f"DELETE FROM event_seal WHERE position = {row}", {row}),
                ("event", None, {row, chance.choice([one for one in there if one != row])}),
            ]
        )
        await tamper(house, f"CREATE TABLE kept AS TABLE {table}")
        changed = await house.one(
            f"SELECT ({COLUMNS[column]})::text IS DISTINCT FROM {column}::text FROM event WHERE position = {row}"
        )
        if do is None:
            await swap(house, *rows)
        else:
            await tamper(house, do)

        told = await found(house)

        if changed or "UPDATE event " not in (do or ""):
            assert {position for _, position, _ in told} == rows, f"{do or 'swap'}: {told}"
        await tamper(house, f"DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept; DROP TABLE kept")
        assert await found(house) == []


def test_a_fault_is_told_in_a_sentence() -> None:
    assert Fault(Harm.DELETED, 7, 9).sentence == (
        "The events from position 7 to 9 were deleted; the seal is still there."
    )
    assert Fault(Harm.CUT_OFF, 7, 7).sentence == "What came after position 7 was cut off."
