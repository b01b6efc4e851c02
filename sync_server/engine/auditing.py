"""Auditing: a log is walked along with its seals, and every row that is not as it was is named.

Owns: which difference is which harm, and where.
Must not know: SQL, what was published (audit_heads.py), words.
Invariant: whatever was altered, deleted, put in, moved or cut off after it was sealed is found, at its very position, unless
the whole chain was made anew; of an untouched log nothing is said (tests/integration/test_audit.py).

Where the chain breaks, the next seal tells what happened: it follows the digest that should have been there if only that was
altered, and the one that is there if something before it is gone. So the walk goes on with both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from sync_server.engine.audit_faults import Fault, Harm
from sync_server.engine.sealing import digest_of, first_digest, leaf_of
from sync_server.store import auditing as store
from sync_server.store.auditing import End, Pair
from sync_server.store.database import Connection
from sync_server.store.seals import Content, Seal

PIECE: Final = 500
"""Events that are in memory."""

FAULTS_MAX: Final = 100
"""Faults that are told of a log; a row of events that were deleted together is one."""

SEARCHES_MAX: Final = 10
"""Events of which it is looked where they have been; each look reads all seals."""

_OPERATIONS: Final = {"i": "creation", "u": "change", "d": "deletion"}


@dataclass(frozen=True, slots=True)
class Audited:
    """A log that was walked: `sealed` events, up to `position`; `waiting`: newer ones without a seal yet."""

    org_id: str
    faults: tuple[Fault, ...]
    sealed: int
    position: int
    waiting: int


async def audit(connection: Connection, org_id: str) -> Audited:
    """Walk an organisation's log from its first event to the end of its chain, while it goes on.

    On an owner's connection, outside of a transaction. Cost: reads log and seals once, a statement for each `PIECE` events.
    """
    walk = _Walk(connection, org_id, await store.read_end(connection, org_id))
    await walk.go()
    waiting = await store.read_waiting(connection, org_id, walk.upto)
    if waiting.beyond is not None:
        walk.tell(Harm.PUT_IN, waiting.beyond, detail="the clock has not come to it")
    return Audited(org_id, tuple(walk.faults), walk.sealed, walk.position, waiting.events)


class _Walk:
    """One walk. `position`: of the last seal; `_before`: what its digest was, and what is wrong if it was that."""

    def __init__(self, connection: Connection, org_id: str, end: End) -> None:
        self._connection = connection
        self._org_id = org_id
        self._end = end
        self.upto = max(end.followed, end.newest)
        self.faults: list[Fault] = []
        self.position = self.sealed = 0
        self._before: list[tuple[Fault | None, bytes]] = [(None, first_digest(org_id))]
        self._unsealed: Fault | None = None
        self._seen = 0
        self._searches = 0

    async def go(self) -> None:
        while pairs := await store.read_pairs(self._connection, self._org_id, self._seen, self.upto, PIECE):
            for pair in pairs:
                await self._look(pair)
                self._seen = pair.position
                if len(self.faults) >= FAULTS_MAX:
                    return
        self._finish()

    def tell(self, harm: Harm, position: int, upto: int | None = None, detail: str = "") -> None:
        """Note a fault; one that goes on from the last is a part of it."""
        last = self.faults[-1] if self.faults else None
        if last is not None and harm is Harm.DELETED and (last.harm, last.upto) == (harm, self._seen):
            self.faults[-1] = replace(last, upto=position)
        else:
            self.faults.append(Fault(harm, position, position if upto is None else upto, detail))

    async def _look(self, pair: Pair) -> None:
        if pair.seal is None:
            assert pair.event is not None
            first = self._unsealed or Fault(Harm.PUT_IN, pair.position, pair.position, _named(pair.event))
            self._unsealed = replace(first, upto=pair.position)
            return
        salt = pair.seal.salt
        leaf = None if pair.event is None or salt is None else leaf_of(self._org_id, salt, pair.event)
        if self._follow(pair.seal, leaf):
            if pair.event is None:
                self.tell(Harm.DELETED, pair.position)
            elif leaf is None:
                if not pair.erased:
                    self.tell(Harm.SALT_GONE, pair.position)
            elif leaf != pair.seal.leaf:
                await self._tell_changed(pair.event, pair.seal)
        self.position, self.sealed = pair.position, self.sealed + 1

    async def _tell_changed(self, event: Content, seal: Seal) -> None:
        found = await self._search(event)
        if found is None:
            self.tell(Harm.ALTERED, seal.position, detail=f"now it is the {_named(event)}")
        else:
            self.tell(Harm.MOVED, seal.position, detail=f"it was sealed at position {found}, the {_named(event)}")

    # --- The chain ------------------------------------------------------------------------------------------------------

    def _follow(self, seal: Seal, leaf: bytes | None) -> bool:
        """Go on to a seal, `leaf` being what its event comes to; False: what is wrong here was told."""
        if self._follows(seal, seal.leaf):
            self._settle_unsealed(Harm.PUT_IN)
            return True
        if leaf is not None and leaf != seal.leaf and self._follows(seal, leaf):
            self._settle_unsealed(Harm.PUT_IN)
            self.tell(Harm.SEAL_ALTERED, seal.position)
            return False
        self._break(seal, leaf)
        return True

    def _follows(self, seal: Seal, leaf: bytes) -> bool:
        """Say whether a seal follows from what may have been before it; if so, what was wrong before is known."""
        for fault, before in self._before:
            if digest_of(before, seal.position, leaf) == seal.digest:
                self._settle(fault, seal.digest)
                return True
        return False

    def _settle(self, fault: Fault | None, digest: bytes) -> None:
        if fault is not None and not any(told.position == fault.position for told in self.faults[-2:]):
            self.faults.append(fault)
        self._before = [(None, digest)]

    def _break(self, seal: Seal, leaf: bytes | None) -> None:
        """Go on from a seal that does not follow from what was before it."""
        if self._unsealed is not None:
            self._settle(self._before[0][0], seal.digest)
            self._settle_unsealed(Harm.SEAL_GONE)
            return
        fault, before = self._before[0]
        self._settle(fault, before)
        altered = Fault(Harm.SEAL_ALTERED, seal.position, seal.position)
        should = [digest_of(before, seal.position, one) for one in (seal.leaf, leaf) if one is not None]
        self._before = [*((altered, one) for one in should), (self._gone(seal.position), seal.digest)]

    def _gone(self, position: int) -> Fault:
        """Say what is gone before a position, between it and the last seal."""
        if self.position == position - 1:
            return Fault(Harm.REWRITTEN, self.position, self.position)
        detail = f"or the event at position {self.position} was rewritten with its seal" if self.position else ""
        return Fault(Harm.TAKEN_OUT, self.position, position, detail)

    def _settle_unsealed(self, harm: Harm) -> None:
        if self._unsealed is not None:
            self.faults.append(replace(self._unsealed, harm=harm))
            self._unsealed = None

    def _finish(self) -> None:
        """Compare where the chain ends with what is noted of its end."""
        end = self._end
        fault, digest = next((one for one in self._before if one[1] == end.digest), self._before[0])
        self._settle(fault, digest)
        if self._unsealed is not None:
            self._settle_unsealed(Harm.SEAL_GONE if end.sealed > self.position else Harm.PUT_IN)
        elif end.sealed > self.position:
            self.tell(Harm.CUT_OFF, self.position, detail=f"it was sealed up to position {end.sealed}")
        elif not self.sealed == end.sealed == 0 and (end.sealed, end.digest) != (self.position, digest):
            self.tell(Harm.HEAD_ALTERED, self.position, detail=f"seal_head names position {end.sealed}")
        if end.followed < end.sealed:
            self.tell(Harm.HEAD_ALTERED, end.followed, detail="seal_head says that the log was followed no further")

    async def _search(self, event: Content) -> int | None:
        """Give the position at which an event of this content was sealed. Cost: reads all seals."""
        after, self._searches = 0, self._searches + 1
        if self._searches > SEARCHES_MAX:
            return None
        while seals := await store.read_seals(self._connection, self._org_id, after, PIECE):
            for seal in seals:
                if seal.salt is not None and leaf_of(self._org_id, seal.salt, event) == seal.leaf:
                    return seal.position
            after = seals[-1].position
        return None


def _named(event: Content) -> str:
    kind = _OPERATIONS.get(event.op, event.op)
    return f"{kind} of {event.entity}/{event.record_id} by {event.actor or 'nobody named'}"
