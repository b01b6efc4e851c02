"""The second factor at a login: whether there is one, whether it was shown, and who must set one up first.

Owns: the decision, and how guesses at it are slowed down.
Must not know: HTTP, or what the first factor was.
Invariant: whoever has enrolled gets no session by the first factor alone, at whatever door; whoever must enrol and has not gets
one that can do nothing else, so that nobody is locked out (tests/integration/test_totp.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from sync_server.identity import happenings, totp
from sync_server.identity.guesses import Attempt
from sync_server.identity.passwords import check_password
from sync_server.identity.secret_key import SecretKey
from sync_server.identity.totp import Verdict
from sync_server.store import people
from sync_server.store.actor import Actor
from sync_server.store.database import Connection, Database
from sync_server.store.security import Happening
from sync_server.store.totp import lacks_factor


class SecondFactorNeeded(Exception):
    """The first factor was right; nothing is done without the second."""


class SecondFactorWrong(Exception):
    """The first factor was right, the second was not."""


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """How a server asks for second factors. `required`: of whoever has a code of `totp.POWERFUL`."""

    secret: SecretKey
    required: bool

    async def ask(
        self, database: Database, org_id: str, user_id: str, code: str, *, source: str, known: bool = False
    ) -> bool:
        """Ask for the second factor of a user who has shown the first; say whether one was shown.

        `code`: "" if none was given. `source`, `known`: as in `guesses.Attempt`; guesses are counted apart from those at the
        password. Raises `SecondFactorNeeded`, `SecondFactorWrong`, `guesses.TooManyGuesses`. Cost: one statement for those who
        have none, else three transactions.
        """
        verdict = await self._check(database, org_id, user_id, "")
        if verdict is Verdict.NOT_ENROLLED:
            return False
        if not code.strip():
            raise SecondFactorNeeded
        attempt = Attempt(database, f"second factor of {org_id}/{user_id}", source, known=known)
        await attempt.count()
        verdict = await self._check(database, org_id, user_id, code)
        if verdict is not Verdict.RIGHT:
            happenings.tell(
                Happening(org_id, happenings.SECOND_FACTOR_FAILED, user_id, address="" if known else source)
            )
            raise SecondFactorWrong
        await attempt.succeeded()
        return True

    async def _check(self, database: Database, org_id: str, user_id: str, code: str) -> Verdict:
        async with database.acquire(org_id) as connection, connection.transaction():
            return await totp.check(connection, self.secret, org_id, user_id, code)

    async def must_enrol(self, connection: Connection, org_id: str, user_id: str) -> bool:
        """Say whether a user may do nothing before a second factor is set up. Cost: one statement, if any."""
        return self.required and await lacks_factor(connection, org_id, user_id, totp.POWERFUL)

    async def disable(self, database: Database, actor: Actor, *, password: str, code: str, address: str) -> bool:
        """Take the actor's second factor away, for password and code; False: the password is wrong, or there is no factor.

        Raises as `ask` does, and `passwords.Overloaded`.
        """
        async with database.acquire(actor.org_id) as connection:
            person = await people.read_person(connection, actor.org_id, actor.user_id)
        if person is None:
            return False
        source = f"session {actor.session_id}"
        attempt = Attempt(database, person.username, source, known=True)
        await attempt.count()
        if not await check_password(person.password_hash, password):
            return False
        await attempt.succeeded()
        if not await self.ask(database, actor.org_id, actor.user_id, code, source=source, known=True):
            return False
        return await totp.disable(database, actor.org_id, actor.user_id, by=actor, address=address)
