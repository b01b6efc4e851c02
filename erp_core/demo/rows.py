"""Rows under construction, and what follows from them.

Owns: filling a row with the defaults of its declaration, and computing its DERIVED fields by the declared functions.
Must not know: the trade.
Invariant: what the server would derive is what stands in a demo row (tests/unit/test_demo.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from random import Random
from typing import Any, TypeAlias

from erp_core.catalogue import BY_NAME, ENTITIES
from erp_core.demo.numbers import new_id
from erp_core.language import Entity
from erp_core.values import Row

Draft: TypeAlias = dict[str, Any]


@dataclass
class Pile:
    """Rows made together, by entity name and id; a World for their rules and derivations, over `below` (reference data)."""

    rng: Random
    today: date
    below: Pile | None = None
    rows: dict[str, dict[str, Draft]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, entity: Entity, id: str = "", /, **values: Any) -> str:
        """Add a row with defaults for what is not given; give its id. Unknown names are a KeyError."""
        for name in values:
            entity.by_name[name]
        id = id or new_id(self.rng)
        self.rows[entity.name][id] = entity.empty() | values
        return id

    def __len__(self) -> int:
        return sum(map(len, self.rows.values()))

    # --- World --------------------------------------------------------------------------------------------------------

    def get(self, entity: str, id: str | None) -> Row | None:
        if id is None:
            return None
        own = self.rows[entity].get(id)
        return own if own is not None or self.below is None else self.below.get(entity, id)

    def siblings(self, entity: str, field: str, id: str | None) -> Sequence[Row]:
        below = () if self.below is None else self.below.siblings(entity, field, id)
        return [*below, *(row for row in self.rows[entity].values() if id is not None and row[field] == id)]

    # --- What follows -------------------------------------------------------------------------------------------------

    def derive(self) -> None:
        """Fill the DERIVED fields, children after parents, then what their parents sum up of them."""
        for entity in ENTITIES:
            if entity.derive is not None:
                for row in self.rows[entity.name].values():
                    row.update(entity.derive(row, self))
        for entity in ENTITIES:
            for rollup in entity.rollups:
                for id, row in self.rows[rollup.into].items():
                    row.update(rollup.compute(row, self.siblings(entity.name, rollup.via, id)))

    def tables(self) -> Iterator[tuple[Entity, Mapping[str, Row]]]:
        """Give the rows of each entity that has some, in catalogue order."""
        for entity in ENTITIES:
            if self.rows[entity.name]:
                yield BY_NAME[entity.name], self.rows[entity.name]
