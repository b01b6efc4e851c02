"""Standings: what each user is entitled to now, remembered for as long as it is certainly still so.

Owns: working it out from grants and assignments, remembering it, and writing down (`hold`) from which position it counts.
Must not know: HTTP, what is pulled or pushed.
Invariant: a standing is used only with a clock whose `rights` it was worked out under, and only until its time; so what is
answered at a position is what `hold` says of that position (tests/integration/test_scopes.py).

Why it is written down. A replica at cursor c holds what its user held at c. What it must lose or get beside the records that
moved is the difference between then and now, whatever caused it: a grant given or taken, a role changed, a user disabled, a
grant that ran out while nothing was written at all. So when a pull finds that what its user holds has changed, it takes a
position, and `hold` says: from here on, this. Cost: nothing while nothing changed, as the clock that every pull reads anyway
says when rights changed last.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from sync_server.engine.entitlements import Entitlements, Holds, agents_in, entitle, with_assignments
from sync_server.engine.showing import Gaze
from sync_server.store import holds as store
from sync_server.store.actor import Actor
from sync_server.store.clock import Rights
from sync_server.store.database import Connection, Database
from sync_server.store.feed import Asked
from sync_server.store.unit_of_work import unit_of_work

REMEMBERED_MAX: Final = 10_000
"""Users, some kilobytes each; with more at once the least recently seen are worked out again."""


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """What a user is entitled to. `rights`: the clock's, under which it was worked out; `given`: without assignments.

    `since`: the position from which `hold` says so; None while that is not known to be written down. `pulls`: what pulls
    worked out from it, by the tables they ask for.
    """

    entitled: Entitlements
    given: Holds
    rights: Rights
    since: int | None = None
    pulls: dict[tuple[str, ...], tuple[Mapping[str, Gaze], Asked]] = field(default_factory=dict)

    def counts(self, rights: Rights) -> bool:
        """Say whether it still holds under a clock with these `rights`; assignments concern who holds an agent's scope."""
        until = self.entitled.until
        same = self.rights.given == rights.given and (
            self.rights.assigned == rights.assigned or not agents_in(self.given)
        )
        return same and (until is None or datetime.now(UTC) < until)


class Standings:
    """The standings of the users who were here lately."""

    def __init__(self, most: int = REMEMBERED_MAX) -> None:
        self._most = most
        self._known: OrderedDict[tuple[str, str], Standing] = OrderedDict()

    def known(self, actor: Actor, rights: Rights) -> Standing | None:
        """Give what is remembered of a user, if it counts under `rights`."""
        key = (actor.org_id, actor.user_id)
        standing = self._known.get(key)
        if standing is None or not standing.counts(rights):
            return None
        self._known.move_to_end(key)
        return standing

    async def read(self, connection: Connection, actor: Actor, rights: Rights) -> Standing:
        """Give what a user is entitled to. Cost: nothing if it is remembered, else two statements.

        Whoever acts on it makes sure at the end that the clock's rights are still `rights`.
        """
        standing = self.known(actor, rights)
        if standing is None:
            standing = await _work_out(connection, actor, rights)
            self._remember(actor, standing)
        return standing

    async def settle(self, connection: Connection, actor: Actor, rights: Rights) -> Standing | None:
        """Give what a user is entitled to, if it is written down, so that a pull can be answered under it.

        None: it is not; have it written (`write_down`) without holding a connection, and begin anew.
        """
        standing = await self.read(connection, actor, rights)
        if standing.since is None:
            if await store.read_holds(connection, actor.org_id, actor.user_id) != standing.given:
                return None
            agents = agents_in(standing.given)
            changed = await store.read_last_change(connection, actor.org_id, actor.user_id, agents)
            standing = replace(standing, since=changed)
            self._remember(actor, standing)
        return standing

    async def write_down(self, database: Database, actor: Actor) -> None:
        """Take a position and write the difference between what is held and what `hold` says, under the clock's lock.

        Another device of the user may have been faster; then the position was taken for nothing.
        """

        async def work(connection: Connection) -> None:
            position = await store.take_position(connection, actor.org_id)
            grants = await store.read_grants(connection, actor.org_id, actor.user_id)
            given, _ = entitle(grants, actor.user_id, datetime.now(UTC))
            held = await store.read_holds(connection, actor.org_id, actor.user_id)
            ended = [scope for scope, codes in held.items() if given.get(scope) != codes]
            begun = {scope: codes for scope, codes in given.items() if held.get(scope) != codes}
            await store.write_holds(connection, actor.org_id, actor.user_id, position, ended=ended, begun=begun)

        await unit_of_work(database, actor.org_id, work)

    def _remember(self, actor: Actor, standing: Standing) -> None:
        self._known[actor.org_id, actor.user_id] = standing
        self._known.move_to_end((actor.org_id, actor.user_id))
        if len(self._known) > self._most:
            self._known.popitem(last=False)


async def held_at(connection: Connection, actor: Actor, position: int) -> Holds:
    """Give what a user held at `position`, the partners that were assigned then included. Cost: two statements."""
    given = await store.read_holds(connection, actor.org_id, actor.user_id, position)
    assigned = await store.read_assignments(connection, actor.org_id, agents_in(given), position)
    return with_assignments(given, assigned)


async def _work_out(connection: Connection, actor: Actor, rights: Rights) -> Standing:
    grants = await store.read_grants(connection, actor.org_id, actor.user_id)
    given, until = entitle(grants, actor.user_id, datetime.now(UTC))
    assigned = await store.read_assignments(connection, actor.org_id, agents_in(given))
    return Standing(Entitlements(with_assignments(given, assigned), until), given, rights)
