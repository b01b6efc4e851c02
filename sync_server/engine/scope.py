"""Scopes: which labels a user may see.

Owns: the scopes of an actor, and whether a table looks the same to everybody of an organisation.
Must not know: SQL, HTTP.
Invariant: what a reader is sent carries one of the reader's scopes (tests/integration/test_two_organisations.py).
"""

from __future__ import annotations

from erp_core.language import Entity
from sync_server.store.actor import Actor


def scopes_of(actor: Actor) -> tuple[str, ...]:
    """Give the scopes whose rows `actor` may see: the organisation's, and those kept for the user alone."""
    return ("org", f"user:{actor.user_id}")


def shared_by_all(entity: Entity) -> bool:
    """Say whether every user of an organisation sees the same rows of `entity`."""
    return entity.owner is None
