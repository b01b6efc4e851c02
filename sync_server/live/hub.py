"""The hub: who of the connections of this process must be told what. A state machine, without a socket, a clock or a task.

Owns: who listens to what, what each connection has yet to be told, and the newest position heard of each organisation.
Must not know: sockets, SQL, how entitlements come about, how frames are written.
Invariant: a connection is told of a record's table only if its user sees the record by the labels that it carries or has just
lost; what it has yet to be told has a bound, however much happens; the clock of an organisation never goes back, and nothing
between two of its values is skipped (tests/properties/test_live.py, tests/unit/test_live_hub.py).

Batches may come twice, late and in any order, as several processes read the same log and tell each other. One that begins
after the clock would skip something, so it is refused (GAP), and whoever tails the log reads from the clock on; one that ends
at or before the clock says nothing new. What a connection has not been told is not a queue but a cell: the tables and channels
since the last hint. A reader that is too slow for even that is told to pull whatever it was.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

from sync_server.live.channels import Channel, Sight, read_channel, sees
from sync_server.live.members import (
    Heard,
    Hint,
    House,
    Member,
    Stale,
    Viewer,
    channels_of,
    narrow,
    pend,
    show,
    unsubscribe,
)
from sync_server.live.news import Batch, Touched


class Hub:
    """The connections of one process."""

    def __init__(self) -> None:
        self._houses: dict[str, House] = {}

    # --- Who is here ----------------------------------------------------------------------------------------------------

    def houses(self) -> Collection[House]:
        """Give the organisations that somebody of listens."""
        return self._houses.values()

    def house(self, org_id: str) -> House | None:
        return self._houses.get(org_id)

    def open(self, org_id: str, clock: int, rights: tuple[int, int]) -> House:
        """Give the organisation; if nobody of it listened so far, it is heard from `clock` on."""
        return self._houses.setdefault(org_id, House(org_id, clock, rights))

    def join(self, house: House, user_id: str, sight: Sight, until: float | None = None) -> Member:
        """Add a connection of a user who sees `sight`; it listens to what concerns the user, and to all that they see."""
        viewer = house.viewers.get(user_id)
        if viewer is None:
            viewer = house.viewers[user_id] = Viewer(user_id, {})
        show(house, viewer, sight)
        viewer.until = until
        member = Member(viewer, house, house.clock)
        viewer.members.add(member)
        member.channels.update(_first_channels(house.org_id, user_id))
        return member

    def leave(self, member: Member) -> None:
        """Remove a connection."""
        house, viewer = member.org, member.viewer
        for name in list(member.channels):
            unsubscribe(member, name)
        viewer.members.discard(member)
        if not viewer.members:
            show(house, viewer, {})
            house.viewers.pop(viewer.user_id, None)
        if not house.viewers:
            self._houses.pop(house.org_id, None)

    # --- Who listens to what --------------------------------------------------------------------------------------------

    def entitle(self, house: House, user_id: str, sight: Sight) -> Heard:
        """Let a user see `sight` from now on; their channels are looked through, and they are told to pull."""
        heard, viewer = Heard(), house.viewers.get(user_id)
        if viewer is None or viewer.sight == sight:
            return heard
        show(house, viewer, sight)
        for member in viewer.members:
            narrow(member, heard)
            # What begins or ends by time takes a position with the first pull that notices: one above every cursor.
            pend(member, house.clock + 1, (), None, heard)
        return heard

    def relabel(self, house: House, name: str, labels: Sequence[str]) -> Heard:
        """Say which labels the record of an entity's channel carries now; who does not see it any more loses the channel."""
        heard = Heard()
        if name in house.labels:
            house.labels[name] = labels
            for member in list(house.watchers.get(name, ())):
                narrow(member, heard)
        return heard

    # --- What happened --------------------------------------------------------------------------------------------------

    def hear(self, batch: Batch) -> Heard | Stale:
        """Take in what the log says; a batch that brings nothing new, or would skip something, changes nothing.

        Cost: the labels touched times their holders.
        """
        house = self._houses.get(batch.org_id)
        if house is None:
            return Stale.NOBODY
        if batch.upto <= house.clock:
            return Stale.OLD
        if batch.after > house.clock:
            return Stale.GAP
        if batch.rights != house.rights:
            return Stale.TURNED  # what its users see now is yet to be worked out
        house.clock = batch.upto
        heard = Heard()
        if batch.whole:
            self._tell_everybody(house, heard)
        self._tell_by_label(house, batch, heard)
        self._tell_watchers(house, batch, heard)
        for user_id, table in batch.told:
            for member in house.viewers[user_id].members if user_id in house.viewers else ():
                pend(member, batch.upto, (table,), f"user:{user_id}", heard)
        return heard

    def _tell_everybody(self, house: House, heard: Heard) -> None:
        for viewer in house.viewers.values():
            for member in viewer.members:
                pend(member, house.clock, (), None, heard)
        heard.unsure.extend(house.labels)

    def _tell_by_label(self, house: House, batch: Batch, heard: Heard) -> None:
        """Tell those who listen to all that they see, and those whom a record names."""
        by_label: dict[str, set[str]] = {}
        for touched in batch.touched:
            for label in (*touched.labels, *touched.lost):
                by_label.setdefault(label, set()).add(touched.table)
        for label, tables in by_label.items():
            for viewer in house.by_label.get(label, ()):
                shown = viewer.sight[label] & tables
                if shown:
                    for member in viewer.members:
                        pend(member, batch.upto, shown, f"org:{house.org_id}", heard)
                        if label == f"user:{viewer.user_id}":
                            pend(member, batch.upto, shown, label, heard)

    def _tell_watchers(self, house: House, batch: Batch, heard: Heard) -> None:
        if not house.watchers:
            return
        for touched in batch.touched:
            labels = (*touched.labels, *touched.lost)
            for name in channels_of(touched, labels, house.labels):
                for member in house.watchers.get(name, ()):
                    if sees(member.viewer.sight, touched.table, labels):
                        pend(member, batch.upto, (touched.table,), name, heard)
            self._relabel_touched(house, touched, heard)

    def _relabel_touched(self, house: House, touched: Touched, heard: Heard) -> None:
        if touched.id:
            told = self.relabel(house, f"entity:{touched.table}:{touched.id}", touched.labels)
            heard.lost.extend(told.lost)
        else:
            prefix = f"entity:{touched.table}:"
            heard.unsure.extend(name for name in house.labels if name.startswith(prefix))

    # --- What is to be told ---------------------------------------------------------------------------------------------

    def take(self, member: Member) -> Hint | None:
        """Give what a connection is to be told now, and forget it; None: nothing."""
        pending, member.pending = member.pending, None
        if pending is None:
            return None
        clock = member.org.clock
        return Hint(clock, tuple(sorted(pending.tables)), tuple(sorted(pending.channels)))


@lru_cache(4096)
def _first_channels(org_id: str, user_id: str) -> Mapping[str, Channel]:
    """Give the channels that a connection begins with; kept, so that many connections share their names."""
    names = (f"user:{user_id}", f"org:{org_id}")
    return {name: channel for name in names if (channel := read_channel(name)) is not None}
