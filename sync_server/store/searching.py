"""Which fields are names, and may be searched.

Owns: the list, as the migrations have it in SQL (migrations/searching.py), and whether a table is searched.
Must not know: who searches.
Invariant: a name is seen by everybody who sees its record: what is found by it tells nothing that is hidden
(tests/integration/test_listing.py, which holds the list to the indexes of the database too).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

from erp_core.language import Entity
from erp_core.values import Text

NAMES: Final = (
    *("code", "legal_name", "lot_number", "name", "number"),
    *("title", "trade_name", "username", "vehicle_number"),
)


@cache
def searched(entity: Entity) -> Sequence[str]:
    """Name the fields in which records of `entity` are searched; none, if it has no names or one that some do not see."""
    found = [n for n in NAMES if n in entity.by_name and isinstance(entity.by_name[n].type, Text)]
    return [] if any(entity.by_name[name].read for name in found) else found
