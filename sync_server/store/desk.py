"""The desk's tables: their lines written, compared and read, and how far the log was followed for them.

Owns: the statements of `desk_cursor` and of the four tables of lines.
Must not know: what makes a line (erp_core/desk.py), who may read it.
Invariant: lines change in the transaction that moves the cursor, while its row is locked (tests/integration/test_desk.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from sync_server.store.database import Connection
from sync_server.store.following import Follower

FOLLOWER: Final = Follower("desk_cursor")

BEHIND_MAX: Final = 1_000
"""Changes that are counted, where the desk is behind."""

_OF_KIND: Final = {"bales": "bigint", "date": "date", "rupees": "numeric", "id": "text"}


@dataclass(frozen=True, slots=True)
class Model:
    """A read model's table: its columns after `key`, in the order of the table, with their types; `filters`: parameter -> the
    columns of which one has to have its value."""

    table: str
    columns: Mapping[str, str]
    filters: Mapping[str, tuple[str, ...]]


def _columns(**kinds: str) -> Mapping[str, str]:
    return {name: _OF_KIND[kind] for kind, names in kinds.items() for name in names.split()}


MODELS: Final[Mapping[str, Model]] = {
    "positions": Model(
        "desk_position",
        _columns(
            id="branch_id commodity_id variety_id",
            bales="bales_open bales_asked bales_net bales_traded",
            rupees="price_open price_traded",
        ),
        {"branch_id": ("branch_id",), "variety_id": ("variety_id",)},
    ),
    "exposure": Model(
        "desk_exposure",
        _columns(id="branch_id partner_id", bales="open_trades", rupees="exposure credit_limit credit_left"),
        {"branch_id": ("branch_id",), "partner_id": ("partner_id",)},
    ),
    "deliveries": Model(
        "desk_delivery",
        _columns(
            id="branch_id trade_id number state buyer_id seller_id commodity_id variety_id",
            date="deliver_from deliver_until",
            bales="bales bales_dispatched bales_delivered bales_left",
        ),
        {"branch_id": ("branch_id",), "variety_id": ("variety_id",), "partner_id": ("buyer_id", "seller_id")},
    ),
    "ageing": Model(
        "desk_ageing",
        {"branch_id": "text", "partner_id": "text", "due_days": "date[]", "amounts": "numeric[]"},
        {"branch_id": ("branch_id",), "partner_id": ("partner_id",)},
    ),
}


@dataclass(frozen=True, slots=True)
class AsOf:
    """Up to where the lines are: the cursor, when its change was made (None: there was none), and how many came since,
    `BEHIND_MAX` at most."""

    cursor: int
    at: datetime | None
    behind: int


# --- Lines ------------------------------------------------------------------------------------------------------------


async def replace(
    connection: Connection, org_id: str, name: str, keys: Collection[str] | None, lines: Mapping[str, Mapping[str, Any]]
) -> None:
    """Put `lines` in the place of those under `keys`, None: of all. Cost: two statements."""
    model = MODELS[name]
    await connection.execute(
        f"DELETE FROM {model.table} WHERE org_id = $1 AND ($2::text[] IS NULL OR key = ANY($2))",
        *(org_id, None if keys is None else sorted(keys)),
    )
    columns = ", ".join(model.columns)
    typed = ", ".join(f"{column} {kind}" for column, kind in model.columns.items())
    said = orjson.dumps([{"key": key, **line} for key, line in lines.items()], default=str).decode()
    await connection.execute(
        f"INSERT INTO {model.table} (org_id, key, {columns})"
        f" SELECT $1, key, {columns} FROM json_to_recordset($2::json) AS x (key text, {typed})",
        *(org_id, said),
    )


async def read_all(connection: Connection, org_id: str, name: str) -> dict[str, dict[str, Any]]:
    """Give every line of a read model: key -> line."""
    model = MODELS[name]
    rows = await connection.fetch(
        f"SELECT key, {', '.join(model.columns)} FROM {model.table} WHERE org_id = $1 ORDER BY key", org_id
    )
    return {row["key"]: {column: row[column] for column in model.columns} for row in rows}


async def read_page(
    connection: Connection,
    org_id: str,
    name: str,
    asked: Mapping[str, str],
    branches: Sequence[str] | None,
    after: str,
    most: int,
) -> Mapping[str, Mapping[str, Any]]:
    """Give `most` lines behind a key, in the order of keys: key -> line. `asked`: value by filter; `branches`: of these, None:
    of all. Cost: one statement."""
    model, values = MODELS[name], [org_id, after, most, branches]
    conditions = []
    for parameter, value in asked.items():
        values.append(value)
        conditions.append(f" AND ({' OR '.join(f'{one} = ${len(values)}' for one in model.filters[parameter])})")
    rows = await connection.fetch(
        f"SELECT key, {', '.join(model.columns)} FROM {model.table} WHERE org_id = $1 AND key > $2"
        f" AND ($4::text[] IS NULL OR branch_id = ANY($4)){''.join(conditions)} ORDER BY key LIMIT $3",
        *values,
    )
    return {row["key"]: {column: row[column] for column in model.columns} for row in rows}


async def read_as_of(connection: Connection, org_id: str) -> AsOf:
    """Say up to where the lines are, as `connection` sees it. Cost: one statement."""
    row = await connection.fetchrow(
        "SELECT c.position, (SELECT e.at FROM event e WHERE e.org_id = $1 AND e.position <= c.position"
        " ORDER BY e.position DESC LIMIT 1) AS at, (SELECT count(*) FROM (SELECT FROM event e WHERE e.org_id = $1"
        " AND e.position > c.position LIMIT $2) late) AS behind"
        " FROM coalesce((SELECT d.position FROM desk_cursor d WHERE d.org_id = $1), 0) AS c (position)",
        *(org_id, BEHIND_MAX),
    )
    return AsOf(row["position"], row["at"], row["behind"])
