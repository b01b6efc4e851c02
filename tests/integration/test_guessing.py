"""Guessing: slow where it comes from, few a day for any account, and nobody on a known device has to wait for it."""

from __future__ import annotations

import asyncio
import itertools
import random

import pytest

from sync_server.identity.guesses import DAY, FREE, SHARED_BURST, Attempt, TooManyGuesses
from sync_server.identity.login import recognise
from sync_server.identity.sessions import DeviceClaim
from sync_server.store.database import Database
from tests.harness.people import PASSWORD, Client, logged_in, settle
from tests.harness.servers import Server

NETWORKS = (f"203.0.{n}.9" for n in itertools.count(1))


@pytest.fixture
async def people(database: Database) -> Database:
    return await settle(database)


async def guess(database: Database, address: str, username: str = "asha", password: str = "wrong") -> str:
    """Log in without HTTP from an address; give what became of it."""
    try:
        person = await recognise(database, username, password, None, address)
    except TooManyGuesses:
        return "not looked at"
    return "refused" if person is None else "in"


async def pass_by(database: Database, seconds: float) -> None:
    """Let time pass for the counts."""
    async with database.acquire_everywhere() as connection:
        await connection.execute("UPDATE login_guess SET at = at - make_interval(secs => $1)", seconds)


async def test_after_a_few_failures_a_source_has_to_wait_and_ever_longer(people: Database, server: Server) -> None:
    asha = Client(server, "asha")
    for _ in range(FREE + 1):
        assert (await asha.login("wrong"))[0] == 401

    waits = []
    for _ in range(3):
        status, problem = await asha.login("wrong")
        assert (status, problem["code"]) == (429, "too_many_requests")
        waits.append(problem["retry_after"])
        await pass_by(people, problem["retry_after"])
        assert (await asha.login("wrong"))[0] == 401

    assert waits == [2, 4, 8]


async def test_while_a_source_waits_even_the_right_password_is_not_looked_at(people: Database) -> None:
    for _ in range(FREE + 1):
        assert await guess(people, "203.0.113.1") == "refused"

    assert await guess(people, "203.0.113.1", password=PASSWORD) == "not looked at"
    assert await guess(people, "203.0.113.77", password=PASSWORD) == "not looked at"  # the same network
    assert await guess(people, "198.51.100.1", password=PASSWORD) == "in"


async def test_a_right_password_is_forgiven_its_mistakes(people: Database) -> None:
    for _ in range(5):
        for _ in range(FREE):
            assert await guess(people, "203.0.113.1") == "refused"
        assert await guess(people, "203.0.113.1", password=PASSWORD) == "in"
        await pass_by(people, DAY)


async def test_nobody_on_a_device_that_logged_in_before_waits_for_the_guesses_of_others(
    people: Database, server: Server
) -> None:
    asha = await logged_in(server, "asha", id="phone-1")
    known = DeviceClaim(id="phone-1", token=asha.grant["device_token"])
    outcomes = [await guess(people, next(NETWORKS)) for _ in range(20)]
    assert outcomes[-1] == "not looked at"
    assert await guess(people, next(NETWORKS), password=PASSWORD) == "not looked at"

    assert await recognise(people, "asha", PASSWORD, known, "203.0.113.1") is not None

    again = await logged_in(server, "asha", id="phone-1", token=asha.grant["device_token"])
    assert again.grant["device_token"] != asha.grant["device_token"]


@pytest.mark.parametrize("trick", ["old token", "another's token", "no token", "another device", "another user"])
async def test_nobody_else_passes_for_a_known_device(people: Database, server: Server, trick: str) -> None:
    first = await logged_in(server, "asha", id="phone-1")
    asha = await logged_in(server, "asha", id="phone-1", token=first.grant["device_token"])
    bela = await logged_in(server, "bela", id="phone-2")
    for _ in range(20):
        await guess(people, next(NETWORKS))
        await guess(people, next(NETWORKS), "bela")
    token = asha.grant["device_token"]
    claims = {
        "old token": ("asha", DeviceClaim(id="phone-1", token=first.grant["device_token"])),
        "another's token": ("asha", DeviceClaim(id="phone-2", token=bela.grant["device_token"])),
        "no token": ("asha", DeviceClaim(id="phone-1")),
        "another device": ("asha", DeviceClaim(id="phone-2", token=token)),
        "another user": ("bela", DeviceClaim(id="phone-1", token=token)),
    }
    username, claim = claims[trick]

    with pytest.raises(TooManyGuesses):
        await recognise(people, username, PASSWORD, claim, next(NETWORKS))


async def test_a_known_device_that_guesses_waits_too(people: Database, server: Server) -> None:
    asha = await logged_in(server, "asha", id="phone-1")
    known = DeviceClaim(id="phone-1", token=asha.grant["device_token"])
    for _ in range(FREE + 1):
        assert await recognise(people, "asha", "wrong", known, "203.0.113.1") is None

    with pytest.raises(TooManyGuesses):
        await recognise(people, "asha", "wrong", known, "203.0.113.1")


async def test_guesses_side_by_side_do_not_outrun_the_count(people: Database) -> None:
    addresses = [next(NETWORKS) for _ in range(60)]

    outcomes = await asyncio.gather(*(guess(people, address) for address in addresses))

    assert outcomes.count("refused") == SHARED_BURST
    assert outcomes.count("not looked at") == 60 - SHARED_BURST


async def test_a_network_of_many_addresses_gets_no_more_than_twenty_guesses_a_day(people: Database, seed: int) -> None:
    """A botnet that guesses every few minutes for three days; its best day is what an account must bear."""
    rng = random.Random(seed)
    now, looked_at = 0.0, []
    while now < 3 * DAY:
        pause = rng.expovariate(1 / 600)
        now += pause
        await pass_by(people, pause)
        attempt = Attempt(
            people, "asha", f"{rng.randrange(1, 224)}.{rng.randrange(256)}.{rng.randrange(256)}.1", known=False
        )
        try:
            await attempt.count()
        except TooManyGuesses:
            continue
        looked_at.append(now)

    best = max(sum(start <= moment < start + DAY for moment in looked_at) for start in looked_at)
    assert SHARED_BURST <= best <= 2 * SHARED_BURST


async def test_a_name_that_nobody_has_is_treated_alike(people: Database) -> None:
    known, unknown = [], []
    for _ in range(15):
        address = next(NETWORKS)
        known.append(await guess(people, address))
        unknown.append(await guess(people, address, "nobody"))

    assert known == unknown
    assert "not looked at" in known


async def test_no_name_that_was_typed_is_kept(people: Database) -> None:
    await guess(people, "203.0.113.1", "my secret passphrase")

    async with people.acquire_everywhere() as connection:
        rows = await connection.fetch("SELECT * FROM login_guess")
    assert rows
    assert b"passphrase" not in b"".join(row["name"] for row in rows)
