"""Entitlements: what a user may see and do, worked out of grants. The one policy function of the house.

Owns: what grants come to (scope -> codes), which codes count for a record, and how much of a record they show.
Must not know: SQL, HTTP, the protocol; who asks for what is handed in.
Invariant: what no hold admits is refused; a person's codes for a record are those of the scopes that both carry, and of no
other (tests/unit/test_entitlements.py).

A *view* is how much of a table one sees: scope -> mask. Bit 0 of a mask: the record; bit n: the n-th of the entity's groups
of fields that not every reader sees (`Entity.read_groups`). A record shows the union over its scopes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Final

from erp_core.access import OWN, admits, codes_across_branches, codes_of_everybody
from erp_core.catalogue import BY_NAME
from erp_core.language import Entity
from erp_core.scopes import ANY_BRANCH, ORG, PARTNERS, By, Everybody, Follows
from sync_server.store.holds import GrantHeld

Holds = Mapping[str, frozenset[str]]
"""Scope -> codes."""

NOTHING: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Entitlements:
    """What a user holds now, partners assigned to the user included; `until`: the moment at which time alone changes it."""

    holds: Holds
    until: datetime | None = None

    def has(self, code: str) -> bool:
        """Say whether the user has `code` anywhere."""
        return any(code in codes for codes in self.holds.values())

    def codes(self, labels: Iterable[str]) -> frozenset[str]:
        """Give the codes that count for a record with these labels."""
        held = [self.holds[label] for label in labels if label in self.holds]
        return held[0] if len(held) == 1 else NOTHING.union(*held)

    def mask(self, entity: Entity, labels: Iterable[str]) -> int:
        """Say how much of a record with these labels the user sees; 0: nothing, not even that it is there."""
        return mask_of(entity, self.codes(labels))


def entitle(
    grants: Iterable[GrantHeld], user_id: str, now: datetime
) -> tuple[dict[str, frozenset[str]], datetime | None]:
    """Work out what grants come to at `now`: (scope -> codes, the next moment at which that changes by itself)."""
    holds: dict[str, frozenset[str]] = {}
    turns: list[datetime] = []
    for grant in grants:
        if grant.valid_from is not None and grant.valid_from > now:
            turns.append(grant.valid_from)
            continue
        if grant.valid_until is not None:
            if grant.valid_until <= now:
                continue
            turns.append(grant.valid_until)
        for scope, codes in _scopes_of(grant):
            holds[scope] = holds.get(scope, NOTHING) | codes
    if holds:
        holds[f"user:{user_id}"] = frozenset({OWN})
    return holds, min(turns, default=None)


def _scopes_of(grant: GrantHeld) -> Iterable[tuple[str, frozenset[str]]]:
    everybody = codes_of_everybody(external=grant.external)
    yield ORG, everybody
    if grant.branch_id is not None:
        yield f"branch:{grant.branch_id}", grant.codes | everybody
    elif grant.agent_id is not None:
        yield f"agent:{grant.agent_id}", grant.codes | everybody
    elif grant.partner_id is not None:
        kind = "side" if grant.external else "partner"
        yield f"{kind}:{grant.partner_id}", grant.codes | everybody
        offers = grant.codes & {"external.availability"}
        if offers:
            yield PARTNERS, offers
    else:
        yield ORG, grant.codes
        across = codes_across_branches(grant.codes)
        if across:
            yield ANY_BRANCH, across | everybody


def agents_in(holds: Holds) -> Sequence[str]:
    """Name the agents whose scope is held: their partners' documents are held with it."""
    return sorted(scope.removeprefix("agent:") for scope in holds if scope.startswith("agent:"))


def with_assignments(holds: Holds, assigned: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """Add to `holds` the partners of the agents whose scope is held; `assigned`: (agent, partner)."""
    whole = dict(holds)
    for agent, partner in assigned:
        scope = f"partner:{partner}"
        whole[scope] = whole.get(scope, NOTHING) | holds[f"agent:{agent}"]
    return whole


# --- How much of a table one sees -------------------------------------------------------------------------------------


@lru_cache(4096)
def mask_of(entity: Entity, codes: frozenset[str]) -> int:
    """Say how much of a record of `entity` these codes show; 0: nothing."""
    bits = bits_of(entity, codes)
    return bits if bits & 1 else 0


@lru_cache(4096)
def bits_of(entity: Entity, codes: frozenset[str]) -> int:
    """Say what these codes add to what others show: the record (bit 0), groups of its fields (the bits above).

    A group alone shows nothing; it counts where another scope shows the record, as the codes of all scopes count together.
    """
    groups = (asked for asked, _ in entity.read_groups)
    return sum(1 << n for n, asked in enumerate((entity.access.read, *groups)) if admits(asked, codes))


@cache
def full_mask(entity: Entity) -> int:
    """Give the mask of somebody who sees every field."""
    return (1 << (len(entity.read_groups) + 1)) - 1


@cache
def hidden_fields(entity: Entity, mask: int) -> frozenset[str]:
    """Name the fields that `mask` does not show."""
    groups = enumerate(entity.read_groups, start=1)
    return frozenset(name for n, (_, names) in groups if not mask >> n & 1 for name in names)


@dataclass(frozen=True, slots=True)
class View:
    """How much of one table one sees: scope -> bits, without the scopes that add nothing to it."""

    entity: Entity
    masks: Mapping[str, int]

    @property
    def whole(self) -> bool:
        """Whether every record is seen, and every field of it."""
        label = label_of_all(self.entity)
        return label is not None and self.masks.get(label) == full_mask(self.entity)

    def mask(self, labels: Collection[str]) -> int:
        seen = 0
        for label in labels:
            seen |= self.masks.get(label, 0)
        return seen if seen & 1 else 0


def view_of(entity: Entity, holds: Holds) -> View:
    """Say how much of `entity` these holds show."""
    found = {scope: bits for scope, codes in holds.items() if (bits := bits_of(entity, codes))}
    return View(entity, found if any(bits & 1 for bits in found.values()) else {})


@cache
def label_of_all(entity: Entity) -> str | None:
    """Give the label that every record of `entity` carries, if there is one."""
    for label in entity.labels:
        match label:
            case Everybody():
                return ORG
            case By(kind="branch", field=field) if entity.by_name[field].required:
                return ANY_BRANCH
            case Follows(entity=leader, field=field) if entity.by_name[field].required:
                return label_of_all(BY_NAME[leader])
    return None
