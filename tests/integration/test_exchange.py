"""Exchange: push and pull in one round trip, and the server's policies on a clash (engine/exchange.py, engine/telling.py)."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

import pytest

from sync_server.engine import exchange as exchanges
from sync_server.engine import spooling
from sync_server.store.database import Database
from tests.harness.office import Answer, Clerk, at_desk
from tests.harness.servers import Server
from tests.harness.world import House, lot, partner

_IDS = itertools.count()


class Field:
    """An agent's phone that speaks exchange, by hand: a cursor and the last answer."""

    def __init__(self, clerk: Clerk) -> None:
        self.clerk = clerk
        self.cursor: int | None = None
        self.answer: dict[str, Any] = {}

    async def ask(self, changes: dict[str, Any] | None = None, **said: Any) -> Answer:
        wanted = {"push_id": f"p{next(_IDS)}", "last_pulled_at": self.cursor, "schema_version": 2, **said}
        return await self.clerk.ask("POST", "/sync/exchange", {**wanted, "changes": {} if changes is None else changes})

    async def exchange(self, changes: dict[str, Any] | None = None, **said: Any) -> dict[str, Any]:
        answer = await self.ask(changes, **said)
        assert answer.status == 200, answer.json
        self.answer = answer.json
        self.cursor = self.answer["timestamp"]
        return self.answer

    def verdict(self, id: str) -> dict[str, Any]:
        return next(one for one in self.answer["verdicts"] if one["id"] == id)

    def got(self, table: str) -> dict[str, str]:
        """Say what the last answer brought of a table: id -> list."""
        lists = self.answer["changes"][table].items()
        return {r if isinstance(r, str) else r["id"]: which for which, records in lists for r in records}

    def record(self, table: str, id: str) -> dict[str, Any]:
        lists = self.answer["changes"][table]
        return next(r for r in (*lists["created"], *lists["updated"]) if r["id"] == id)


@pytest.fixture
async def house(server: Server, database: Database, tmp_path: Any) -> House:
    return await House.settle(database, tmp_path)


@pytest.fixture
async def agents(server: Server, house: House) -> tuple[Field, Field]:
    first, second = Field(await at_desk(server, house, "agent1")), Field(await at_desk(server, house, "agent2"))
    await first.exchange(
        {
            "business_partners": {
                "created": [partner("p"), partner("q", tags='["old"]', remarks="dry yard, good road")]
            },
            "availabilities": {"created": [lot("l", "p", state="active")]},
        }
    )
    await first.exchange()
    await second.exchange()
    return first, second


def updated(table: str, id: str, **values: Any) -> dict[str, Any]:
    return {table: {"updated": [{"id": id, **values, "_status": "updated", "_changed": ",".join(values)}]}}


# --- What was taken ---------------------------------------------------------------------------------------------------


async def test_what_was_taken_as_sent_does_not_come_back(agents: tuple[Field, Field]) -> None:
    first, second = agents
    await first.exchange(updated("business_partners", "p", phone="+919825012345"))

    assert first.verdict("p")["verdict"] == "accepted"
    assert "p" not in first.got("business_partners")
    assert first.verdict("p")["set"]["updated_at"] > 0, "what the server alone knows comes with the verdict"
    await second.exchange()
    assert second.record("business_partners", "p")["phone"] == "+919825012345"


async def test_changes_of_different_columns_are_merged_and_come_whole(agents: tuple[Field, Field]) -> None:
    first, second = agents
    await first.exchange(updated("business_partners", "p", phone="+919825012345"))
    await second.exchange(updated("business_partners", "p", email="p@example.com"))

    assert second.verdict("p")["verdict"] == "merged"
    merged = second.record("business_partners", "p")
    assert (merged["phone"], merged["email"]) == ("+919825012345", "p@example.com")


async def test_same_column_is_the_phones_and_the_loser_is_told(agents: tuple[Field, Field]) -> None:
    first, second = agents
    await first.exchange(updated("business_partners", "p", legal_name="Office"))
    await second.exchange(updated("business_partners", "p", legal_name="Phone"))

    (outcome,) = second.verdict("p")["outcomes"]
    assert (outcome["policy"], outcome["base"], outcome["ours"], outcome["kept"]) == (
        "theirs",
        "Partner p",
        "Office",
        "Phone",
    )


async def test_counts_add_up_and_bags_unite(agents: tuple[Field, Field]) -> None:
    first, second = agents
    await first.exchange(
        updated("availabilities", "l", bales_reserved=30) | updated("business_partners", "q", tags='["new","old"]')
    )
    await second.exchange(
        updated("availabilities", "l", bales_reserved=20) | updated("business_partners", "q", tags="[]")
    )

    assert second.record("availabilities", "l")["bales_reserved"] == 50
    assert second.record("business_partners", "q")["tags"] == '["new"]'


async def test_two_who_reserve_the_same_number_of_bales_reserve_twice_as_many(agents: tuple[Field, Field]) -> None:
    first, second = agents
    await first.exchange(updated("availabilities", "l", bales_reserved=20))
    await second.exchange(updated("availabilities", "l", bales_reserved=20))

    assert second.record("availabilities", "l")["bales_reserved"] == 40


