"""What comes first: the records of an answer in the order in which a phone should have them.

Owns: that order: the inbox, what its user has to work on today, what later, the work of others, partners, what seldom changes.
Must not know: slices, HTTP, JSON but for the bytes of a member.
Invariant: every record of the answer is given once (tests/integration/test_slices.py).

It is decided list by list, and inside a list by what a record says of itself: phones share lists, so they are read again for
each turn rather than sorted for each. Parents need not come before children: WatermelonDB has no foreign keys.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum
from typing import Final, TypeAlias

from erp_core.catalogue import BY_TABLE, ORDER
from erp_core.language import Entity, Urgency
from sync_server.engine.pull import Delta
from sync_server.engine.showing import Moved
from sync_server.engine.spooling import Spooled, elements
from sync_server.store.spool import Spool

Show: TypeAlias = Callable[[Moved], bytes]
"""Writes a record that is not gone as its user sees it."""


@dataclass(slots=True)
class _List:
    """One list of one table: spooled elements, then those in memory."""

    table: str
    which: str
    spools: Sequence[Spool] = ()
    rest: list[bytes] = field(default_factory=list)

    async def batches(self) -> AsyncIterator[Sequence[bytes]]:
        """Give the elements, some hundred at a time. Raises `spool.Broken`."""
        for spool in self.spools:
            async for batch in elements(spool):
                yield batch
        yield self.rest


async def in_order(
    answer: Delta | Spooled, user_id: str, today: date, show: Show
) -> AsyncIterator[tuple[str, str, Sequence[bytes]]]:
    """Give the records of an answer, (table, list, elements), the most urgent first. Raises `spool.Broken`.

    The inbox; on what the user has to work by `today`, or with no day; what is for a later day; the work of others; partners;
    what seldom changes.
    """
    lists = sorted(_lists(answer, show), key=lambda one: (BY_TABLE[one.table].urgency, ORDER[one.table]))
    own = {one.table: _Own.of(BY_TABLE[one.table], user_id, today) for one in lists}
    for turn in Turn:
        for one in lists:
            mine = None if one.which == "deleted" else own[one.table]
            if turn not in _turns(BY_TABLE[one.table], mine):
                continue
            async for batch in one.batches():
                yield one.table, one.which, batch if mine is None else [e for e in batch if mine.turn(e) is turn]


class Turn(IntEnum):
    """Whose turn a record is in."""

    INBOX = 0
    TODAY = 1
    LATER = 2
    REST = 3


def _turns(entity: Entity, mine: _Own | None) -> Collection[Turn]:
    """Name the turns in which a list may have records; it is read once in each."""
    if mine is None:
        return (Turn.INBOX,) if entity.urgency is Urgency.INBOX else (Turn.REST,)
    return (Turn.TODAY, Turn.REST) if mine.due is None else (Turn.TODAY, Turn.LATER, Turn.REST)


def _lists(answer: Delta | Spooled, show: Show) -> Iterator[_List]:
    if isinstance(answer, Delta):
        by_table: dict[str, list[Moved]] = {}
        for moved in answer.moved:
            by_table.setdefault(moved.table, []).append(moved)
        for table, told in by_table.items():
            yield from _of_table(table, {}, told, show)
    else:
        for t in answer.tables:
            spools = {"created": t.created, "updated": t.updated, "deleted": t.deleted}
            yield from _of_table(t.table, spools, t.corrections, show)


def _of_table(table: str, spools: dict[str, tuple[Spool, ...]], told: Iterable[Moved], show: Show) -> Iterator[_List]:
    lists = {which: _List(table, which, spools.get(which, ())) for which in ("created", "updated", "deleted")}
    for moved in told:
        if moved.payload is None:
            lists["deleted"].rest.append(b'"%b"' % moved.id.encode())  # a safe id has nothing to escape
        else:
            lists["created" if moved.new else "updated"].rest.append(show(moved))
    yield from lists.values()


_OF_ITS_MAKER: Final = ("created_by",)


@dataclass(frozen=True, slots=True)
class _Own:
    """Tells by its text whether a record is one on which a user has still to work, and when; it decides an order and nothing
    else. `due` finds the day, if there is one."""

    whose: re.Pattern[bytes]
    open: re.Pattern[bytes]
    due: re.Pattern[bytes] | None
    today: bytes

    @classmethod
    def of(cls, entity: Entity, user_id: str, today: date) -> _Own | None:
        """None: there is no such record of this entity."""
        states = entity.states
        if states is None or entity.urgency not in (Urgency.WORK, Urgency.PARTNERS):
            return None
        whose, at_work = _says((*_OF_ITS_MAKER, *entity.whose), [user_id]), _says([states.field], states.at_work)
        due = None if entity.due is None else re.compile(rf'"{entity.due}": ?"([0-9-]+)"'.encode())
        return cls(whose, at_work, due, today.isoformat().encode())

    def turn(self, element: bytes) -> Turn:
        if self.whose.search(element) is None or self.open.search(element) is None:
            return Turn.REST
        day = None if self.due is None else self.due.search(element)
        return Turn.LATER if day is not None and day[1] > self.today else Turn.TODAY


def _says(names: Iterable[str], values: Iterable[str]) -> re.Pattern[bytes]:
    """Make a pattern of a member; a quote inside a JSON string is escaped, so that no text looks like one."""
    either, of = "|".join(map(re.escape, names)), "|".join(map(re.escape, values))
    return re.compile(rf'"(?:{either})": ?"(?:{of})"'.encode())
