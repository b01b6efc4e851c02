"""Notices: whoever a change concerns is told once, in their language, of what they may see.

Owns: following the log for it, and choosing whom a rule means.
Must not know: the rules and their words (erp_core/notices.py), SQL, how people are told besides (outward.py).
Invariant: a notification is written with the cursor that passes its event, and under an id that follows from rule, occasion and
reader: there is one, however often and by whomever an event is looked at (tests/integration/test_notices.py). Who does not see
the record now is not told of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from erp_core.access import admits
from erp_core.catalogue import BY_NAME, BY_TABLE
from erp_core.india import day_of
from erp_core.notices import LATE, NAMED_BY, RULES, Rule
from erp_core.values import Row
from sync_server.engine.entitlements import Entitlements, hidden_fields
from sync_server.engine.outward import plan
from sync_server.engine.reading import entitled_now
from sync_server.engine.standing import Standings
from sync_server.store import languages, log, rows
from sync_server.store import notices as store
from sync_server.store.actor import Actor
from sync_server.store.database import Connection, Database
from sync_server.store.following import Logged, read_on
from sync_server.store.payloads import take_apart
from sync_server.store.unit_of_work import SERVER, act_as_server, unit_of_work

NOTIFICATION: Final = BY_NAME["notification"]
TABLES: Final = frozenset(rule.entity.table for rule in RULES if not rule.late)

TURN_MAX: Final = 300
"""Events that are read on in one transaction."""

LORRIES_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a rule is about: a record, and what makes this time another than the last."""

    rule: Rule
    id: str
    mark: str
    actor: str | None = None


async def follow(database: Database, standings: Standings, org_id: str) -> int:
    """Read on in the log and tell whom it concerns, until nothing is new; give how many notifications were written."""
    told, more = 0, True
    while more:
        written, more = await _turn(database, standings, org_id)
        told += written
    return told


async def _turn(database: Database, standings: Standings, org_id: str) -> tuple[int, bool]:
    async def work(connection: Connection) -> tuple[int, bool]:
        position = await store.FOLLOWER.hold(connection, org_id)
        news = await read_on(connection, org_id, position, TABLES, TURN_MAX)
        made = [(one, rule) for one in news.events for rule in _rules_of(one)]
        occasions = [Occasion(rule, one.id, str(one.position), one.actor) for one, rule in made]
        written = await tell(connection, standings, org_id, occasions)
        await store.FOLLOWER.move(connection, org_id, news.upto)
        return written, news.more

    return await unit_of_work(database, org_id, work)


def _rules_of(news: Logged) -> Sequence[Rule]:
    before, after = take_apart(news.before or "{}"), take_apart(news.after or "{}")
    return [
        rule
        for rule in RULES
        if not rule.late
        and rule.entity.table == news.table
        and after.get("state") == rule.state
        and before.get("state") != rule.state
    ]


async def tell_of_late_lorries(database: Database, standings: Standings, org_id: str, today: date | None = None) -> int:
    """Tell once of each lorry that should have arrived; give how many notifications were written."""

    async def work(connection: Connection) -> int:
        ids = await store.late_lorries(connection, org_id, today or day_of(datetime.now(UTC)), LORRIES_MAX)
        return await tell(connection, standings, org_id, [Occasion(LATE, id, "late") for id in ids])

    return await unit_of_work(database, org_id, work)


async def tell(connection: Connection, standings: Standings, org_id: str, occasions: Sequence[Occasion]) -> int:
    """Write the notifications of some occasions, those that are not there yet; the last thing a unit of work does."""
    if not occasions:
        return 0
    states = await log.read_states(connection, org_id, [(o.rule.entity.table, o.id) for o in occasions])
    people = {
        id: await _entitled(connection, standings, org_id, id) for id in await store.list_people(connection, org_id)
    }
    spoken = await languages.read_languages(connection, org_id, people)
    made: dict[str, Row] = {}
    for one in occasions:
        state = states.get((one.rule.entity.table, one.id))
        if state is not None and state.row is not None and state.row["state"] == one.rule.state:
            for reader in sorted(_readers(one, state, people)):
                made[notice_id(one, reader)] = _notice(one, state.row, reader, people[reader], state, spoken)
    known = await log.read_states(connection, org_id, [(NOTIFICATION.table, id) for id in made])
    fresh = {id: row for id, row in made.items() if (NOTIFICATION.table, id) not in known}
    if fresh:
        await act_as_server(connection)
        await rows.insert(connection, NOTIFICATION, org_id, fresh)
        await plan(connection, org_id, fresh, datetime.now(UTC))
    return len(fresh)


async def _entitled(connection: Connection, standings: Standings, org_id: str, user_id: str) -> Entitlements:
    return await entitled_now(connection, standings, Actor(org_id, user_id, ""))


def _readers(one: Occasion, state: log.State, people: Mapping[str, Entitlements]) -> set[str]:
    """Say who is told: whom the rule means, who sees the record now, and did not do it themselves."""
    assert state.row is not None
    rule, row = one.rule, state.row
    meant: set[Any] = {row[field] for field in rule.fields} | ({state.author} if rule.maker else set())
    meant |= {id for id, held in people.items() if rule.codes and admits(rule.codes, held.codes(state.scopes))}
    seeing = {id for id in meant if id in people and people[id].mask(rule.entity, state.scopes)}
    return seeing - {one.actor}


def notice_id(one: Occasion, reader: str) -> str:
    """Name the notification of an occasion to a reader: the same whoever makes it, and whenever."""
    what = (one.rule.kind, one.id, one.mark, reader)
    return hashlib.sha256(repr(what).encode()).hexdigest()[:24]


def _notice(
    one: Occasion, row: Row, reader: str, held: Entitlements, state: log.State, spoken: Mapping[str, str]
) -> Row:
    entity = BY_TABLE[one.rule.entity.table]
    hidden = hidden_fields(entity, held.mask(entity, state.scopes))
    names: list[Any] = [row[name] for name in NAMED_BY if name in entity.by_name and name not in hidden and row[name]]
    now = datetime.now(UTC)
    return {
        **NOTIFICATION.empty(),
        "reader_id": reader,
        "kind": one.rule.kind,
        "title": one.rule.words.get(spoken.get(reader, "en"), one.rule.words["en"]),
        "body": str(names[0]) if names else None,
        "table_name": entity.table,
        "record_id": one.id,
        "created_at": now,
        "updated_at": now,
        "created_by": SERVER,
        "updated_by": SERVER,
    }