async def test_prose_is_merged_by_words(agents: tuple[Field, Field]) -> None:
    first, second = agents
    await first.exchange(updated("business_partners", "q", remarks="very dry yard, good road"))
    await second.exchange(updated("business_partners", "q", remarks="dry yard, bad road"))

    assert second.record("business_partners", "q")["remarks"] == "very dry yard, bad road"


@pytest.mark.parametrize("earlier_wins", [True, False])
async def test_later_authored_time_wins_after_correction_of_the_clock(
    agents: tuple[Field, Field], earlier_wins: bool
) -> None:
    first, second = agents
    now = int(time.time() * 1000)
    await first.exchange({"quality_inspections": {"created": [{"id": "i", "availability_id": "l"}]}})
    await second.exchange()
    days = 86_400_000
    # The second phone's clock is ten days behind. Both say when they graded the lot, and by their clocks when they wrote it.
    early, late = now - 3_600_000, now - 600_000
    written_first, written_second = (late, early) if earlier_wins else (early, late)
    await first.exchange(
        updated("quality_inspections", "i", inspected_at=now - 1000, updated_at=written_first),
        sent_at=int(time.time() * 1000),
    )
    await second.exchange(
        updated("quality_inspections", "i", inspected_at=now - 2000, updated_at=written_second - 10 * days),
        sent_at=int(time.time() * 1000) - 10 * days,
    )

    kept = second.record("quality_inspections", "i")["inspected_at"]
    assert kept == (now - 1000 if earlier_wins else now - 2000)


# --- What waits -------------------------------------------------------------------------------------------------------


async def test_what_cannot_be_decided_waits_with_everything_that_is_needed(agents: tuple[Field, Field]) -> None:
    first, second = agents
    await first.exchange(updated("business_partners", "q", remarks="damp yard, good road"))
    await second.exchange(
        updated("business_partners", "q", remarks="flooded yard, good road", email="q@example.com")
        | updated("availabilities", "l", payment_terms="at once")
    )

    assert second.verdict("q")["verdict"] == "parked"
    assert (second.verdict("q")["code"], second.verdict("q")["fields"]) == ("overlapping_edits", ["remarks"])
    assert second.verdict("l")["verdict"] == "accepted", "one record that waits keeps no other back"
    assert second.record("business_partners", "q")["remarks"] == "damp yard, good road"
    assert second.record("business_partners", "q")["email"] in (None, ""), "a mutation is applied whole or waits whole"
    issue = second.record("sync_issues", second.verdict("q")["issue"])
    assert (issue["kind"], issue["state"], issue["record_id"]) == ("parked", "open", "q")


async def test_sold_twice_waits(agents: tuple[Field, Field]) -> None:
    first, second = agents
    await first.exchange(updated("availabilities", "l", bales_sold=70))
    await second.exchange(updated("availabilities", "l", bales_sold=60))

    assert (second.verdict("l")["verdict"], second.verdict("l")["code"]) == ("parked", "out_of_bounds")
    assert second.record("availabilities", "l")["bales_sold"] == 70


async def test_edit_of_a_deleted_record_is_filed_and_the_phone_forgets_the_record(agents: tuple[Field, Field]) -> None:
    first, second = agents
    await first.exchange({"business_partners": {"deleted": ["q"]}})
    await second.exchange(updated("business_partners", "q", legal_name="Still here"))

    assert (second.verdict("q")["verdict"], second.verdict("q")["code"]) == ("refused", "deleted_meanwhile")
    assert second.got("business_partners")["q"] == "deleted"
    assert '"Still here"' in second.record("sync_issues", second.verdict("q")["issue"])["payload"]


async def test_deletion_of_what_others_changed_waits_and_the_record_comes_back(agents: tuple[Field, Field]) -> None:
    first, second = agents
    await first.exchange(updated("business_partners", "q", phone="+919825012345"))
    await second.exchange({"business_partners": {"deleted": ["q"]}})

    assert (second.verdict("q")["verdict"], second.verdict("q")["code"]) == ("parked", "changed_meanwhile")
    assert second.got("business_partners")["q"] == "created"


async def test_edit_that_is_stale_waits(house: House, agents: tuple[Field, Field]) -> None:
    first, second = agents
    await first.exchange(updated("business_partners", "p", phone="+919825012345"))
    await house.run(
        "ALTER TABLE event DISABLE TRIGGER ALL;"
        " UPDATE event SET at = at - interval '31 days'; ALTER TABLE event ENABLE TRIGGER ALL"
    )
    await second.exchange(updated("business_partners", "p", email="p@example.com"))

    assert (second.verdict("p")["verdict"], second.verdict("p")["code"]) == ("parked", "stale")


# --- Once ---------------------------------------------------------------------------------------------------------------


async def test_same_push_again_is_told_the_same_and_has_one_effect(house: House, agents: tuple[Field, Field]) -> None:
    first, _ = agents
    changes, before = updated("availabilities", "l", bales_reserved=30), first.cursor
    once = await first.exchange(changes, push_id="same")
    clock = await house.clock()
    first.cursor = before
    again = await first.exchange(changes, push_id="same")

    assert once["verdicts"] == again["verdicts"]
    assert again["changes"]["availabilities"] == once["changes"]["availabilities"]
    assert await house.clock() == clock


