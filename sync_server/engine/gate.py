"""The gate: whether somebody holds a code at all, before anything is looked up for them.

Owns: the refusal of who has no code anywhere, and who reaches whom.
Must not know: SQL, HTTP, any record; what a code admits of a record engine/access.py and engine/entitlements.py say.
Invariant: what asks for codes is closed to everybody who has none of them in any scope; nobody reaches a person who may do
more than they (tests/integration/test_permissions.py, tests/integration/test_records.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from erp_core.access import CODES
from erp_core.scopes import ORG
from sync_server.engine.entitlements import Entitlements

SYNC: Final = "sync.use"
"""The code of pulls and pushes."""


NOBODY: Final = Entitlements({})


class NotEntitled(Exception):
    """The asker has none of the codes `needs` anywhere; nothing was looked up and nothing applied."""

    def __init__(self, needs: Sequence[str]) -> None:
        super().__init__(f"needs {' or '.join(needs)}")
        self.needs = tuple(needs)


def require(entitled: Entitlements, *needs: str) -> None:
    """Raise `NotEntitled` unless one of the codes `needs` is held in any scope."""
    if not any(entitled.has(code) for code in needs):
        raise NotEntitled(needs)


def synced(entitled: Entitlements) -> Entitlements:
    """Give what somebody may do by syncing: all of it with the code for it, nothing without.

    So a device whose user has lost the code is told to let go of what it has, and of each record that it still sends it hears
    why it is refused.
    """
    return entitled if entitled.has(SYNC) else NOBODY


def may_begin(entitled: Entitlements) -> bool:
    """Say whether somebody may begin to sync; who holds nothing at all may, and is sent nothing."""
    return not entitled.holds or entitled.has(SYNC)


def require_sync(entitled: Entitlements) -> None:
    """Raise `NotEntitled` unless somebody may begin to sync."""
    if not may_begin(entitled):
        raise NotEntitled((SYNC,))


def reaches(own: Entitlements, other: Entitlements) -> bool:
    """Say whether who has `own` may do all that who has `other` may, where the other may do it."""
    return all(
        {code for code in codes if code in CODES and not code.startswith("external.")} <= own.codes((scope, ORG))
        for scope, codes in other.holds.items()
    )
