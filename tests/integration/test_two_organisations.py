"""Two organisations with the same ids: nothing of one ever shows in the other (the issue's "Two orgs"; hole 20).

Every text of organisation B carries a canary; whatever A does, over real HTTP, no answer may hold it. The other way
round nothing that A sends may move anything of B.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sync_server.store.actor import Actor
from sync_server.store.database import Database
from sync_server.web import keys
from tests.harness.servers import Server
from tests.harness.stock import open_session
from tests.harness.world import ORG, OTHER_ORG, House, contact, partner, trade

CANARY = "canary-7f3a"
SYNC = "/api/v1/sync"
Answers = list[str]


class Visitor:
    """Somebody of organisation A who keeps every byte that the server sends."""

    def __init__(self, server: Server, actor: Actor) -> None:
        assert server.app is not None
        self._server, self._actor = server, actor
        self._headers = {"Authorization": f"Bearer {server.app[keys.TOKENS].issue(actor)}"}
        self.seen: Answers = []

    async def pull(self, **query: Any) -> dict[str, Any]:
        await open_session(self._server, self._actor)
        async with self._server.session.get(SYNC, params=query, headers=self._headers) as answer:
            return self._keep(answer.status, str(answer.headers), await answer.text())

    async def push(self, cursor: int | None, changes: Any) -> dict[str, Any]:
        await open_session(self._server, self._actor)
        query = {} if cursor is None else {"last_pulled_at": str(cursor)}
        async with self._server.session.post(SYNC, params=query, json=changes, headers=self._headers) as answer:
            return self._keep(answer.status, str(answer.headers), await answer.text())

    def _keep(self, status: int, headers: str, body: str) -> dict[str, Any]:
        self.seen += [headers, body]
        return {"status": status, **json.loads(body)}


@pytest.fixture
async def both(database: Database, tmp_path: Path) -> tuple[House, House]:
    """A and B with the same partners, contacts and trades under the same ids; B's texts hold the canary."""
    houses = await House.settle(database, tmp_path, ORG), await House.settle(database, tmp_path, OTHER_ORG)
    for house in houses:
        mark = CANARY if house.org_id == OTHER_ORG else "ours"
        await house.push(
            house.actor("agent1", f"phone of {mark}".replace(" ", "-")),
            await house.clock(),
            {
                "business_partners": {
                    "created": [partner(id, legal_name=f"{mark} {id}", remarks=mark) for id in ("p", "q", "r")]
                },
                "partner_contacts": {"created": [contact("c", "p", name=f"{mark} c")]},
                "trades": {"created": [trade("t", "p", "q", remarks=mark)]},
            },
        )
    await houses[1].add_partners(f"only-{CANARY}")
    await houses[1].run("UPDATE business_partners SET phone = '+919812345678' WHERE org_id = 'org_b' AND id = 'p'")
    return houses


@pytest.fixture
async def visitor(both: tuple[House, House], server: Server) -> AsyncIterator[Visitor]:
    """The visitor; after the test B is as it was, and A has seen nothing of it."""
    a, b = both
    before = await b.clock(), await b.events()
    guest = Visitor(server, a.actor())
    yield guest
    assert guest.seen
    for seen in guest.seen:
        assert CANARY not in seen
        assert OTHER_ORG not in seen
    assert (await b.clock(), await b.events()) == before


async def test_pulls_from_every_kind_of_cursor_show_only_ones_own(visitor: Visitor, both: tuple[House, House]) -> None:
    for cursor in (None, 0, 2 << 40, await both[0].clock() - 3, await both[0].clock(), 1_795_400_000_000):
        await visitor.pull(**({} if cursor is None else {"last_pulled_at": str(cursor)}))
    migration = json.dumps({"from": 1, "tables": ["trades"], "columns": [{"table": "trades", "columns": ["remarks"]}]})
    answer = await visitor.pull(last_pulled_at=str(2 << 40), migration=migration)

    assert answer["status"] == 200