async def test_same_push_twice_at_once_has_one_effect(house: House, agents: tuple[Field, Field]) -> None:
    first, _ = agents
    changes = updated("availabilities", "l", bales_reserved=30)
    answers = await asyncio.gather(*(first.ask(changes, push_id="same") for _ in range(4)))

    assert [one.status for one in answers] == [200] * 4
    assert len({str(one.json["verdicts"]) for one in answers}) == 1
    assert await house.fetch("SELECT count(*) FROM event WHERE record_id = 'l' AND op = 'u'") == [(1,)]


async def test_name_of_another_push_is_refused(agents: tuple[Field, Field]) -> None:
    first, _ = agents
    await first.exchange(updated("availabilities", "l", bales_reserved=30), push_id="same")
    answer = await first.ask(updated("availabilities", "l", bales_reserved=31), push_id="same")

    assert (answer.status, answer.json["code"]) == (422, "push_id_reused")


async def test_same_changes_under_another_name_count_once(agents: tuple[Field, Field]) -> None:
    first, second = agents
    changes, before = updated("availabilities", "l", bales_reserved=30), first.cursor
    await first.exchange(changes)
    await second.exchange(updated("availabilities", "l", bales_reserved=20))
    first.cursor = before  # the answer was lost
    await first.exchange(changes)

    assert first.record("availabilities", "l")["bales_reserved"] == 50


async def test_edit_over_what_was_sent_counts_from_there_when_the_merged_answer_was_lost(
    agents: tuple[Field, Field],
) -> None:
    """A phone holds what it sent, 30, while the server has 50: its next bale is the 51st, not 19 fewer."""
    first, second = agents
    before = first.cursor
    await second.exchange(updated("availabilities", "l", bales_reserved=20))
    await first.exchange(updated("availabilities", "l", bales_reserved=30))
    first.cursor = before  # the answer was lost
    await first.exchange(updated("availabilities", "l", bales_reserved=31))

    assert first.record("availabilities", "l")["bales_reserved"] == 51


@pytest.mark.parametrize("further", ["", " and clean"])
async def test_text_whose_merged_answer_was_lost_has_no_word_twice(agents: tuple[Field, Field], further: str) -> None:
    """Sent again under another name, as it was or written on: what the phone added stands there once."""
    first, second = agents
    before, sent = first.cursor, "very dry yard, good road"
    await second.exchange(updated("business_partners", "q", remarks="dry yard, bad road"))
    await first.exchange(updated("business_partners", "q", remarks=sent))
    first.cursor = before  # the answer was lost
    await first.exchange(updated("business_partners", "q", remarks=sent.replace("yard", f"yard{further}")))

    assert first.record("business_partners", "q")["remarks"] == f"very dry yard{further}, bad road"


async def test_what_changes_nothing_is_told_what_the_server_has_otherwise(agents: tuple[Field, Field]) -> None:
    first, _ = agents
    await first.exchange(updated("business_partners", "p", legal_name="Partner p", updated_at=5))

    assert first.verdict("p")["verdict"] == "duplicate"
    assert first.verdict("p")["set"]["updated_at"] > 5, "or the phone would keep the moment of an edit that was none"


async def test_what_others_change_between_the_halves_is_told(
    house: House, agents: tuple[Field, Field], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = agents
    pull = spooling.pull

    async def pull_later(*arguments: Any) -> Any:
        await house.run("UPDATE availabilities SET payment_terms = 'by psql' WHERE id = 'l'")
        return await pull(*arguments)

    monkeypatch.setattr(exchanges, "pull", pull_later)
    await first.exchange(updated("availabilities", "l", bales_reserved=30))

    assert first.verdict("l")["verdict"] == "accepted"
    assert first.record("availabilities", "l")["payment_terms"] == "by psql"


# --- Shapes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "code", "where"),
    [
        ({"push_id": "a b"}, "bad_parameter", "/push_id"),
        ({"push_id": None}, "bad_parameter", "/push_id"),
        ({"last_pulled_at": "5"}, "wrong_type", "/last_pulled_at"),
        ({"sent_at": 1.5}, "bad_parameter", "/sent_at"),
        ({"changes": False}, "wrong_type", "/changes"),
        ({"changes": []}, "wrong_type", "/changes"),
        ({"changed": {}}, "unknown_member", "/changed"),
        ({"changes": {"lots": {}}}, "unknown_table", "/changes/lots"),
        ({"changes": {"trades": {"updated": [{"id": "t", "x": 1}]}}}, "unknown_column", "/changes/trades/updated/0/x"),
    ],
)
async def test_wrong_member_is_pointed_at(
    agents: tuple[Field, Field], said: dict[str, Any], code: str, where: str
) -> None:
    answer = await agents[0].ask(said.pop("changes", None), **said)

    assert answer.status in (400, 422)
    assert (answer.json["code"], answer.json["pointer"]) == (code, where)
