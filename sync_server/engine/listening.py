"""Listening: what many users see, as labels and tables, for whoever tells them that something changed.

Owns: the way from grants and assignments of many users to what each sees, by the one policy function (engine/entitlements.py).
Must not know: HTTP, who listens, what is told.
Invariant: a record that carries a label is in the sight of a user exactly if a pull would show it to them
(tests/integration/test_tailing.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from erp_core.catalogue import ENTITIES
from sync_server.engine.entitlements import Holds, agents_in, bits_of, entitle, with_assignments
from sync_server.store.clock import Clock, read_clock
from sync_server.store.database import Connection
from sync_server.store.holds import read_assignments
from sync_server.store.tailing import read_grants_of


@dataclass(frozen=True, slots=True)
class Seeing:
    """Label -> the tables of which it shows records; `until`: the moment at which time alone changes it."""

    tables: Mapping[str, frozenset[str]]
    until: datetime | None = None


async def read_seeing(
    connection: Connection, org_id: str, user_ids: Collection[str]
) -> tuple[Clock, Mapping[str, Seeing]]:
    """Say what each of the users sees now, nothing for those who are not active, and by which clock at least.

    Cost: three statements for any number of users, then some 50 µs a user.
    """
    clock = await read_clock(connection, org_id)
    grants, now = await read_grants_of(connection, org_id, user_ids), datetime.now(UTC)
    given = {user: entitle(held, user, now) for user, held in grants.items()}
    agents = sorted({agent for holds, _ in given.values() for agent in agents_in(holds)})
    assigned: dict[str, list[tuple[str, str]]] = {}
    for agent, partner in await read_assignments(connection, org_id, agents):
        assigned.setdefault(agent, []).append((agent, partner))
    seeing = {}
    for user, (holds, until) in given.items():
        partners = [pair for agent in agents_in(holds) for pair in assigned.get(agent, ())]
        seeing[user] = Seeing(tables_by_label(with_assignments(holds, partners)), until)
    return clock, seeing


def tables_by_label(holds: Holds) -> dict[str, frozenset[str]]:
    """Say of which tables each label shows records."""
    shown = {label: _tables_of(codes) for label, codes in holds.items()}
    return {label: tables for label, tables in shown.items() if tables}


@lru_cache(1024)
def _tables_of(codes: frozenset[str]) -> frozenset[str]:
    return frozenset(entity.table for entity in ENTITIES if bits_of(entity, codes) & 1)
