"""Singly: several changes by the office in one unit of work, each judged as if it came alone.

Owns: what is asked before any of them is applied, and applying each as a submission of its own.
Must not know: HTTP, SQL, what is told of what became of them.
Invariant: one that is withheld, refused or breaks us withholds no other (tests/integration/test_bulk.py,
tests/integration/test_table_files.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from conflict.mutation import Mutation
from erp_core.language import Violation
from sync_server.engine.apply import apply
from sync_server.engine.draft import Draft
from sync_server.engine.entitlements import Entitlements
from sync_server.engine.gate import require
from sync_server.engine.office import NEWER_THAN_ALL, check_session
from sync_server.engine.persons import forbidden_person
from sync_server.engine.quarantine import find_poison
from sync_server.engine.standing import Standings
from sync_server.engine.submission import Channel, Submission
from sync_server.store.actor import Actor
from sync_server.store.clock import Clock, read_clock
from sync_server.store.database import Connection


@dataclass(frozen=True, slots=True)
class Singly:
    """One unit: whose changes they are, and by which clock and rights they are judged."""

    connection: Connection
    standings: Standings
    actor: Actor
    entitled: Entitlements
    clock: Clock

    @classmethod
    async def enter(
        cls, connection: Connection, standings: Standings, actor: Actor, needs: Iterable[tuple[str, ...]]
    ) -> Singly:
        """Begin a unit. `needs`: the sets of codes of each of which one is asked for.

        Raises `gate.NotEntitled`, and of devices.py `SessionEnded` and `DeviceWiping`. Cost: three statements at most.
        """
        clock = await read_clock(connection, actor.org_id)
        entitled = (await standings.read(connection, actor, clock.rights)).entitled
        for codes in needs:
            require(entitled, *codes)
        await check_session(connection, actor)
        return cls(connection, standings, actor, entitled, clock)

    async def apply(
        self, mutations: Sequence[Mutation], stops: Callable[[Draft], bool], *, careful: bool
    ) -> Sequence[Draft | Violation]:
        """Apply changes of one table, no id twice; give the draft of each, in their order, or why it was not even tried.

        `stops`: says of a draft that it is not to be applied. `careful`: what breaks us is refused unread.
        Cost: as `apply`; one or two statements for each change of a person, a few for each change if it is careful.
        """
        forbidden = [await self._forbidden(one) for one in mutations]
        asked = [one for one, reason in zip(mutations, forbidden, strict=True) if reason is None]
        submissions = [self._submission(one) for one in asked]
        rights = self.clock.rights
        if careful:
            submissions = [replace(s, poison=await find_poison(self.connection, s, rights)) for s in submissions]
        applied: Sequence[Sequence[Draft]] = []
        if submissions:
            org_id = self.actor.org_id
            applied = await apply(self.connection, org_id, submissions, rights=rights, must_resolve=stops)
        drafts = iter(applied)
        return [next(drafts)[0] if reason is None else reason for reason in forbidden]

    async def _forbidden(self, mutation: Mutation) -> Violation | None:
        return await forbidden_person(self.connection, self.standings, self.actor, mutation, self.entitled, self.clock)

    def _submission(self, mutation: Mutation) -> Submission:
        return Submission(self.actor, NEWER_THAN_ALL, b"", [mutation], entitled=self.entitled, channel=Channel.OFFICE)
