"""Refresh families: however a thief and a victim take turns, and whatever answers are lost, a token has one successor, nobody
is logged out by a lost answer within a minute, and a stolen line does not live on beside its owner's.

The model below knows nothing of hashes, salts or SQL: it says what each token is worth from what was handed out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sync_server.identity.refreshing import REPAIR_SECONDS, refresh
from sync_server.identity.sessions import begin_session
from sync_server.identity.tokens import Tokens
from sync_server.store.database import Database
from tests.harness.people import ORG, settle

_Result = TypeVar("_Result")


class Families(RuleBasedStateMachine):
    """One session; its owner and a thief refresh with any token that was ever handed out."""

    url: str
    folder: Path
    tokens = Bundle("tokens")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.database = self.run(Database.open(self.url, pool_max=2))
        self.signer = Tokens.open(self.folder, access_seconds=600)
        self.handed_out: list[str] = []
        """Token of generation n at n - 1."""
        self.newest_used_ago: float | None = None
        """Seconds since the token before the newest was used."""
        self.ended = False

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        return self.loop.run_until_complete(work)

    @initialize(target=tokens)
    def log_in(self) -> str:
        granted = self.run(
            begin_session(self.database, self.signer, org_id=ORG, user_id="u1", device=None, refresh_days=30)
        )
        assert granted is not None
        self.session_id = granted.actor.session_id
        self.handed_out = [granted.refresh_token]
        return granted.refresh_token

    @rule(target=tokens, token=tokens)
    def use(self, token: str) -> str:
        """Whoever has a token uses it; whether the answer arrives is up to whoever draws the next token."""
        return self.expect(token, self.refresh(token))

    @rule(target=tokens)
    def use_the_newest(self) -> str:
        """What an honest phone does that lost nothing."""
        token = self.handed_out[-1]
        return self.expect(token, self.refresh(token))

    @rule(target=tokens)
    def send_the_last_one_again(self) -> str:
        """What an honest phone does that lost the last answer."""
        token = self.handed_out[-2:][0]
        return self.expect(token, self.refresh(token))

    @rule(token=tokens, times=st.integers(2, 5))
    def use_at_once(self, token: str, times: int) -> None:
        """The same token several times side by side: the same as one after the other, in whatever order."""

        async def together() -> list[str | None]:
            return list(await asyncio.gather(*(self._refresh(token) for _ in range(times))))

        answers = self.run(together())
        for answer in answers:
            self.expect(token, answer)

    @rule(seconds=st.sampled_from([1, 30, REPAIR_SECONDS - 5, REPAIR_SECONDS + 1, 3_600]))
    def wait(self, seconds: int) -> None:
        """Let time pass, as far as this session can tell."""

        async def pass_by() -> None:
            async with self.database.acquire_everywhere() as connection:
                await connection.execute(
                    "UPDATE refresh_token SET used_at = used_at - make_interval(secs => $2) WHERE session_id = $1",
                    self.session_id,
                    float(seconds),
                )

        self.run(pass_by())
        if self.newest_used_ago is not None:
            self.newest_used_ago += seconds

    @rule(token=tokens)
    def guess(self, token: str) -> None:
        """A guess names the session and has no token of it: it must not end anything."""
        forged = token[:-1] + ("A" if token[-1] != "A" else "B")
        if forged not in self.handed_out:
            assert self.refresh(forged) is None

    def expect(self, token: str, answer: str | None) -> str:
        """Hold an answer against the model, and move the model on; give the token that a client has now."""
        generation = self.handed_out.index(token)
        last = len(self.handed_out) - 1
        lost_just_now = (
            generation == last - 1 and self.newest_used_ago is not None and self.newest_used_ago <= REPAIR_SECONDS - 1
        )
        if self.ended:
            assert answer is None, "a session that was ended lets somebody go on"
        elif generation == last:
            assert answer is not None, "the newest token is refused"
            assert answer not in self.handed_out, "a token was handed out twice"
            self.handed_out.append(answer)
            self.newest_used_ago = 0.0
        elif lost_just_now:
            assert answer == self.handed_out[last], "a lost answer was not repaired with the same successor"
        else:
            assert answer is None, "a used token was taken"
            self.ended = True
        return answer or token

    def refresh(self, token: str) -> str | None:
        return self.run(self._refresh(token))

    async def _refresh(self, token: str) -> str | None:
        granted = await refresh(self.database, self.signer, refresh_token=token, refresh_days=30)
        return None if granted is None else granted.refresh_token

    @invariant()
    def the_database_says_the_same(self) -> None:
        if not self.handed_out:
            return

        async def look() -> tuple[bool, int, int, int]:
            async with self.database.acquire_everywhere() as connection:
                ended = await connection.fetchval(
                    "SELECT revoked_at IS NOT NULL FROM session WHERE id = $1", self.session_id
                )
                found = await connection.fetchrow(
                    "SELECT count(*) AS generations, count(*) FILTER (WHERE used_at IS NULL) AS unused, count(salt) AS salts"
                    " FROM refresh_token WHERE session_id = $1",
                    self.session_id,
                )
                return (ended, *found)

        ended, generations, unused, salts = self.run(look())
        assert ended == self.ended
        assert (generations, unused) == (len(self.handed_out), 1)
        assert salts == min(1, generations - 1), "a salt outlived the use of what it makes"

    def teardown(self) -> None:
        self.run(self.database.close())
        self.loop.close()


async def test_a_family_of_tokens_has_one_line_of_descent(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    await settle(database)

    class Here(Families):
        url = database_url
        folder = tmp_path

    def check() -> None:
        run_state_machine_as_test(
            Here,
            settings=settings(
                max_examples=25,
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
            ),
        )

    await asyncio.to_thread(check)


# --- The two orders by name, and every generation ---------------------------------------------------------------------


async def family(database: Database, folder: Path) -> tuple[Tokens, str]:
    await settle(database)
    signer = Tokens.open(folder, access_seconds=600)
    granted = await begin_session(database, signer, org_id=ORG, user_id="u1", device=None, refresh_days=30)
    assert granted is not None
    return signer, granted.refresh_token


async def used(database: Database, signer: Tokens, token: str) -> str | None:
    granted = await refresh(database, signer, refresh_token=token, refresh_days=30)
    return None if granted is None else granted.refresh_token


async def minutes_pass(database: Database) -> None:
    async with database.acquire_everywhere() as connection:
        await connection.execute("UPDATE refresh_token SET used_at = used_at - interval '2 minutes'")


async def test_a_thief_after_the_victim_ends_the_session(database: Database, tmp_path: Path) -> None:
    signer, stolen = await family(database, tmp_path)
    victims = await used(database, signer, stolen)
    assert victims is not None
    await minutes_pass(database)

    assert await used(database, signer, stolen) is None
    assert await used(database, signer, victims) is None


async def test_a_victim_after_the_thief_ends_the_session(database: Database, tmp_path: Path) -> None:
    signer, stolen = await family(database, tmp_path)
    thiefs = await used(database, signer, stolen)
    assert thiefs is not None
    await minutes_pass(database)

    assert await used(database, signer, stolen) is None
    assert await used(database, signer, thiefs) is None


async def test_a_thief_within_the_minute_shares_one_line_until_either_goes_on(
    database: Database, tmp_path: Path
) -> None:
    signer, stolen = await family(database, tmp_path)
    victims, thiefs = await used(database, signer, stolen), await used(database, signer, stolen)
    assert victims == thiefs is not None
    assert victims is not None

    gone_on = await used(database, signer, victims)
    await minutes_pass(database)

    assert gone_on is not None
    assert await used(database, signer, victims) is None  # whoever comes second is found out
    assert await used(database, signer, gone_on) is None


async def test_a_replay_of_any_generation_ends_the_session(database: Database, tmp_path: Path) -> None:
    for replayed in range(6):
        signer, token = await family_again(database, tmp_path, first=replayed == 0)
        line = [token]
        for _ in range(7):
            following = await used(database, signer, line[-1])
            assert following is not None
            line.append(following)

        assert await used(database, signer, line[replayed]) is None
        assert await used(database, signer, line[-1]) is None


async def family_again(database: Database, folder: Path, *, first: bool) -> tuple[Tokens, str]:
    if first:
        return await family(database, folder)
    signer = Tokens.open(folder, access_seconds=600)
    granted = await begin_session(database, signer, org_id=ORG, user_id="u1", device=None, refresh_days=30)
    assert granted is not None
    return signer, granted.refresh_token


async def test_the_database_and_an_old_token_together_give_no_newer_one(database: Database, tmp_path: Path) -> None:
    """Whoever reads the whole database has hashes and one salt: with it only the token before the newest is of use."""
    signer, token = await family(database, tmp_path)
    line = [token]
    for _ in range(3):
        line.append(str(await used(database, signer, line[-1])))

    async with database.acquire_everywhere() as connection:
        rows = await connection.fetch("SELECT generation, salt FROM refresh_token ORDER BY generation")

    assert [row["salt"] is not None for row in rows] == [False, False, True, False]
    stored = repr([dict(row) for row in rows])
    assert not any(one.rpartition(".")[2] in stored for one in line)
