"""People are told in their own language why a change waits and what to do (engine/wording.py).

Planted by hand, each found here: everybody told in English; a verdict in another language than its issue; the language of
whoever comes after; no bound.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sync_server.engine.explaining import SENTENCES_MAX
from sync_server.engine.push import push_together
from sync_server.store.database import Connection, Database
from sync_server.store.unit_of_work import unit_of_work
from tests.harness.office import at_desk
from tests.harness.servers import Server
from tests.harness.world import House, lot, partner, request
from tests.integration.test_exchange import Field, updated

SCRIPTS = {"en": "[A-Za-z]{4}", "hi": "[\u0900-\u097f]{2}", "gu": "[\u0a80-\u0aff]{2}"}
"""language -> what a sentence in it has."""


@pytest.fixture
async def phones(server: Server, database: Database, tmp_path: Path) -> tuple[House, Field, Field]:
    house = await House.settle(database, tmp_path)
    first, second = Field(await at_desk(server, house, "agent1")), Field(await at_desk(server, house, "agent2"))
    partners = [partner("p"), partner("q", remarks="dry yard, good road")]
    await first.exchange({"business_partners": {"created": partners}})
    await first.exchange({"availabilities": {"created": [lot("l", "p", state="active")]}})
    await second.exchange()
    return house, first, second


async def speaks(house: House, user: str, language: str) -> None:
    await house.fetch("UPDATE users SET language = $1 WHERE id = $2", language, user)


CLASHES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    # what others do, what the author does, the reason
    "a field": (updated("availabilities", "l", bales_sold=70), updated("availabilities", "l", bales_sold=60), "l"),
    "a record": ({"business_partners": {"deleted": ["q"]}}, updated("business_partners", "q", remarks="x"), "q"),
    "a deletion": (updated("business_partners", "q", email="q@a.in"), {"business_partners": {"deleted": ["q"]}}, "q"),
}


@pytest.mark.parametrize("language", SCRIPTS)
@pytest.mark.parametrize("what", CLASHES)
async def test_issue_and_verdict_say_the_same_in_the_authors_language(
    phones: tuple[House, Field, Field], what: str, language: str
) -> None:
    house, first, second = phones
    await speaks(house, "agent2", language)
    await speaks(house, "agent1", "gu" if language == "hi" else "hi")
    theirs, own, id = CLASHES[what]
    await first.exchange(theirs)

    await second.exchange(own)

    verdict = second.verdict(id)
    (issue,) = await house.issues()
    assert verdict["sentence"] == issue["sentence"]
    for said in (issue["sentence"], issue["suggestion"]):
        assert re.search(SCRIPTS[language], said), said
        others = {pattern for name, pattern in SCRIPTS.items() if name in ("hi", "gu") and name != language}
        assert not any(re.search(pattern, said.replace("।", "")) for pattern in others), said


async def test_values_are_told_as_they_are_written_in_india(phones: tuple[House, Field, Field]) -> None:
    _, first, second = phones
    await first.exchange(updated("availabilities", "l", bales_sold=70))

    await second.exchange(updated("availabilities", "l", bales_sold=60))

    assert second.verdict("l")["sentence"].endswith("(before: 0; now: 70; you: 60)")
    assert "bales_sold" not in second.verdict("l")["sentence"], "a person does not know our columns"


async def test_refusal_again_is_told_in_the_language_of_its_author_not_of_who_looks(
    phones: tuple[House, Field, Field],
) -> None:
    house, first, second = phones
    await speaks(house, "agent2", "gu")
    await house.employ("manager", "manager", branch_id="b1")
    await speaks(house, "manager", "hi")
    await first.exchange(updated("availabilities", "l", bales_sold=70))
    await second.exchange(updated("availabilities", "l", bales_sold=60))

    (seen,) = (await house.pull(house.actor("manager", "m")))["changes"]["sync_issues"]["created"]

    assert re.search(SCRIPTS["gu"], seen["sentence"])


async def test_each_of_those_who_share_a_transaction_is_told_in_their_own(phones: tuple[House, Field, Field]) -> None:
    house, _, _ = phones
    await speaks(house, "agent1", "hi")
    await speaks(house, "agent2", "gu")
    cursor = await house.clock()
    await house.run("DELETE FROM availabilities; DELETE FROM business_partners")
    edits = [
        ("agent1", updated("business_partners", "p", remarks="x")),
        ("agent2", updated("business_partners", "q", remarks="x")),
    ]
    together = [request(cursor, edit).submission(house.actor(user, user)) for user, edit in edits]
    together = [replace(one, actor=replace(one.actor, device_id="")) for one in together]

    async def work(connection: Connection) -> None:
        await push_together(connection, house.standings, house.org_id, together)

    await unit_of_work(house.database, house.org_id, work)

    said = {issue["author_id"]: issue["sentence"] for issue in await house.issues()}
    assert re.search(SCRIPTS["hi"], said["agent1"])
    assert re.search(SCRIPTS["gu"], said["agent2"])


async def test_answers_over_rest_are_in_english(server: Server, phones: tuple[House, Field, Field]) -> None:
    house, _, _ = phones
    await speaks(house, "agent1", "gu")
    await house.run("UPDATE availabilities SET bales_sold = 70")
    await house.employ("manager", "manager", branch_id="b1")
    clerk = await at_desk(server, house, "agent1")

    answer = await clerk.ask("PATCH", "/availabilities/l", {"bales_sold": 170})

    assert answer.status == 422
    assert re.fullmatch(r"[\x20-\x7e]+", answer.json["detail"])


async def test_endless_reasons_are_cut_at_a_word(phones: tuple[House, Field, Field]) -> None:
    house, _, second = phones
    words = "wrong " * 3_000

    await second.exchange(updated("business_partners", "p", entity_type=words))

    (issue,) = await house.issues()
    assert len(issue["sentence"]) <= SENTENCES_MAX
    assert json.loads(issue["payload"])["entity_type"] == words
    assert len(issue["sentence"]) > SENTENCES_MAX - 10
    assert issue["sentence"].endswith("wrong…")


@pytest.mark.parametrize("language", ["hi", "gu"])
async def test_broken_rule_is_told_in_the_authors_language_with_what_was_sent(
    phones: tuple[House, Field, Field], language: str
) -> None:
    house, _, second = phones
    await speaks(house, "agent2", language)

    await second.exchange(updated("availabilities", "l", bales_sold=1_200))

    said = second.verdict("l")["sentence"]
    assert (await house.issues())[0]["sentence"] == said
    assert re.search(SCRIPTS[language], said)
    assert "(1,200)" in said
    assert not re.search("[A-Za-z]", said), said
