"""Explain: why a record is or is not on a device, and what the device's next pull does about it.

Owns: the conclusion, and what of the facts the asker is told.
Must not know: HTTP, SQL, JSON.
Invariant: what is concluded is what pulls do, as it is decided by the same function of the same facts
(tests/simulation/test_explain_oracle.py); who does not look after devices learns no more of a record that is hidden from
their own device's user than of one that never was (tests/integration/test_explain.py).

The cursor is the last that the device said it has. It may have come further without having said so yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sync_server.engine.cursor import Course, FromTheFuture
from sync_server.engine.entitlements import Holds, hidden_fields
from sync_server.engine.gate import synced
from sync_server.engine.pull import gazes_of, labels_then, orient, synced_at
from sync_server.engine.showing import Gaze, Moved, decide, seen_then, sent_again
from sync_server.engine.standing import Standings
from sync_server.store import clock as clocks
from sync_server.store import feed, verifying
from sync_server.store.actor import Actor
from sync_server.store.database import Connection, Database
from sync_server.store.feed import Candidate, Key, Reader
from sync_server.store.registry import Device
from sync_server.store.verifying import LastVerdict, OpenIssue, Origin

SENTENCES: Final[Mapping[str, str]] = {
    "on_device": "The device has the record.",
    "comes_with_next_pull": "The device does not have the record yet; its next pull brings it.",
    "leaves_with_next_pull": "The device may still have the record; its next pull takes it away.",
    "never_there": "The record was made and deleted while the device did not sync, so it never came there.",
    "not_visible": "The record is not there because the device's user holds no right in any scope that it is in.",
    "deleted": "The record was deleted, and the device has heard of it.",
    "unknown_record": "There is no such record, or the device's user may not know of it.",
    "device_wiping": "The device is to be emptied: it is sent nothing but what to forget.",
    "device_wiped": "The device was emptied; a login begins anew.",
    "device_revoked": "The device is shut out: it keeps what it had, and no pull is answered until somebody logs in on it.",
}
"""Conclusion -> what it means."""

BRINGS: Final = "brings"
UPDATES: Final = "updates"
REMOVES: Final = "removes"
NOTHING: Final = "nothing"


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a record. `labels`: the scopes that it is in; `held`: those of them that the device's user holds, with
    which codes; `hidden`: the fields that the user does not see; `moved`: when and from where it moved last."""

    position: int
    deleted: bool
    labels: Sequence[str]
    held: Holds
    hidden: Sequence[str]
    moved: Origin | None


@dataclass(frozen=True, slots=True)
class Explained:
    """Why a record is or is not on a device; `record` None: nothing is to be told of it.

    `next_pull`: brings, updates, removes, nothing. `at_cursor`: whether the device has had it since its cursor; None: the
    device begins anew.
    """

    conclusion: str
    next_pull: str
    record: Record | None
    at_cursor: bool | None
    verdict: LastVerdict | None
    issues: Sequence[OpenIssue]

    @property
    def sentence(self) -> str:
        return SENTENCES[self.conclusion]


