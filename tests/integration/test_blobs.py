"""The store of bytes: what was put is there, as a whole, on disk; and its failures are told as one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sync_server.store.blobs import STEP_BYTES, Blobs, StoreFailed


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs.open(str(tmp_path / "store"))


async def test_what_was_put_reads_back(blobs: Blobs) -> None:
    data = os.urandom(2 * STEP_BYTES + 17)
    await blobs.put("parts/o-org/1/a", data)
    assert await blobs.read("parts/o-org/1/a") == data
    assert await blobs.size("parts/o-org/1/a") == len(data)
    assert b"".join([piece async for piece in blobs.stream("parts/o-org/1/a", 0, len(data))]) == data
    assert (
        b"".join([piece async for piece in blobs.stream("parts/o-org/1/a", 5, STEP_BYTES + 9)])
        == (data[5 : STEP_BYTES + 9])
    )


async def test_what_is_below_a_name_is_removed_and_nothing_else(blobs: Blobs) -> None:
    for name in ("parts/o-org/1/a", "parts/o-org/1/b", "parts/o-org/12/a"):
        await blobs.put(name, b"x")
    assert await blobs.remove("parts/o-org/1") == 2
    assert await blobs.read("parts/o-org/12/a") == b"x"
    assert await blobs.remove("parts/o-org/1") == 0


async def test_nothing_is_left_of_what_a_killed_process_was_writing(blobs: Blobs, tmp_path: Path) -> None:
    await blobs.put("parts/o-org/1/a", b"x")
    (tmp_path / "store/parts/o-org/1/b#1").write_bytes(b"half of i")  # so obstore names what it has not finished
    assert await blobs.remove("parts/o-org/1") == 1
    assert not (tmp_path / "store/parts/o-org/1").exists()
    assert (tmp_path / "store/parts/o-org").exists()


async def test_file_and_folders_are_on_disk_before_it_counts(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []

    def noted(handle: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{handle}").rpartition("/")[2])

    monkeypatch.setattr(os, "fsync", noted)
    await blobs.put("parts/o-org/1/a", b"x")
    assert synced == ["a", "1", "o-org", "parts", "store"]


@pytest.mark.parametrize("what", ["read", "size"])
async def test_what_is_not_there_is_told(blobs: Blobs, what: str) -> None:
    ask: Any = getattr(blobs, what)
    with pytest.raises(StoreFailed):
        await ask("files/o-org/1/whole")


async def test_store_that_is_gone_is_told(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "store").rmdir()
    (tmp_path / "store").write_text("no folder")
    with pytest.raises(StoreFailed):
        await blobs.put("parts/o-org/1/a", b"x")


def test_folder_is_for_nobody_else(tmp_path: Path) -> None:
    Blobs.open(str(tmp_path / "deep" / "store"))
    assert (tmp_path / "deep" / "store").stat().st_mode & 0o077 == 0


def test_s3_is_opened_by_its_address() -> None:
    Blobs.open("s3://bucket/prefix")
