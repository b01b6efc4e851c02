"""`cotton-sync keys`: a rotation under load that no phone notices, and an emergency one that no thief survives."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import jwt
import pytest

from sync_server.identity import keyring
from sync_server.identity.keyring import rotate
from sync_server.store.database import Database
from tests.harness.people import Client, logged_in, settle
from tests.harness.servers import serve_here

Rotation = tuple[str, ...]


@pytest.fixture
async def people(database: Database) -> Database:
    return await settle(database)


def cotton_sync(data: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "sync_server", *arguments, "--data", str(data)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def key_id(client: Client) -> str:
    return str(jwt.get_unverified_header(client.grant["access_token"])["kid"])


def test_the_keys_are_listed_and_rotated_by_the_command_line(tmp_path: Path) -> None:
    first = cotton_sync(tmp_path, "keys", "list").splitlines()
    made = cotton_sync(tmp_path, "keys", "rotate").split()[0]
    listed = cotton_sync(tmp_path, "keys", "list").splitlines()

    assert len(first) == 1
    assert first[0].split(maxsplit=1)[1].split() == ["at", "the", "first", "start", "signs"]
    assert [line.split()[0] for line in listed] == [first[0].split()[0], made]
    assert listed[1].endswith("will sign")

    alone = cotton_sync(tmp_path, "keys", "rotate", "--now").split()[0]
    (only,) = cotton_sync(tmp_path, "keys", "list").splitlines()
    assert only.startswith(alone)
    assert only.endswith("signs")
    assert "PRIVATE" not in "".join((*first, *listed, only))


@asynccontextmanager
async def half_a_look_later() -> AsyncIterator[None]:
    await asyncio.sleep(0.4)
    yield


async def test_a_rotation_under_load_refuses_nobody(
    people: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes that look at the folder at different times, phones that refresh at one and ask at the other."""
    monkeypatch.setattr(keyring, "NOTICE_SECONDS", 2)
    monkeypatch.setattr(keyring, "LOOK_SECONDS", 0.8)
    statuses: list[int] = []
    seen: set[str] = set()
    async with (
        serve_here(database_url, tmp_path, limit_refresh="none", limit_pull="none") as one,
        half_a_look_later(),
        serve_here(database_url, tmp_path, limit_refresh="none", limit_pull="none") as two,
    ):
        phones = [await logged_in(one, name) for name in ("asha", "bela", "mina", "rekha")]
        ends = time.monotonic() + 6

        async def live(phone: Client, n: int) -> None:
            while time.monotonic() < ends:
                phone.server, other = ((one, two), (two, one))[n % 2]
                statuses.append((await phone.refresh())[0])
                seen.add(key_id(phone))
                asked = [Client(server, "", grant=phone.grant) for server in (other, phone.server)]
                statuses.extend([await client.is_in() for client in asked])
                n += 1
                await asyncio.sleep(0.02)

        async def rotate_twice() -> None:
            for _ in range(2):
                await asyncio.sleep(0.5)
                await asyncio.to_thread(rotate, tmp_path / "keys", token_seconds=600)

        await asyncio.gather(rotate_twice(), *(live(phone, n) for n, phone in enumerate(phones)))

    assert len(statuses) > 200
    assert set(statuses) == {200}
    assert len(seen) >= 2


async def test_an_emergency_rotation_shuts_a_stolen_key_out_in_seconds(
    people: Database, database_url: str, tmp_path: Path
) -> None:
    async with serve_here(database_url, tmp_path) as here:
        asha = await logged_in(here, "asha")
        assert await asha.is_in() == 200
        await asyncio.to_thread(rotate, tmp_path / "keys", token_seconds=600, now=True)
        began = time.monotonic()
        while (answer := await asha.ask("GET", "/sync/schema"))[0] == 200:
            assert time.monotonic() - began < 5
            await asyncio.sleep(0.05)

        assert answer[1]["code"] == "token_refused"
        assert (await asha.refresh())[0] == 200
        assert await asha.is_in() == 200