async def explain(
    database: Database, standings: Standings, org_id: str, key: Key, device: Device, *, fully: bool
) -> Explained:
    """Explain a record on a device. `fully`: the asker looks after devices. Cost: about ten look-ups in one snapshot."""
    actor = Actor(org_id, device.user_id, "", device.id)
    async with database.snapshot(org_id) as connection:
        facts = await _facts(connection, standings, actor, key, device.cursor)
        verdict = await verifying.read_last_verdict(connection, org_id, key, device.id)
        issues = await verifying.read_open_issues(connection, org_id, key, device.user_id)
    state = None if device.state == "active" else f"device_{device.state}"
    if facts is None or not (fully or facts.known):
        at_cursor = None if device.cursor is None else False
        return Explained(state or "unknown_record", NOTHING, None, at_cursor, verdict, issues)
    next_pull = NOTHING if state else facts.next_pull
    return Explained(state or facts.conclusion, next_pull, facts.record(fully=fully), facts.at_cursor, verdict, issues)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What decides. `now`, `then`: how much of the record the user sees, and saw at the cursor, None without one;
    `moved`: what the next pull says of it; `here`: it was made on this device, which has not heard of it by a pull yet."""

    candidate: Candidate
    gaze: Gaze
    holds: Holds
    cursor: int | None
    now: int
    then: int | None
    moved: Moved | None
    own_and_new: bool
    here: bool
    origin: Origin | None

    @property
    def known(self) -> bool:
        """Whether the device's user sees the record, did when the device pulled last, or hears of it next."""
        return bool(self.now or self.then) or self.moved is not None

    @property
    def at_cursor(self) -> bool | None:
        return None if self.then is None else bool(self.then)

    @property
    def conclusion(self) -> str:
        gone = self.candidate.payload is None
        if self.moved is not None and self.moved.payload is None:
            left = self.then or self.own_and_new or not gone
            return "leaves_with_next_pull" if left else "never_there"
        if self.moved is not None:
            return "on_device" if self.then or self.here else "comes_with_next_pull"
        if self.now:
            return "on_device"
        if gone:
            young = self.cursor is not None and self.candidate.created_position > self.cursor
            return "never_there" if young else "deleted"
        return "not_visible"

    @property
    def next_pull(self) -> str:
        if self.moved is None:
            return NOTHING
        if self.moved.payload is None:
            return REMOVES
        return UPDATES if self.then or self.here else BRINGS

    def record(self, *, fully: bool) -> Record:
        labels = sorted(self.candidate.scopes or ())
        held = {label: self.holds[label] for label in labels if label in self.holds}
        hidden = sorted(hidden_fields(self.gaze.now.entity, self.now)) if self.now else []
        deleted = self.candidate.payload is None
        shown = labels if fully else list(held)
        return Record(self.candidate.position, deleted, shown, held, hidden, self.origin)


async def _facts(
    connection: Connection, standings: Standings, actor: Actor, key: Key, cursor: int | None
) -> _Facts | None:
    candidate = await verifying.read_candidate(connection, actor.org_id, key)
    if candidate is None:
        return None
    clock = await clocks.read_clock(connection, actor.org_id)
    standing = await standings.read(connection, actor, clock.rights)
    holds = synced(standing.entitled).holds
    cursor = cursor if await _goes_on(connection, actor.org_id, cursor) else None
    before = {} if cursor is None else await synced_at(connection, actor, cursor)
    gaze = gazes_of([candidate.table], holds, before)[candidate.table]
    assert candidate.scopes is not None
    now = gaze.now.mask(candidate.scopes) if candidate.payload is not None else 0
    origins = await verifying.read_origins(connection, actor.org_id, {candidate.position, candidate.created_position})
    origin, made = origins.get(candidate.position), origins.get(candidate.created_position)
    if cursor is None:
        moved = None if not now else Moved(candidate.table, candidate.id, candidate.payload, new=True)
        return _Facts(candidate, gaze, holds, cursor, now, None, moved, False, False, origin)
    labels = (await labels_then(connection, actor.org_id, [candidate], cursor)).get(key, ())
    then = seen_then(gaze.then, candidate, cursor, labels)
    moved = await _heard(connection, actor, gaze, candidate, cursor, labels)
    own_and_new = candidate.author == actor.user_id and candidate.created_position > cursor
    here = own_and_new and made is not None and made.device_id == actor.device_id
    return _Facts(candidate, gaze, holds, cursor, now, then, moved, own_and_new, here, origin)


async def _goes_on(connection: Connection, org_id: str, cursor: int | None) -> bool:
    """Say whether a device at `cursor` goes on from there; else it begins anew, and is sent all that is visible."""
    try:
        _, way = await orient(connection, org_id, cursor)
    except FromTheFuture:
        return False
    return way is Course.INCREMENTAL


async def _heard(
    connection: Connection, actor: Actor, gaze: Gaze, candidate: Candidate, cursor: int, labels: Sequence[str]
) -> Moved | None:
    """Say what the next pull tells the device of the record, as the pull itself decides."""
    reader = Reader(actor.org_id, actor.user_id)
    for corrected in await feed.read_corrections(connection, reader, [candidate.table], cursor):
        if corrected.id == candidate.id:
            return sent_again(gaze.now, corrected)
    if not gaze.whole:
        return decide(gaze, candidate, actor.user_id, cursor, labels)
    if candidate.position <= cursor:
        return None
    new = candidate.created_position > cursor and candidate.author != actor.user_id
    return Moved(candidate.table, candidate.id, candidate.payload, new)
