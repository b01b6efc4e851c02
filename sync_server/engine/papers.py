"""Papers: a record and the rows around it, as far as the asker sees them, for whoever draws up or adds up something of them.

Owns: finding and reading the rows of looks (erp_core/drawing.py), and leaving out what the asker cannot see.
Must not know: what is made of them, SQL.
Invariant: of a row that its reader cannot see nothing is given, not even that it is there (tests/integration/test_making.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime

from conflict.mutation import Key
from erp_core.catalogue import BY_NAME
from erp_core.drawing import Look
from erp_core.india import day_of
from erp_core.language import Entity
from erp_core.values import Row, Value
from sync_server.engine.entitlements import Entitlements, full_mask, hidden_fields
from sync_server.engine.holding import lock
from sync_server.store import log, rows
from sync_server.store.database import Connection


class Papers:
    """`World` of erp_core/language.py over the rows of looks; each row has its `id` among its fields."""

    def __init__(self, today: date) -> None:
        self._today = today
        self._rows: dict[str, dict[str, Row]] = defaultdict(dict)

    @property
    def today(self) -> date:
        return self._today

    def get(self, entity: str, id: str | None) -> Row | None:
        return None if id is None else self._rows[entity].get(id)

    def siblings(self, entity: str, field: str, id: str | None) -> Sequence[Row]:
        return [row for row in self._rows[entity].values() if id is not None and row[field] == id]

    def put(self, entity: str, id: str, row: Row) -> Row:
        """Add a row; gives it with its id."""
        self._rows[entity][id] = {**row, "id": id}
        return self._rows[entity][id]

    def values(self, entity: str, field: str) -> set[Value]:
        """Give what the rows of an entity have in a field."""
        return {row[field] for row in self._rows[entity].values()} - {None}


async def gather(
    connection: Connection,
    org_id: str,
    entitled: Entitlements,
    entity: Entity,
    id: str,
    looks: Iterable[Look],
    *,
    hold: bool = False,
) -> tuple[Papers, Row | None]:
    """Read a record and the rows of `looks` around it; None: the record is not there, or not for the asker to see.

    `hold`: the record, and the rows of looks that say so, are locked before they are read. Cost: two statements, and two for
    each look, whatever the number of rows.
    """
    papers = Papers(day_of(datetime.now(UTC)))
    found = await _read(connection, org_id, entitled, entity, [id], hold=hold)
    for name, row in found.items():
        papers.put(entity.name, name, row)
    for look in looks if found else ():
        asked = {look.via} if not look.of else papers.values(look.of, look.via)
        of = BY_NAME[look.entity]
        ids = (
            asked
            if look.field == "id"
            else {i for i, _ in await rows.ids_by(connection, of, look.field, org_id, asked)}
        )
        for name, row in (await _read(connection, org_id, entitled, of, sorted(ids), hold=hold and look.holds)).items():
            papers.put(look.entity, name, row)
    return papers, papers.get(entity.name, id)


async def _read(
    connection: Connection, org_id: str, entitled: Entitlements, entity: Entity, ids: Sequence[str], *, hold: bool
) -> Mapping[str, Row]:
    keys: list[Key] = [(entity.table, id) for id in ids]
    if hold and keys:
        await lock(connection, org_id, keys)
    states = await log.read_states(connection, org_id, keys)
    seen = {}
    for (_, id), state in states.items():
        mask = entitled.mask(entity, state.scopes)
        if state.row is not None and mask:
            seen[id] = state.row if mask == full_mask(entity) else _masked(entity, state.row, mask)
    return seen


def _masked(entity: Entity, row: Row, mask: int) -> Row:
    return {**row, **dict.fromkeys(hidden_fields(entity, mask))}
