"""The only place where the trade's words meet the merge's: how a field may change -> which policy decides a clash.

Owns: the table.
Must not know: rows, SQL.
Invariant: every kind has a policy (tests/unit/test_policy_map.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from conflict.merge import Policy
from erp_core.language import Entity, Kind

POLICIES: Final[Mapping[Kind, Policy]] = {
    Kind.LATEST: Policy.THEIRS,
    Kind.ONCE: Policy.THEIRS,
    Kind.NEWEST: Policy.THEIRS,
    Kind.TALLY: Policy.THEIRS,
    Kind.BAG: Policy.THEIRS,
    Kind.HIGHEST: Policy.THEIRS,
    Kind.LOWEST: Policy.THEIRS,
    Kind.PROSE: Policy.THEIRS,
    Kind.GUARDED: Policy.THEIRS,
    Kind.LOCKED: Policy.THEIRS,
    Kind.REVIEWED: Policy.THEIRS,
    Kind.DERIVED: Policy.OURS,
}
"""The stock protocol lets the phone resolve a clash (409, then its own resolver), so here a value that comes through is
the replica's, as WatermelonDB means it; what a kind forbids outright (ONCE, LOCKED, GUARDED) the judge refuses."""


@cache
def policies_of(entity: Entity) -> Mapping[str, Policy]:
    """Give the policy of each field of `entity`."""
    return {f.name: POLICIES[f.change.kind] for f in entity.all_fields}
