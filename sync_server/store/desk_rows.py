"""What the desk's lines are worked out of: the rows of some keys, or all that count.

Owns: the statements.
Must not know: what the rows come to.
Invariant: under a key every row that counts for it is given, whatever other keys are asked for; how many statements does not
follow from how many keys (tests/integration/test_desk.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from erp_core.desk import PENDING
from erp_core.entities.availability import ON_OFFER
from erp_core.entities.requirement import WANTED
from erp_core.exposure import OPEN
from erp_core.values import Row
from sync_server.store.database import Connection


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys whose lines are to be worked out anew, by read model."""

    positions: set[str] = field(default_factory=set)
    exposure: set[str] = field(default_factory=set)
    deliveries: set[str] = field(default_factory=set)
    ageing: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Rows:
    """What counts for some keys. `traded`, `bought`, `delivered`: trades for positions, exposure and deliveries; `lorries`: the
    dispatches of the first and the last, by trade."""

    lots: Sequence[Row]
    needs: Sequence[Row]
    traded: Sequence[Row]
    bought: Sequence[Row]
    delivered: Sequence[Row]
    partners: Sequence[Row]
    invoices: Sequence[Row]
    lorries: Mapping[str, Sequence[Row]]


_LOT: Final = (
    "branch_id, commodity_id, variety_id, state, bales_offered, bales_reserved, bales_sold, asking_price_per_candy"
)
_NEED: Final = "branch_id, commodity_id, variety_id, state, bales_max, bales_fulfilled"
_TRADE: Final = (
    "id, number, branch_id, buyer_id, seller_id, commodity_id, variety_id, state, bales, bale_weight_kg, price_per_candy,"
    " tax_pct, deliver_from, deliver_until"
)
_INVOICE: Final = "branch_id, buyer_id, state, invoice_date, due_date, outstanding_amount"

_IN_POSITION: Final = (
    "(branch_id, commodity_id, coalesce(variety_id, ''))"
    " IN (SELECT split_part(k, '/', 1), split_part(k, '/', 2), split_part(k, '/', 3) FROM unnest($2::text[]) k)"
)
_IN_AGEING: Final = (
    "(branch_id, buyer_id) IN (SELECT split_part(k, '/', 1), split_part(k, '/', 2) FROM unnest($2::text[]) k)"
)


async def positions_of(connection: Connection, org_id: str, trades: Collection[str]) -> Sequence[Row]:
    """Give branch, commodity and variety of some trades. Cost: one statement."""
    return await _read(connection, "trades", "branch_id, commodity_id, variety_id", "id = ANY($2)", org_id, trades)


async def read_rows(connection: Connection, org_id: str, keys: Keys | None) -> Rows:
    """Read what counts for `keys`, None: for all there are. Cost: eight statements."""

    async def read(table: str, columns: str, among: str, wanted: Collection[str] | None, counts: str) -> Sequence[Row]:
        where = counts if wanted is None else f"{counts} AND {among}"
        return await _read(connection, table, columns, where, org_id, wanted)

    places, partners = (None, None) if keys is None else (keys.positions, keys.exposure)
    trades, debts = (None, None) if keys is None else (keys.deliveries, keys.ageing)
    pending = _in_state(PENDING)
    traded = await read("trades", _TRADE, _IN_POSITION, places, pending)
    delivered = await read("trades", _TRADE, "id = ANY($2)", trades, pending)
    sent = {trade["id"] for trade in (*traded, *delivered)}
    return Rows(
        await read("availabilities", _LOT, _IN_POSITION, places, _in_state(ON_OFFER)),
        await read("requirements", _NEED, _IN_POSITION, places, _in_state(WANTED)),
        traded,
        await read("trades", _TRADE, "buyer_id = ANY($2)", partners, _in_state(OPEN)),
        delivered,
        await read("business_partners", "id, branch_id, credit_limit", "id = ANY($2)", partners, "true"),
        await read("invoices", _INVOICE, _IN_AGEING, debts, "state = 'issued' AND outstanding_amount > 0"),
        _by_trade(await read("dispatches", "trade_id, state, bales", "trade_id = ANY($2)", sent, "true")),
    )


def _in_state(states: Collection[str]) -> str:
    return "state IN ({})".format(", ".join(f"'{state}'" for state in sorted(states)))


def _by_trade(dispatches: Sequence[Row]) -> Mapping[str, Sequence[Row]]:
    found: dict[str, list[Row]] = {}
    for row in dispatches:
        found.setdefault(row["trade_id"], []).append(row)
    return found


async def _read(
    connection: Connection, table: str, columns: str, where: str, org_id: str, wanted: Collection[str] | None
) -> Sequence[Row]:
    values = () if wanted is None else (sorted(wanted),)
    rows = await connection.fetch(f"SELECT {columns} FROM {table} WHERE org_id = $1 AND {where}", org_id, *values)
    return [dict(row) for row in rows]
