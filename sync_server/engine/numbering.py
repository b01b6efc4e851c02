"""Numbering: the numbers of documents while a batch of changes is applied: checked, given, and written down.

Theory. A phone numbers what it makes offline out of a block that was leased to it (leasing.py). What comes with a number must
have it from a block of its own device, or from one that was returned or reclaimed: nobody else can have given that. If another
document has the number all the same (an installation that was copied, paper that the office wrote down meanwhile), the later
one gets a fresh number and its device is corrected. What comes without a number gets the next one: when it is made, or, of a
kind without gaps, when it is issued. Numbers of the server's are given twice in one unit: before the rules look, to all that
want one, and after them anew, in one row, to those that were accepted; so a refusal leaves no gap.

Owns: which number a document gets, and what is said of one that it cannot have.
Must not know: SQL, leases, the protocol.
Invariant: no two documents of a series have one number, and a kind without gaps has none
(tests/integration/test_numbers.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from conflict.merge import Outcome
from conflict.mutation import Mutation, Operation
from conflict.policies import OURS
from erp_core.catalogue import BY_TABLE
from erp_core.entities.document_series import DOCUMENT_SERIES, written
from erp_core.language import Entity, Violation
from erp_core.numbering import GAPLESS, NUMBER_MAX, NUMBERED, day_of, gets_number, read_number
from erp_core.values import Row
from sync_server.engine.draft import Draft, Verdict
from sync_server.engine.holding import lock
from sync_server.store import log, numbers, rows
from sync_server.store.database import Connection
from sync_server.store.numbers import Series, Standing, Use

NOT_LEASED: Final = "number_not_leased"
BY_THE_SERVER: Final = "number_by_server"
SET_FREE: Final = ("returned", "reclaimed")
"""States of a block of which anybody may bring a number: its device can have given it before it lost the block."""

_LOOKS_MAX: Final = 20
"""How many stretches are looked through for numbers that nobody has."""


@dataclass(slots=True, eq=False)
class Wish:
    """A document that gets a number of the server's. `instead_of`: what its device had numbered it."""

    draft: Draft
    series: Series
    instead_of: str = ""


@dataclass(slots=True)
class Numbering:
    """The numbers of a batch. `kept`: the documents that keep the number with which they came; `free`: series -> the numbers
    that may be given, in order; `held`: series -> its row, locked."""

    kept: dict[tuple[str, int], Draft] = field(default_factory=dict)
    wishes: list[Wish] = field(default_factory=list)
    free: dict[str, list[int]] = field(default_factory=dict)
    held: dict[str, Row] = field(default_factory=dict)

    def give(self) -> dict[str, list[tuple[int, Wish]]]:
        """Give numbers, in order and in one row, to those that still are to be written: series -> what was given."""
        given: dict[str, list[tuple[int, Wish]]] = defaultdict(list)
        for wish in self.wishes:
            id = wish.series.id
            if wish.draft.writes and len(given[id]) < len(self.free[id]):
                number = self.free[id][len(given[id])]
                given[id].append((number, wish))
                assert wish.draft.after is not None
                wish.draft.after = {**wish.draft.after, "number": written(self.held[id], number)}
        return given

    def settle(self, drafts: Sequence[Draft]) -> tuple[list[Use], list[Draft]]:
        """After the rules: give (the numbers that documents have by now, what becomes of the series)."""
        uses = [
            Use(series, number, *draft.mutation.key) for (series, number), draft in self.kept.items() if draft.writes
        ]
        consequences = []
        for id, given in self.give().items():
            for number, wish in given:
                uses.append(Use(id, number, *wish.draft.mutation.key, wish.instead_of))
                if wish.instead_of:
                    _tell(wish)
            if given:
                consequences.append(self._advanced(id, given[-1][0] + 1, given[0][1].draft))
        own = {draft.mutation.key: draft for draft in drafts if draft.entity is DOCUMENT_SERIES and draft.writes}
        return uses, [one for one in consequences if not _carried(one, own.get(one.mutation.key))]

    def _advanced(self, id: str, next_number: int, first: Draft) -> Draft:
        mutation = Mutation(DOCUMENT_SERIES.table, id, Operation.UPDATED, {})
        consequence = Draft(first.origin, mutation, DOCUMENT_SERIES, before=self.held[id])
        consequence.after = {**self.held[id], "next_number": next_number}
        return consequence


def _carried(consequence: Draft, own: Draft | None) -> bool:
    """Put what becomes of a series into the draft that edits it, if there is one."""
    if own is None or own.after is None or consequence.after is None:
        return False
    most = max(own.after["next_number"], consequence.after["next_number"])
    own.after = {**own.after, "next_number": most}
    return True


def _tell(wish: Wish) -> None:
    """Let the device hear that the document has another number than the one that it may have printed."""
    draft = wish.draft
    assert draft.after is not None
    fresh = draft.after["number"]
    draft.outcomes = (*draft.outcomes, Outcome("number", OURS.name, None, fresh, wish.instead_of, fresh))
    draft.verdict = Verdict.MERGED


# --- Before the rules look ----------------------------------------------------------------------------------------------


