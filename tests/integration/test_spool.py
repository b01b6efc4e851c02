"""Spools: one writer, any number of followers, exactly the bytes that were written (store/spool.py)."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from sync_server.store.spool import ABANDONED_SECONDS, BLOCK_BYTES, Broken, Spool, SpoolRoom


@pytest.fixture
def room(tmp_path: Path) -> SpoolRoom:
    return SpoolRoom(tmp_path, bytes_max=1 << 30)


async def read(spool: Spool, *, pause: float = 0) -> bytes:
    pieces = []
    async for piece in spool.chunks():
        pieces.append(piece)
        if pause:
            await asyncio.sleep(pause)
    return b"".join(pieces)


async def fill(spool: Spool, data: bytes, *, size: int = 10_000) -> None:
    for start in range(0, len(data), size):
        await spool.write(data[start : start + size])
        await asyncio.sleep(0)
    await spool.finish()


DATA = os.urandom(3 * BLOCK_BYTES + 17)


@pytest.mark.parametrize("data", [b"", b"x", DATA[:BLOCK_BYTES], DATA], ids=len)
async def test_reader_gets_exactly_what_was_written(room: SpoolRoom, data: bytes) -> None:
    spool = room.nameless()

    await fill(spool, data)

    assert await read(spool) == data
    assert await read(spool) == data, "a second time too"


async def test_readers_follow_the_writer_each_at_its_own_pace(room: SpoolRoom) -> None:
    spool = room.nameless()
    readers = [asyncio.create_task(read(spool, pause=pause)) for pause in (0, 0.001, 0.02)]

    await fill(spool, DATA)
    late = asyncio.create_task(read(spool))

    assert set(await asyncio.gather(*readers, late)) == {DATA}


async def test_first_block_is_read_before_the_last_is_written(room: SpoolRoom) -> None:
    spool = room.nameless()
    following = aiter(spool.chunks())

    await spool.write(DATA[:BLOCK_BYTES])

    async with asyncio.timeout(5):
        assert DATA.startswith(await anext(following))
    await spool.finish()


@pytest.mark.parametrize("written", [0, 100, BLOCK_BYTES + 1])
async def test_reader_of_a_failed_spool_is_told_and_gets_no_short_answer(room: SpoolRoom, written: int) -> None:
    """Else a phone would take half a list for all of it, and delete the rest."""
    spool = room.nameless()
    reader = asyncio.create_task(read(spool))
    await spool.write(DATA[:written])

    spool.fail()

    with pytest.raises(Broken):
        await reader
    with pytest.raises(Broken):
        await read(spool)


async def test_finished_spool_does_not_fail_any_more(room: SpoolRoom) -> None:
    spool = room.nameless()
    await fill(spool, b"data")

    spool.fail()

    assert await read(spool) == b"data"


# --- The room -----------------------------------------------------------------------------------------------------------


async def test_nameless_spool_leaves_no_file(room: SpoolRoom, tmp_path: Path) -> None:
    spool = room.nameless()
    await fill(spool, DATA)

    assert list(tmp_path.iterdir()) == []


async def test_second_phone_shares_the_spool_of_the_first_even_while_it_fills(room: SpoolRoom) -> None:
    spool, must_fill = room.named("org", "trades", "7")
    again, must_fill_again = room.named("org", "trades", "7")

    assert (again is spool, must_fill, must_fill_again) == (True, True, False)
    await fill(spool, DATA)
    assert await read(again) == DATA


@pytest.mark.parametrize(
    ("org", "table", "version"), [("org", "trades", "8"), ("org", "units", "7"), ("other", "trades", "7")]
)
async def test_another_version_table_or_organisation_is_another_spool(
    room: SpoolRoom, org: str, table: str, version: str
) -> None:
    await fill(room.named("org", "trades", "7")[0], b"old")

    spool, must_fill = room.named(org, table, version)

    assert must_fill
    await fill(spool, b"new")
    assert await read(spool) == b"new"


async def test_newer_version_frees_the_disk_and_cuts_nobody_short(room: SpoolRoom, tmp_path: Path) -> None:
    old, _ = room.named("org", "trades", "7")
    await fill(old, DATA)

    new, _ = room.named("org", "trades", "8")
    await fill(new, b"new")

    assert await read(old) == DATA, "whoever still reads it gets all of it"
    assert [path.stat().st_size for path in tmp_path.glob("*.spool")] == [3]


async def test_whole_spool_is_found_after_a_restart(room: SpoolRoom, tmp_path: Path) -> None:
    await fill(room.named("org", "trades", "7")[0], DATA)

    spool, must_fill = SpoolRoom(tmp_path, bytes_max=1 << 30).named("org", "trades", "7")

    assert not must_fill
    assert await read(spool) == DATA


async def test_half_filled_spool_is_not_found_after_a_restart(room: SpoolRoom, tmp_path: Path) -> None:
    half, _ = room.named("org", "trades", "7")
    await half.write(DATA)

    spool, must_fill = SpoolRoom(tmp_path, bytes_max=1 << 30).named("org", "trades", "7")

    assert must_fill
    await fill(spool, b"whole")
    assert await read(spool) == b"whole"


async def test_reader_whose_snapshot_is_older_never_disturbs_one_that_still_grows(room: SpoolRoom) -> None:
    """Three pulls at once: 7 begins, 8 makes 7 forgotten, and the third has looked before there was an 8."""
    first, _ = room.named("org", "trades", "7")
    await first.write(DATA[: BLOCK_BYTES + 1])
    room.named("org", "trades", "8")

    third, must_fill = room.named("org", "trades", "7")
    assert must_fill
    await asyncio.gather(fill(third, DATA), first.write(DATA[BLOCK_BYTES + 1 :]))
    await first.finish()

    assert await read(first) == DATA
    assert await read(third) == DATA


async def test_spool_that_failed_is_filled_anew(room: SpoolRoom, tmp_path: Path) -> None:
    failed, _ = room.named("org", "trades", "7")
    failed.fail()
    assert list(tmp_path.iterdir()) == []

    spool, must_fill = room.named("org", "trades", "7")

    assert must_fill
    await fill(spool, b"whole")
    assert await read(spool) == b"whole"


async def test_room_keeps_within_its_bound_and_lets_the_oldest_go(tmp_path: Path) -> None:
    room = SpoolRoom(tmp_path, bytes_max=2_500)
    for n, table in enumerate(("units", "trades", "branches")):
        await fill(room.named("org", table, "1")[0], bytes(1_000))
        for path in tmp_path.glob("*.spool"):
            age = time.time() - 100 + 10 * n if time.time() - path.stat().st_mtime < 50 else path.stat().st_mtime
            os.utime(path, (age, age))

    room.named("org", "commodities", "1")

    assert sum(path.stat().st_size for path in tmp_path.glob("*.spool")) <= 2_500
    assert room.named("org", "units", "1")[1], "the oldest went"
    assert not room.named("org", "branches", "1")[1], "the newest stays"


async def test_what_a_dead_process_left_is_removed_and_a_neighbours_file_is_not(tmp_path: Path) -> None:
    dead, alive = tmp_path / "dead.1.growing", tmp_path / "alive.2.growing"
    for path in (dead, alive):
        path.write_bytes(b"x")
    long_ago = time.time() - ABANDONED_SECONDS - 10
    os.utime(dead, (long_ago, long_ago))

    SpoolRoom(tmp_path, bytes_max=1)

    assert (dead.exists(), alive.exists()) == (False, True)