async def test_cursor_of_the_other_organisation_tells_nothing(visitor: Visitor, both: tuple[House, House]) -> None:
    theirs = await both[1].clock()

    answer = await visitor.pull(last_pulled_at=str(theirs))

    assert theirs > await both[0].clock()
    assert (answer["status"], answer["code"]) == (409, "cursor_from_future")


@pytest.mark.parametrize("operation", ["created", "updated"])
async def test_writing_to_an_id_that_both_have_changes_ones_own(
    visitor: Visitor, both: tuple[House, House], operation: str
) -> None:
    cursor = await both[0].clock()

    answer = await visitor.push(cursor, {"business_partners": {operation: [partner("p", legal_name="changed")]}})

    assert answer["status"] == 200
    assert (await both[0].truth("business_partners"))["p"]["legal_name"] == "changed"


async def test_deleting_an_id_that_both_have_deletes_ones_own(visitor: Visitor, both: tuple[House, House]) -> None:
    answer = await visitor.push(
        await both[0].clock(), {"trades": {"deleted": ["t"]}, "business_partners": {"deleted": ["p"]}}
    )

    assert answer["status"] == 200
    assert await both[0].ids("business_partners") == ["q", "r"]
    assert await both[1].ids("business_partners") == [f"only-{CANARY}", "p", "q", "r"]


async def test_id_that_only_the_other_has_is_free_here(visitor: Visitor, both: tuple[House, House]) -> None:
    """Hole 20: no answer tells whether it exists elsewhere."""
    for n, operation in enumerate(("updated", "created")):
        id = f"only-{CANARY}" if n else "nobodys"
        record = {k: v for k, v in partner(id).items() if k != "id"}
        answer = await visitor.push(await both[0].clock(), {"business_partners": {operation: [{"id": id, **record}]}})
        assert (answer["status"], {k for k in answer if k != "status"}) == (200, set())
    visitor.seen.clear()
    await visitor.pull(last_pulled_at=str(await both[0].clock()))

    assert await both[0].ids("business_partners") == ["nobodys", f"only-{CANARY}", "p", "q", "r"]


async def test_naming_a_record_of_the_other_is_naming_nothing(visitor: Visitor, both: tuple[House, House]) -> None:
    await both[0].run(
        "DELETE FROM trades WHERE org_id = 'org_a'; DELETE FROM business_partners WHERE org_id = 'org_a' AND id = 'r'"
    )

    answer = await visitor.push(
        await both[0].clock(), {"partner_contacts": {"created": [contact("d", "r")]}, "trades": {"deleted": ["t"]}}
    )

    assert answer["experimentalRejectedIds"] == {"partner_contacts": ["d"]}


async def test_unique_value_of_the_other_may_be_taken(visitor: Visitor, both: tuple[House, House]) -> None:
    answer = await visitor.push(
        await both[0].clock(), {"business_partners": {"updated": [{"id": "q", "phone": "+919812345678"}]}}
    )

    assert answer == {"status": 200}
    assert (await both[0].truth("business_partners"))["q"]["phone"] == "+919812345678"


async def test_clash_shows_ones_own_values(visitor: Visitor, both: tuple[House, House]) -> None:
    cursor = await both[0].clock()
    await both[0].run("UPDATE business_partners SET legal_name = 'office' WHERE org_id = 'org_a' AND id = 'p'")

    answer = await visitor.push(cursor, {"business_partners": {"updated": [{"id": "p", "legal_name": "phone"}]}})

    assert answer["status"] == 409
    assert answer["conflicts"][0]["columns"]["legal_name"]["ours"] == "office"


async def test_same_body_from_both_organisations_is_applied_in_both(both: tuple[House, House]) -> None:
    """A receipt of one is no receipt of the other."""
    changes = {"business_partners": {"created": [partner("new")]}}

    for house in both:
        await house.push(house.actor(), 2 << 40, changes)

    for house in both:
        assert "new" in await house.ids("business_partners")
