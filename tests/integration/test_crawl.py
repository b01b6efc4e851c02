"""Two organisations of one shape: every route of the table, asked with the other one's ids in path, query and body.

Every text of the other organisation carries a canary. No byte that is sent may hold it, and the answer to "theirs" must be the
answer to "nobody's": status, headers and body, but for the correlation id and what was asked itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from erp_core.catalogue import BY_NAME, BY_TABLE, ENTITIES
from sync_server.store import lists
from sync_server.store.database import Database
from sync_server.web.routes import ROUTES
from tests.harness.office import EXAMPLES, Answer, at_desk, furnish
from tests.harness.servers import Server
from tests.harness.world import ORG, OTHER_ORG, House

CANARY = "canary-9c41"
THEIRS, NOBODYS = "zz-9c41-t", "zz-9c41-n"
"""An id that only the other organisation has, in every table, and one beside it that nobody has; both behind all of ours."""
ABOUT_ONESELF = {
    ("POST", "/api/v1/auth/logout"),
    ("DELETE", "/api/v1/auth/sessions"),
    ("POST", "/api/v1/live/ticket"),
}
"""They end the session that asks, or give it a ticket, another one each time, and name nothing."""

Asked = tuple[str, str, Any]
"""Method, path below /api/v1, body."""


@pytest.fixture
async def houses(database: Database, tmp_path: Path) -> tuple[House, House]:
    ours, theirs = await House.settle(database, tmp_path, ORG), await House.settle(database, tmp_path / "b", OTHER_ORG)
    for house in (ours, theirs):
        await furnish(house)
    await _mark(theirs)
    return ours, theirs


async def _mark(house: House) -> None:
    """Give the other organisation a record of every table under an id of its own, with the canary in its texts."""
    marked = f"'{CANARY}'"
    await house.run(f"""
      UPDATE organisations SET legal_name = {marked} WHERE org_id = '{OTHER_ORG}';
      UPDATE business_partners SET remarks = {marked}, legal_name = {marked} WHERE org_id = '{OTHER_ORG}';
      UPDATE trades SET remarks = {marked} WHERE org_id = '{OTHER_ORG}';
    """)
    for entity in ENTITIES:
        if entity.table in ("organisations", "notifications", "sync_issues"):
            source = {"organisations": OTHER_ORG, "notifications": "m1", "sync_issues": "i1"}[entity.table]
            if entity.table == "organisations":
                continue
            columns = ", ".join(entity.by_name)
            await house.run(
                f"INSERT INTO {entity.table} (org_id, id, {columns}) SELECT org_id, '{THEIRS}', {columns} FROM {entity.table}"
                f" WHERE org_id = '{OTHER_ORG}' AND id = '{source}'"
            )
            continue
        values = {**EXAMPLES[entity.table][0], "id": THEIRS}
        if entity.name == "setting":
            values["scope_id"] = OTHER_ORG
        if entity.name == "financial_year":
            values["organisation_id"] = OTHER_ORG
        for text in ("name", "legal_name", "title", "remarks", "value"):
            if text in entity.by_name:
                values[text] = f"{CANARY} {entity.table}"
        changes = {entity.table: {"created": [values]}}
        if entity.phone.value == "both":
            await house.push(house.actor("agent1"), await house.clock(), changes, holds_issues=False)
        else:
            columns = ", ".join(values)
            await house.fetch(
                f"INSERT INTO {entity.table} (org_id, {columns})"
                f" SELECT $1, {columns} FROM jsonb_populate_record(NULL::{entity.table}, $2::jsonb)",
                *(OTHER_ORG, json.dumps({n: _sql(entity.name, n, v) for n, v in values.items()})),
            )
        assert THEIRS in await house.ids(entity.table), entity.table


def _sql(entity: str, name: str, value: Any) -> Any:
    """Give a value as jsonb_populate_record reads it."""
    kind = BY_NAME[entity].by_name.get(name)
    return json.loads(value) if kind is not None and type(kind.type).__name__ == "Words" else value


def requests_about(id: str) -> Iterator[Asked]:
    """Ask every route about `id`, wherever a request can name a record: path, query, body."""
    for route in ROUTES:
        if not route.path.startswith("/api/v1") or (route.method, route.path) in ABOUT_ONESELF:
            continue
        path = re.sub(r"\{\w+\}", id, route.path.removeprefix("/api/v1"))
        for body in _bodies(route.path, id) if route.method in ("POST", "PATCH") else [None]:
            yield (route.method, path, body)
        table = route.path.removeprefix("/api/v1/")
        if route.method == "GET" and table in BY_TABLE:
            yield from (("GET", f"{path}?{field.name}={id}", None) for field, _ in BY_TABLE[table].references)
            yield ("GET", f"{path}?id={id}", None)
            yield ("GET", f"{path}?org_id={OTHER_ORG}", None)
            yield ("GET", f"{path}?after={id}&limit=200", None)
        if route.path == "/api/v1/sync" and route.method == "POST":
            yield from _pushes(id)
        if route.path == "/api/v1/devices":
            yield ("GET", f"{path}?user_id={id}", None)


def _bodies(path: str, id: str) -> Iterator[Any]:
    yield {}
    table = path.removeprefix("/api/v1/").removesuffix("/{id}")
    if table not in BY_TABLE:
        yield {"user_id": id, "id": id, "org_id": OTHER_ORG, "session_id": id, "token": id, "name": "x"}
        return
    for field, _ in BY_TABLE[table].references:
        yield {**EXAMPLES.get(table, ({}, {}))[0], field.name: id}


def _pushes(id: str) -> Iterator[Asked]:
    for table, (body, _) in EXAMPLES.items():
        if BY_TABLE[table].phone.value == "both":
            yield ("POST", "/sync?last_pulled_at=1", {table: {"deleted": [id]}})
            for field, _ in BY_TABLE[table].references:
                record = {"id": "mine", **body, field.name: id}
                yield ("POST", "/sync?last_pulled_at=1", {table: {"created": [record]}})


async def undo(house: House, before: dict[str, list[str]]) -> None:
    """Take away what a request has made, so that the next one finds what the one before found."""
    for entity in reversed(ENTITIES):
        made = set(await house.ids(entity.table)) - set(before[entity.table])
        if made:
            await house.fetch(
                f"DELETE FROM {entity.table} WHERE org_id = $1 AND id = ANY($2)", house.org_id, list(made)
            )


@pytest.mark.parametrize("user", ["agent1", "clerk"])
async def test_what_is_theirs_is_what_is_nobodys_on_every_route(
    server: Server, houses: tuple[House, House], user: str
) -> None:
    """`agent1` has every code of the house, `clerk` a desk in one branch."""
    await _crawl(server, houses, user)


async def _crawl(server: Server, houses: tuple[House, House], user: str) -> None:
    ours, theirs = houses
    await ours.employ("clerk", "manager", branch_id="b1")
    clerk = await at_desk(server, ours, user)
    before = {entity.table: await ours.ids(entity.table) for entity in ENTITIES}
    clock, events = await theirs.clock(), len(await theirs.events())
    wrong = []
    statuses: list[int] = []
    for one, other in zip(requests_about(THEIRS), requests_about(NOBODYS), strict=True):
        answers = []
        for method, path, body in (one, other):
            answers.append(await clerk.ask(method, path, body))
            if answers[-1].status in (200, 201) and method != "GET":
                await undo(ours, before)
        statuses.append(answers[0].status)
        if _seen(answers[0]) != _seen(answers[1]):
            wrong.append((one, answers))

    assert not wrong
    assert len(statuses) > 150
    assert {200, 404, 422} <= set(statuses)
    assert not [seen for seen in clerk.seen if CANARY in seen or f"House {OTHER_ORG}" in seen]
    assert (await theirs.clock(), len(await theirs.events())) == (clock, events)


def _seen(answer: Answer) -> tuple[int, str]:
    """Give what can be told apart in an answer: not the correlation id, the moments, made ids, or the id that was asked for."""
    text = json.dumps(answer.json).replace(THEIRS, "asked").replace(NOBODYS, "asked")
    text = re.sub(r'"(correlation_id|id|request_id|token|secret|uri)": "[^"]*"', r'"\1": "…"', text)
    return answer.status, re.sub(r"[0-9]{13,}", "…", text)


async def test_planted_look_over_the_wall_is_found(
    server: Server, houses: tuple[House, House], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look-up that forgets the organisation, over a connection before which there is no wall."""
    database = houses[0].database

    async def look(_: object, __: str, table: str, id: str) -> lists.Listed | None:
        async with database.acquire_everywhere() as connection:
            row = await connection.fetchrow(
                "SELECT id, position, payload::text, scopes FROM feed WHERE entity = $1 AND id = $2", table, id
            )
        return None if row is None else lists.Listed(*row)

    monkeypatch.setattr(lists, "read_listed", look)

    with pytest.raises(AssertionError):
        await _crawl(server, houses, "agent1")
