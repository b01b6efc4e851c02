"""What ends by itself: which day is the last of an offer, a need, a negotiation.

Owns: the table.
Must not know: who looks, and how a record is brought to its end (the command `expire`, erp_core/commands.py).
Invariant: each entity here has the day and the command (checked on import); on its last day a record is still good
(tests/integration/test_expiring.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from erp_core.catalogue import BY_NAME
from erp_core.commands import BY_ENTITY_AND_NAME, Command
from erp_core.values import Day

LAST_DAY: Final[Mapping[str, str]] = {
    "availability": "valid_until",
    "requirement": "deliver_until",
    "negotiation": "valid_until",
    "offer": "valid_until",
}
"""Entity -> the field with its last day. Offers come after their negotiation, with which they end."""

EXPIRE: Final[Mapping[str, Command]] = {name: BY_ENTITY_AND_NAME[name, "expire"] for name in LAST_DAY}
assert all(isinstance(BY_NAME[name].by_name[field].type, Day) for name, field in LAST_DAY.items())
