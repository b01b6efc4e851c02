"""Who may do what: the codes, the roles that ship, and which codes a field or an entity asks for.

Owns: the 48 permission codes, the ten roles, and the pure functions that judge with them.
Must not know: users, grants, sessions, SQL; who holds which codes where is handed in.
Invariant: whatever no code admits is refused; every entity says which codes read, create, update and delete it
(tests/unit/test_access.py).

A person's codes hold in a scope (erp_core/scopes.py): "partner.update in branch:rajkot". A record carries the labels of its
scopes; the codes that count for it are those of all scopes that a person holds and the record carries.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "access": (
        "user.read",
        "user.create",
        "user.update",
        "user.disable",
        "role.read",
        "role.create",
        "role.update",
        "role.delete",
        "permission.read",
        "grant.give",
        "grant.take",
        "session.read",
        "session.revoke",
    ),
    "settings": (
        "organisation.update",
        "branch.manage",
        "location.manage",
        "commodity.manage",
        "unit.manage",
        "tax.manage",
        "series.manage",
        "setting.update",
    ),
    "partner": ("partner.read", "partner.create", "partner.update", "partner.approve", "partner.delete"),
    "cross-branch": ("branch.read_all", "branch.write_all"),
    "external": ("external.availability", "external.requirement", "external.trade", "external.document"),
    "privacy": (
        "privacy.consent",
        "privacy.export_own",
        "privacy.export_any",
        "privacy.erase_request",
        "privacy.erase_approve",
        "privacy.retention",
    ),
    "audit": ("audit.read", "audit.export"),
    "desk and field": (
        "desk.read",
        "desk.write",
        "trade.approve",
        "quality.write",
        "dispatch.write",
        "sync.use",
        "sync.resolve",
        "device.manage",
    ),
}
CODES: Final = frozenset(code for codes in GROUPS.values() for code in codes)
"""All 48; `domain.md`, "Permissions"."""

READING: Final = frozenset(
    {"user.read", "role.read", "permission.read", "session.read", "partner.read", "audit.read", "desk.read"}
)
"""Codes that let nobody change anything: what `branch.read_all` carries into every branch."""

# --- What needs no code -----------------------------------------------------------------------------------------------

MEMBER: Final = "member"
"""Held in the scope `org` by everybody with a live grant that is not of an external partner."""
GUEST: Final = "guest"
"""Held in the scope `org` by everybody with a live grant, external partners included."""
OWN: Final = "own"
"""Held by each person in the scope of their own, `user:<id>`."""

EVERYBODY: Final = (MEMBER, GUEST)


@dataclass(frozen=True, slots=True)
class Access:
    """The codes that admit an operation on a whole record: any one of them does. Empty: only the server does it."""

    read: tuple[str, ...]
    create: tuple[str, ...] = ()
    update: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        named = {*self.read, *self.create, *self.update, *self.delete}
        unknown = named - CODES - {MEMBER, GUEST, OWN}
        if unknown:
            raise ValueError(f"no such permission: {', '.join(sorted(unknown))}")


def admits(asked: Collection[str], held: frozenset[str] | set[str]) -> bool:
    """Say whether one of the codes `asked` for is `held`.

    >>> admits(("desk.read", "quality.write"), {"quality.write"}), admits((), CODES)
    (True, False)
    """
    return not held.isdisjoint(asked)


# --- Roles ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Role:
    """A role that ships with every organisation; its codes can be changed by a migration only."""

    id: str
    title: str
    codes: frozenset[str]
    external: bool = False


_DESK: Final = frozenset({"partner.read", "desk.read"})
_FIELD: Final = frozenset({"sync.use", "partner.read"})
_OWN_DATA: Final = frozenset({"privacy.consent", "privacy.export_own", "privacy.erase_request"})
"""What the law owes every person whose data are kept, whatever the job: Digital Personal Data Protection Act, 2023,
sections 6 (consent), 11 (access) and 12 (erasure)."""

ROLES: Final[Mapping[str, Role]] = {
    role.id: role
    for role in (
        Role(
            "administrator",
            "Administrator",
            CODES - {"external.availability", "external.requirement"} - {"external.trade", "external.document"},
        ),
        Role(
            "manager",
            "Manager",
            _DESK
            | _FIELD
            | _OWN_DATA
            | {"user.read", "role.read", "permission.read", "session.read", "session.revoke"}
            | {"partner.create", "partner.update", "partner.approve", "partner.delete"}
            | {"branch.read_all", "branch.write_all"}
            | {"desk.write", "trade.approve", "quality.write", "dispatch.write"}
            | {"sync.resolve", "device.manage", "audit.read", "setting.update", "location.manage"},
        ),
        Role(
            "trader",
            "Trader",
            _DESK
            | _FIELD
            | _OWN_DATA
            | {"partner.create", "partner.update", "desk.write", "trade.approve", "dispatch.write"},
        ),
        Role(
            "agent",
            "Field agent",
            _DESK
            | _FIELD
            | _OWN_DATA
            | {"partner.create", "partner.update", "desk.write"}
            | {"quality.write", "dispatch.write"},
        ),
        Role("grader", "Grader", _FIELD | _OWN_DATA | {"quality.write"}),
        Role("dispatcher", "Dispatcher", _FIELD | _OWN_DATA | {"dispatch.write"}),
        Role(
            "accountant",
            "Accountant",
            _DESK | _OWN_DATA | {"branch.read_all", "tax.manage", "series.manage", "audit.read"},
        ),
        Role(
            "auditor",
            "Auditor",
            _DESK
            | _OWN_DATA
            | {"user.read", "role.read", "permission.read", "session.read", "branch.read_all"}
            | {"audit.read", "audit.export"},
        ),
        Role(
            "external_buyer",
            "External buyer",
            _OWN_DATA
            | {"sync.use", "external.availability", "external.requirement"}
            | {"external.trade", "external.document"},
            external=True,
        ),
        Role(
            "external_seller",
            "External seller",
            _OWN_DATA | {"sync.use", "external.availability", "external.trade", "external.document"},
            external=True,
        ),
    )
}


def codes_of_everybody(*, external: bool) -> frozenset[str]:
    """Give the codes that every live grant carries into the scope `org`, whatever its own scope is.

    >>> sorted(codes_of_everybody(external=False)), sorted(codes_of_everybody(external=True))
    (['guest', 'member'], ['guest'])
    """
    return frozenset({GUEST} if external else EVERYBODY)


def codes_across_branches(codes: frozenset[str]) -> frozenset[str]:
    """Give the codes that a grant for the whole organisation carries into every branch.

    >>> sorted(codes_across_branches(frozenset({"desk.read", "desk.write"})))
    []
    >>> sorted(codes_across_branches(frozenset({"desk.read", "desk.write", "branch.read_all"})))
    ['desk.read']
    """
    if "branch.write_all" in codes:
        return codes
    return codes & READING if "branch.read_all" in codes else frozenset()
