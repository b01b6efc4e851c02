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
from datetime import date, datetime
from typing import Final

from erp_core.catalogue import BY_TABLE
from erp_core.entities.document_series import DOCUMENT_SERIES, written
from erp_core.language import Entity, Violation
from erp_core.numbering import GAPLESS, NUMBER_MAX, NUMBERED, day_of, gets_number, read_number
from erp_core.values import Row
from sync_server.engine.draft import Draft
from sync_server.engine.holding import lock
from sync_server.engine.numbers_given import Numbering, Wish
from sync_server.store import log, numbers, rows
from sync_server.store.database import Connection
from sync_server.store.numbers import Series, Standing, Use

NOT_LEASED: Final = "number_not_leased"
BY_THE_SERVER: Final = "number_by_server"
SET_FREE: Final = ("returned", "reclaimed")
"""States of a block of which anybody may bring a number: its device can have given it before it lost the block."""

_LOOKS_MAX: Final = 20
"""How many stretches are looked through for numbers that nobody has."""


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
