"""How the schema of a database stands: as this program needs it, behind, ahead, or altered by hand.

Owns: the comparison of what the database is with what our migrations and the last stamp say.
Must not know: how it came to be so, or how to change it.
Invariant: `ready` is said only of a schema on which every statement of this program works
(tests/integration/test_migrations.py).

A `pre` migration may run before the program that needs it is deployed, a `post` one after: so a program also serves while
the schema is ahead of it by `pre` migrations only, or behind by `post` ones only (docs/MIGRATIONS.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import asyncpg

from sync_server.operate.revisions import head, phases
from sync_server.store.schema import LiveSchema, read_schema


class State(Enum):
    """How the schema of a database stands to this program."""

    CURRENT = "current"
    BEHIND = "behind"
    AHEAD = "ahead"
    ALTERED = "altered"


@dataclass(frozen=True, slots=True)
class Report:
    """`sentence` says what to do; `ready`: whether this program can work on the schema as it is."""

    state: State
    revision: str | None
    head: str
    ready: bool
    sentence: str


def judge(live: LiveSchema) -> Report:
    """Compare what the database is with what this program needs."""
    ours, newest = list(phases()), head()
    if live.revision is None:
        return Report(State.BEHIND, None, newest, False, "The database is empty; run `cotton-sync migrate up`.")
    if live.revision not in ours:
        return _ahead(live, newest)
    if live.revision != newest:
        pending = ours[ours.index(live.revision) + 1 :]
        ready = all(phases()[revision] == "post" for revision in pending)
        sentence = f"{len(pending)} migrations are to be run ({', '.join(pending)}); run `cotton-sync migrate up`."
        return Report(State.BEHIND, live.revision, newest, ready, sentence)
    if live.stamp is None or live.stamp.revision != live.revision:
        sentence = "The last migration was cut off before it was stamped; run `cotton-sync migrate up`."
        return Report(State.BEHIND, live.revision, newest, False, sentence)
    return _altered(live, newest) or Report(
        State.CURRENT, live.revision, newest, True, "The schema is as it should be."
    )


def _ahead(live: LiveSchema, newest: str) -> Report:
    stamped = live.stamp.phases if live.stamp is not None and live.stamp.revision == live.revision else {}
    unknown = [revision for revision in stamped if revision not in phases()]
    ready = live.revision in unknown and all(stamped[revision] == "pre" for revision in unknown)
    sentence = (
        f"The database is at {live.revision}, which this program (at {newest}) does not know; "
        "deploy the newer program, or run `cotton-sync migrate down` with it."
    )
    return Report(State.AHEAD, live.revision, newest, ready, sentence)


def _altered(live: LiveSchema, newest: str) -> Report | None:
    assert live.stamp is not None
    if live.stamp.server != live.server:
        sentence = (
            f"The schema was stamped by PostgreSQL {live.stamp.server} and this is {live.server}, which may word it "
            "otherwise; run `cotton-sync migrate up --accept-altered` once after the upgrade."
        )
        return Report(State.ALTERED, live.revision, newest, False, sentence)
    was, now = live.stamp.objects, live.objects
    differing = sorted(name for name in was.keys() | now.keys() if was.get(name) != now.get(name))
    if not differing:
        return None
    listed = ", ".join(_how(name, was, now) for name in differing[:10]) + ("…" if len(differing) > 10 else "")
    sentence = f"Not by a migration: {listed}. Undo it, or accept it with `cotton-sync migrate up --accept-altered`."
    return Report(State.ALTERED, live.revision, newest, False, sentence)


def _how(name: str, was: Mapping[str, str], now: Mapping[str, str]) -> str:
    return f"{name} {'added' if name not in was else 'dropped' if name not in now else 'changed'}"


async def report(url: str) -> Report:
    """Say how the schema of the database at `url` stands. Raises OSError or asyncpg.PostgresError if it is unreachable."""
    connection = await asyncpg.connect(url)
    try:
        return judge(await read_schema(connection))
    finally:
        await connection.close()
