"""Follow: what other records derive from the accepted drafts: a partner's exposure from its open trades.

Owns: step 6 of apply.
Must not know: SQL, which rollups there are.
Invariant: a derived field equals its computation over the committed rows (tests/integration/test_rules_in_push.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from conflict.mutation import Key, Mutation, Operation
from erp_core.catalogue import BY_NAME, BY_TABLE
from erp_core.language import Rollup
from erp_core.values import Row
from sync_server.engine.draft import Draft, Verdict
from sync_server.engine.submission import Submission
from sync_server.engine.world import LoadedWorld


def follow(drafts: Sequence[Draft], world: LoadedWorld) -> list[Draft]:
    """Bring derived fields of other records up to date: in their own draft if they have one, else in a new draft."""
    by_key = {draft.mutation.key: draft for draft in drafts}
    consequences: dict[Key, Draft] = {}
    for draft in [draft for draft in drafts if draft.writes]:
        for rollup in draft.entity.rollups:
            for id in _named_by(draft, rollup):
                held = world.get(rollup.into, id)
                if held is None:
                    continue
                derived = rollup.compute(held, world.siblings(draft.entity.name, rollup.via, id))
                if any(held[name] != value for name, value in derived.items()):
                    key = (BY_NAME[rollup.into].table, id)
                    row = {**held, **derived}
                    world.put(BY_NAME[rollup.into], id, row)
                    _carry(draft.origin, key, held, row, by_key, consequences)
    return list(consequences.values())


def _named_by(draft: Draft, rollup: Rollup) -> list[str]:
    named = {row[rollup.via] for row in (draft.before, draft.after) if row is not None}
    return sorted(named - {None})


def _carry(
    origin: Submission, key: Key, held: Row, row: Row, by_key: dict[Key, Draft], consequences: dict[Key, Draft]
) -> None:
    own = by_key.get(key)
    if own is not None and own.verdict is not Verdict.REFUSED:
        own.after = row
        own.verdict = Verdict.MERGED
        return
    consequence = consequences.get(key)
    if consequence is None:
        mutation = Mutation(*key, Operation.UPDATED, {})
        consequence = consequences[key] = Draft(origin, mutation, BY_TABLE[key[0]], before=held)
    consequence.after = row
