"""A request with an Idempotency-Key has its effect once and gets one answer, whatever is lost on the way.

Planted at the end: an answer that is kept apart from its change, a key that is everybody's.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import ClientError

from sync_server.operate.upkeep import one_round
from sync_server.store import idempotency
from sync_server.store.database import Connection
from tests.harness.office import Answer, Clerk, at_desk
from tests.harness.servers import Server
from tests.harness.world import House

BODY = {"branch_id": "b1", "legal_name": "Anew", "kind": '["buyer"]'}


async def once(clerk: Clerk, method: str, path: str, body: Any = None, key: str = "k1", **headers: str) -> Answer:
    return await clerk.ask(method, path, body, Idempotency_Key=key, **headers)


def told(answer: Answer) -> tuple[Any, ...]:
    return answer.status, answer.json, answer.headers.get("ETag"), answer.headers.get("Location")


async def made(house: House) -> int:
    return int(await house.one("SELECT count(*) FROM business_partners WHERE legal_name = 'Anew'"))


@pytest.mark.parametrize("key", ["k1", '"8e03978e-40d5-43dd-bc93-6894a57f9324"'])
async def test_repetition_gets_the_answer_of_the_first_and_has_no_second_effect(
    clerk: Clerk, house: House, key: str
) -> None:
    first = await once(clerk, "POST", "/business_partners", BODY, key)
    clock = await house.clock()
    again = await once(clerk, "POST", "/business_partners", BODY, key)

    assert first.status == 201
    assert told(again) == told(first)
    assert await house.clock() == clock
    assert await made(house) == 1


async def test_change_and_deletion_are_repeated_too(clerk: Clerk, house: House) -> None:
    """The answer is that of the first time, though others went on since."""
    first = await once(clerk, "PATCH", "/business_partners/p1", {"remarks": "mine"})
    await house.run("UPDATE business_partners SET remarks = 'theirs' WHERE id = 'p1'")
    again = await once(clerk, "PATCH", "/business_partners/p1", {"remarks": "mine"})
    assert told(again) == told(first)
    assert (await house.truth("business_partners"))["p1"]["remarks"] == "theirs"

    await house.run("UPDATE trades SET state = 'draft'")
    assert [(await once(clerk, "DELETE", "/trades/t1", key="k2")).status for _ in range(2)] == [204, 204]
    assert (await clerk.ask("DELETE", "/trades/t1")).status == 404


async def test_restore_is_repeated_too(clerk: Clerk, house: House) -> None:
    position = [e["position"] for e in await house.events() if e["record_id"] == "p1"][-1]
    await clerk.ask("PATCH", "/business_partners/p1", {"remarks": "mine"})
    first = await once(clerk, "POST", "/business_partners/p1/restore", {"position": position})
    clock = await house.clock()

    assert first.status == 200
    assert told(await once(clerk, "POST", "/business_partners/p1/restore", {"position": position})) == told(first)
    assert await house.clock() == clock


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/business_partners", {**BODY, "legal_name": "Other"}),
        ("POST", "/partner_contacts", BODY),
        ("PATCH", "/business_partners/p1", {"remarks": "x"}),
        ("DELETE", "/business_partners/p2", None),
    ],
)
async def test_key_of_another_request_is_refused(clerk: Clerk, house: House, method: str, path: str, body: Any) -> None:
    await once(clerk, "POST", "/business_partners", BODY)
    clock = await house.clock()

    answer = await once(clerk, method, path, body)

    assert answer.status == 422
    assert path == "/partner_contacts" or answer.json["code"] == "idempotency_key_reused"
    assert await house.clock() == clock


async def test_doubles_at_once_are_one(clerk: Clerk, house: House) -> None:
    answers = await asyncio.gather(*(once(clerk, "POST", "/business_partners", BODY) for _ in range(8)))

    assert {told(answer)[0] for answer in answers} == {201}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert await made(house) == 1


async def test_what_was_refused_is_judged_anew(clerk: Clerk, house: House) -> None:
    change = {"branch_id": "nowhere"}
    assert (await once(clerk, "PATCH", "/business_partners/p1", change)).status == 422
    await house.run(
        "INSERT INTO branches (org_id, id, code, name, state) VALUES ('org_a', 'nowhere', 'N', 'N', 'Gujarat')"
    )
    await house.grant("agent1", "everything", branch_id="nowhere")

    assert (await once(clerk, "PATCH", "/business_partners/p1", change)).status == 200


async def test_answer_is_nobody_elses(server: Server, clerk: Clerk, house: House) -> None:
    other = await at_desk(server, house, "agent2")
    first = await once(clerk, "POST", "/business_partners", BODY)
    second = await once(other, "POST", "/business_partners", BODY)

    assert (first.status, second.status) == (201, 201)
    assert first.json["id"] != second.json["id"]


async def test_crash_between_change_and_answer_leaves_neither(
    clerk: Clerk, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(connection: Connection, *_: Any) -> None:
        await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with monkeypatch.context() as crashing:
        crashing.setattr(idempotency, "_keep", crash)
        assert (await once(clerk, "POST", "/business_partners", BODY)).status >= 500
    assert await made(house) == 0

    assert (await once(clerk, "POST", "/business_partners", BODY)).status == 201
    assert await made(house) == 1


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, '"', "ä"])
async def test_key_that_is_none_is_refused(clerk: Clerk, house: House, key: str) -> None:
    answer = await once(clerk, "POST", "/business_partners", BODY, key)

    assert (answer.status, answer.json["code"]) == (400, "bad_idempotency_key")
    assert await made(house) == 0


async def test_answers_are_forgotten_after_a_day(clerk: Clerk, house: House) -> None:
    await once(clerk, "POST", "/business_partners", BODY, "young")
    await once(clerk, "POST", "/business_partners", BODY, "old")
    await house.run("UPDATE idempotency_key SET at = at - interval '25 hours' WHERE key = 'old'")

    await one_round(house.database, tombstone_days=5, receipt_days=5)

    assert [row["key"] for row in await house.fetch("SELECT key FROM idempotency_key")] == ["young"]


async def test_minimal_answer_says_where_and_which_version(clerk: Clerk) -> None:
    made = await clerk.ask("POST", "/business_partners", BODY, Prefer="return=minimal")
    path = made.headers["Location"].removeprefix("/api/v1")
    changed = await clerk.ask("PATCH", path, {"remarks": "x"}, Prefer="return=minimal")

    assert (made.status, made.json, changed.status, changed.json) == (201, None, 204, None)
    assert made.headers["Preference-Applied"] == "return=minimal"
    assert (await clerk.ask("GET", path)).headers["ETag"] == changed.headers["ETag"]


# --- Planted bugs -------------------------------------------------------------------------------------------------------


async def test_planted_answer_that_is_not_kept_is_found(
    clerk: Clerk, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lose(*_: Any) -> None:
        pass

    monkeypatch.setattr(idempotency, "_keep", lose)

    with pytest.raises((AssertionError, ClientError)):  # its status is none
        await test_repetition_gets_the_answer_of_the_first_and_has_no_second_effect(clerk, house, "k1")


async def test_planted_claim_that_is_forgotten_is_found(
    clerk: Clerk, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forget(*_: Any) -> None:
        pass

    monkeypatch.setattr(idempotency, "_claim", forget)

    with pytest.raises(AssertionError):
        await test_doubles_at_once_are_one(clerk, house)
