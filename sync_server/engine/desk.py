"""The desk: its read models kept from the log, built anew, and compared with what they should be.

Owns: which keys a change concerns, and the order: cursor, events, rows, lines, cursor.
Must not know: what a line comes to (erp_core/desk.py), SQL, who reads.
Invariant: a line is worked out anew from the present rows of its key, never added to, in the transaction that moves the
cursor: what is kept is what building anew gives, however often an event is looked at and wherever a crash falls
(tests/integration/test_desk.py).

Events up to the clock are all committed, and a row that changes after it was read has an event behind the cursor: its key comes
again. So nothing has to stand still.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from erp_core.desk import Line, ageing_key, credit, delivery, dues, position, position_key
from erp_core.values import Row
from sync_server.store import desk as store
from sync_server.store.clock import read_clock
from sync_server.store.database import Connection, Database
from sync_server.store.desk import FOLLOWER, MODELS
from sync_server.store.desk_rows import Keys, Rows, positions_of, read_rows
from sync_server.store.following import Logged, read_on
from sync_server.store.payloads import take_apart
from sync_server.store.unit_of_work import unit_of_work

TURN_MAX: Final = 300
"""Events that are read on in one transaction."""

TABLES: Final = frozenset({"availabilities", "requirements", "trades", "dispatches", "business_partners", "invoices"})

Lines = Mapping[str, Mapping[str, Line]]
"""Read model -> key -> line."""


async def follow(database: Database, org_id: str) -> int:
    """Read on in the log until nothing is new; give how many changes concerned the desk. Raises `unit_of_work.Busy`.

    An organisation that was never followed has its lines built of the rows there are, not of its whole log.
    Cost: a unit of at most 22 statements for every `TURN_MAX` events.
    """
    seen, more = 0, True
    while more:
        moved, more = await _turn(database, org_id)
        seen += moved
    return seen


async def _turn(database: Database, org_id: str) -> tuple[int, bool]:
    async def work(connection: Connection) -> tuple[int, bool]:
        cursor = await FOLLOWER.hold(connection, org_id)
        if cursor == 0:
            await _build(connection, org_id)
            return 0, False
        news = await read_on(connection, org_id, cursor, TABLES, TURN_MAX)
        moved = [one for one in news.events if one.table in TABLES]
        if moved:
            keys = await _concerned(connection, org_id, moved)
            await _write(connection, org_id, keys, worked_out(await read_rows(connection, org_id, keys), keys))
        if news.upto > cursor:
            await FOLLOWER.move(connection, org_id, news.upto)
        return len(moved), news.more

    return await unit_of_work(database, org_id, work)


async def rebuild(database: Database, org_id: str) -> int:
    """Empty an organisation's read models and build them anew; give how many lines there are. Raises `unit_of_work.Busy`.

    Cost: a unit of 20 statements; every row that counts is in memory once.
    """

    async def work(connection: Connection) -> int:
        await FOLLOWER.hold(connection, org_id)
        return await _build(connection, org_id)

    return await unit_of_work(database, org_id, work)


async def _build(connection: Connection, org_id: str) -> int:
    upto = (await read_clock(connection, org_id)).position  # before the rows: what comes meanwhile is behind it
    lines = worked_out(await read_rows(connection, org_id, None), None)
    await _write(connection, org_id, None, lines)
    await FOLLOWER.move(connection, org_id, upto)
    return sum(map(len, lines.values()))


async def _write(connection: Connection, org_id: str, keys: Keys | None, lines: Lines) -> None:
    for name in MODELS:
        concerned: set[str] | None = None if keys is None else getattr(keys, name)
        if concerned is None or concerned:
            await store.replace(connection, org_id, name, concerned, lines[name])


# --- Which keys -------------------------------------------------------------------------------------------------------


async def _concerned(connection: Connection, org_id: str, moved: Sequence[Logged]) -> Keys:
    """Name the keys that changes concern, those that records have left too."""
    keys = Keys()
    for one in moved:
        for payload in (one.before, one.after):
            if payload is not None:
                _note(keys, one, take_apart(payload))
    if keys.deliveries:  # a lorry names its trade only
        keys.positions.update(map(position_key, await positions_of(connection, org_id, keys.deliveries)))
    return keys


def _note(keys: Keys, one: Logged, row: Mapping[str, Any]) -> None:
    match one.table:
        case "availabilities" | "requirements":
            keys.positions.add(position_key(row))
        case "trades":
            keys.positions.add(position_key(row))
            keys.exposure.add(row["buyer_id"])
            keys.deliveries.add(one.id)
        case "dispatches":
            keys.deliveries.add(row["trade_id"])
        case "business_partners":
            keys.exposure.add(one.id)
        case "invoices":
            keys.ageing.add(ageing_key(row))


# --- Lines of rows ----------------------------------------------------------------------------------------------------


def worked_out(rows: Rows, keys: Keys | None) -> Lines:
    """Work out the lines of `keys`, None: of all. `rows` has what counts for them."""
    lots, needs, traded = (_grouped(some, position_key) for some in (rows.lots, rows.needs, rows.traded))
    places = keys.positions if keys is not None else {*lots, *needs, *traded}
    bought, debts = _grouped(rows.bought, lambda row: row["buyer_id"]), _grouped(rows.invoices, ageing_key)
    return {
        "positions": _lines(
            (key, _place(key), position(lots.get(key, ()), needs.get(key, ()), traded.get(key, ()), rows.lorries))
            for key in places
        ),
        "exposure": _lines(
            (
                row["id"],
                {"branch_id": row["branch_id"], "partner_id": row["id"]},
                credit(row, bought.get(row["id"], ())),
            )
            for row in rows.partners
        ),
        "deliveries": _lines(
            (row["id"], _contract(row), delivery(row, rows.lorries.get(row["id"], ()))) for row in rows.delivered
        ),
        "ageing": _lines((key, _debtor(key), dues(invoices)) for key, invoices in debts.items()),
    }


def _lines(found: Iterable[tuple[str, Line, Line | None]]) -> dict[str, Line]:
    return {key: {**of, **line} for key, of, line in found if line is not None}


def _grouped(rows: Iterable[Row], key: Any) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def _place(key: str) -> Line:
    branch, commodity, variety = key.split("/")
    return {"branch_id": branch, "commodity_id": commodity, "variety_id": variety or None}


def _debtor(key: str) -> Line:
    branch, partner = key.split("/")
    return {"branch_id": branch, "partner_id": partner}


def _contract(trade: Row) -> Line:
    names = ("number", "branch_id", "state", "buyer_id", "seller_id", "commodity_id", "variety_id")
    return {"trade_id": trade["id"]} | {name: trade[name] for name in (*names, "deliver_from", "deliver_until")}


# --- Compared ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Difference:
    """A line that is not what its rows come to; None: there is none, or should be none."""

    model: str
    key: str
    kept: Mapping[str, Any] | None
    should: Mapping[str, Any] | None


async def check(database: Database, org_id: str) -> Sequence[Difference]:
    """Read on, then compare every line with what it should be, in one snapshot.

    Keys that a change behind the cursor concerns are left to the follower. Cost: what a rebuild reads, and every line.
    """
    await follow(database, org_id)
    async with database.snapshot(org_id) as connection:
        as_of = await store.read_as_of(connection, org_id)
        waiting, after, more = Keys(), as_of.cursor, True
        while more:
            news = await read_on(connection, org_id, after, TABLES, TURN_MAX)
            moved, after, more = [one for one in news.events if one.table in TABLES], news.upto, news.more
            _merge(waiting, await _concerned(connection, org_id, moved))
        should = worked_out(await read_rows(connection, org_id, None), None)
        found: list[Difference] = []
        for name in MODELS:
            kept = await store.read_all(connection, org_id, name)
            found += _differing(name, kept, should[name], getattr(waiting, name))
    return found


def _merge(keys: Keys, others: Keys) -> None:
    for name in MODELS:
        getattr(keys, name).update(getattr(others, name))


def _differing(
    name: str, kept: Mapping[str, Line], should: Mapping[str, Line], waiting: Collection[str]
) -> Iterable[Difference]:
    for key in sorted({*kept, *should} - set(waiting)):
        if kept.get(key) != should.get(key):
            yield Difference(name, key, kept.get(key), should.get(key))
