"""The gap report: what became of every number of a series, from 1 to the last that was given out.

Owns: which explanation of a number counts, the stretches of the report, and a person's reason for a gap.
Must not know: SQL, HTTP.
Invariant: every number of a page is in exactly one stretch, and what nothing explains is said to be unexplained
(tests/unit/test_number_report.py, tests/integration/test_numbers.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from erp_core.language import Violation
from sync_server.engine.office import NotThere, Refused
from sync_server.store import number_blocks, numbers
from sync_server.store.actor import Actor
from sync_server.store.database import Connection, Database
from sync_server.store.idempotency import Once, once_only
from sync_server.store.number_blocks import Block
from sync_server.store.numbers import Gap, Series, Use
from sync_server.store.unit_of_work import unit_of_work

PAGE_MAX: Final = 1_000
"""Numbers in one page."""
REASON_MAX: Final = 500
"""Characters."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Numbers `first` to `last` and what became of them: `what` is used, leased, returned, reclaimed, voided or unexplained.

    `use`, `block`, `gap`: what says so.
    """

    first: int
    last: int
    what: str
    use: Use | None = None
    block: Block | None = None
    gap: Gap | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A page of the report; `following`: after which number the next one begins, None: this is the last."""

    series: Series
    stretches: Sequence[Stretch]
    following: int | None


def explain(
    first: int, last: int, uses: Sequence[Use], blocks: Sequence[Block], gaps: Sequence[Gap]
) -> Iterator[Stretch]:
    """Say what became of the numbers from `first` to `last`. Neighbours that nothing tells apart are one stretch.

    A document counts before a person's word, and that before the block.
    """
    used = {use.number: use for use in uses}
    current: Stretch | None = None
    for number in range(first, last + 1):
        said = _of(number, used.get(number), blocks, gaps)
        same = current is not None and (said.what, said.use, said.block, said.gap) == (
            *(current.what, current.use, current.block, current.gap),
        )
        if current is not None and same:
            current = Stretch(current.first, number, said.what, said.use, said.block, said.gap)
            continue
        if current is not None:
            yield current
        current = said
    if current is not None:
        yield current


def _of(number: int, use: Use | None, blocks: Sequence[Block], gaps: Sequence[Gap]) -> Stretch:
    if use is not None:
        return Stretch(number, number, "used", use=use)
    gap = next((gap for gap in gaps if gap.first <= number <= gap.last), None)
    if gap is not None:
        return Stretch(number, number, "voided", gap=gap)
    block = next((block for block in blocks if block.first <= number <= block.last), None)
    if block is None or block.state == "used_up":  # of a used-up block every number has its document
        return Stretch(number, number, "unexplained")
    return Stretch(number, number, block.state, block=block)


async def report(database: Database, org_id: str, series_id: str, after: int, limit: int) -> Report:
    """Give a page of the report: the numbers after `after`. Raises `NotThere`. Cost: a snapshot of four statements."""
    async with database.snapshot(org_id) as connection:
        series = await numbers.read_series(connection, org_id, series_id)
        if series is None:
            raise NotThere
        first, last = after + 1, min(after + limit, series.next_number - 1)
        stretches = await _between(connection, org_id, series_id, first, last)
    return Report(series, stretches, last if last < series.next_number - 1 else None)


async def _between(connection: Connection, org_id: str, series_id: str, first: int, last: int) -> list[Stretch]:
    span = (connection, org_id, series_id, first, last)
    uses = await numbers.uses_between(*span)
    blocks, gaps = await number_blocks.blocks_between(*span), await numbers.gaps_between(*span)
    return list(explain(first, last, uses, blocks, gaps))


async def give_reason(
    database: Database,
    actor: Actor,
    series_id: str,
    first: int,
    last: int,
    reason: str,
    *,
    once: Once[Stretch] | None = None,
) -> Stretch:
    """Say why no document will have the numbers from `first` to `last`, of which none may be used, leased or voided.

    At most `PAGE_MAX` numbers at a time. Raises `NotThere`, `Refused`. Cost: a unit of six statements.
    """

    async def work(connection: Connection) -> Stretch:
        series = await numbers.lock_series(connection, actor.org_id, series_id)
        if series is None:
            raise NotThere
        if not first <= last < series.next_number or last - first >= PAGE_MAX:
            sentence = f"first and last must be given out, below {series.next_number}, and at most {PAGE_MAX} numbers."
            raise Refused([Violation("out_of_bounds", sentence, ("first", "last"))])
        for stretch in await _between(connection, actor.org_id, series_id, first, last):
            if stretch.what in ("used", "leased", "voided"):
                sentence = f"{stretch.first} is {stretch.what}; a reason is for what no document has or will have."
                raise Refused([Violation("number_given_out", sentence, ("first", "last"))])
        gap = Gap(first, last, reason, actor.user_id, datetime.now(UTC))
        await numbers.void(connection, actor.org_id, series_id, gap)
        return Stretch(first, last, "voided", gap=gap)

    return await unit_of_work(database, actor.org_id, once_only(once, actor.org_id, work))