async def number(connection: Connection, org_id: str, drafts: Sequence[Draft], today: date) -> Numbering:
    """Check the numbers that drafts bring, and give numbers to those that are to have one; faults go into the drafts.

    Cost: nothing for records without numbers; one statement for those with, one more for numbers that are brought, and some
    for each series of which numbers are given.
    """
    numbering = Numbering()
    concerned = [draft for draft in drafts if _is_concerned(draft)]
    if not concerned:
        return numbering
    wanted = {(draft.after["branch_id"], draft.entity.name) for draft in concerned if draft.after is not None}
    by_kind: dict[tuple[str, str], list[Series]] = defaultdict(list)
    for series in await numbers.series_for(connection, org_id, sorted(w for w in wanted if w[0] is not None)):
        by_kind[series.branch_id, series.kind].append(series)
    brought: list[tuple[Draft, list[tuple[Series, int]]]] = []
    for draft in concerned:
        assert draft.after is not None
        _sort(numbering, draft, by_kind[draft.after["branch_id"], draft.entity.name], brought, today)
    asked = {(series.id, n) for _, found in brought for series, n in found}
    known = await numbers.standings(connection, org_id, asked)
    for draft, found in brought:
        _look_at(numbering, draft, found, known, today)
    await _find_free(connection, org_id, numbering)
    numbering.give()
    return numbering


def _is_concerned(draft: Draft) -> bool:
    """Say whether a draft brings a number, or is to get one."""
    kind = draft.entity.name
    if kind not in NUMBERED or draft.after is None or draft.faults or not draft.writes:
        return False
    if draft.before is not None and draft.before["number"] is not None:
        return False
    return draft.after["number"] is not None or gets_number(kind, draft.after, draft.before)


def _sort(
    numbering: Numbering,
    draft: Draft,
    candidates: Sequence[Series],
    brought: list[tuple[Draft, list[tuple[Series, int]]]],
    today: date,
) -> None:
    """Find out which series a draft's number is of. Where nobody numbers, people write what they like."""
    assert draft.after is not None
    kind, text = draft.entity.name, draft.after["number"]
    current = _current(candidates, kind, draft.after, today)
    if text is None:
        if current is not None:
            draft.sent.setdefault("number", None)
            numbering.wishes.append(Wish(draft, current))
        return
    if kind in GAPLESS:
        if current is not None:
            sentence = f"The {draft.entity.title.lower()} gets its number when it is {GAPLESS[kind]}; leave it empty."
            draft.faults.append(Violation(BY_THE_SERVER, sentence, ("number",)))
        return
    found = [(series, n) for series in candidates if (n := read_number(series.form(), text)) is not None]
    if found:
        brought.append((draft, found))
    elif current is not None:
        like = written(current.form(), current.next_number)
        sentence = f"{text} is no number of its series, which are written like {like}; leave it empty to get one."
        draft.faults.append(Violation("malformed", sentence, ("number",)))


def _current(candidates: Sequence[Series], kind: str, row: Row, today: date) -> Series | None:
    day = day_of(kind, row, today)
    return next((series for series in candidates if series.starts_on <= day <= series.ends_on), None)


def _look_at(
    numbering: Numbering,
    draft: Draft,
    found: Sequence[tuple[Series, int]],
    known: Mapping[tuple[str, int], Standing],
    today: date,
) -> None:
    """Let a draft keep its number, put it down for a fresh one, or say why it cannot have it."""
    assert draft.after is not None
    device = draft.origin.actor.device_id

    def rank(one: tuple[Series, int]) -> tuple[bool, bool]:
        standing = known[one[0].id, one[1]]
        of_today = one[0].starts_on <= day_of(draft.entity.name, draft.after or {}, today) <= one[0].ends_on
        return not (device and standing.device_id == device), not of_today

    series, n = min(found, key=rank)
    standing, key = known[series.id, n], (series.id, n)
    if standing.record == draft.mutation.key:
        return
    own = bool(device) and standing.device_id == device
    if not own and standing.state not in SET_FREE:
        sentence = f"{draft.after['number']} was not leased to this device; leave the number empty to get one."
        draft.faults.append(Violation(NOT_LEASED, sentence, ("number",)))
    elif standing.record is not None or standing.voided or key in numbering.kept:
        numbering.wishes.append(Wish(draft, series, draft.after["number"]))
    else:
        numbering.kept[key] = draft


async def _find_free(connection: Connection, org_id: str, numbering: Numbering) -> None:
    """Lock the series of which numbers are to be given, and find as many numbers as are wished for."""
    wished: dict[str, list[Wish]] = defaultdict(list)
    for wish in numbering.wishes:
        wished[wish.series.id].append(wish)
    if not wished:
        return
    keys = [(DOCUMENT_SERIES.table, id) for id in sorted(wished)]
    await lock(connection, org_id, keys)
    states = await log.read_states(connection, org_id, keys)
    for (table, id), wishes in zip(keys, (wished[id] for id in sorted(wished)), strict=True):
        row = states[table, id].row if (table, id) in states else None
        numbering.held[id] = row or {}
        entity = BY_TABLE[wishes[0].draft.mutation.table]
        numbering.free[id] = [] if row is None else await _first_free(connection, org_id, entity, row, len(wishes))


async def _first_free(connection: Connection, org_id: str, entity: Entity, row: Row, count: int) -> list[int]:
    """Give the first numbers of a series, from its next one on, that no record has (one of before may)."""
    free: list[int] = []
    start = row["next_number"]
    for _ in range(_LOOKS_MAX):
        tried = {written(row, n): n for n in range(start, min(start + count, NUMBER_MAX + 1))}
        held = {}
        if entity.by_name["number"].unique:
            held = await rows.holders(connection, entity, ("number",), org_id, {(text,) for text in tried})
        free += [n for text, n in tried.items() if (text,) not in held]
        start += count
        if len(free) >= count or not tried:
            break
    return free[:count]


async def write_down(connection: Connection, org_id: str, now: datetime, uses: Sequence[Use]) -> None:
    """Write down which documents have which numbers, once they are written. Cost: two statements, none for none."""
    if uses:
        await numbers.claim(connection, org_id, now, uses)
