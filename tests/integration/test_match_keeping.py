"""Matches are kept by the server: the best lots of each requirement, with the scores of today, and nobody learns by them.

Planted at the end: a keeper that does not score anew, and one that forgets what it did not finish.
"""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from erp_core.entities.match import fit, lot_of, need_of
from erp_core.matching import score
from erp_core.values import Row
from sync_server.engine import match_keeping
from sync_server.engine.match_keeping import KEEP, follow
from sync_server.store import log
from sync_server.store.following import Follower
from tests.harness.office import EXAMPLES, Clerk, at_desk
from tests.harness.servers import Server
from tests.harness.world import House

SEEDS = range(6)


async def lot(clerk: Clerk, id: str, **values: Any) -> None:
    body = {**EXAMPLES["availabilities"][0], "id": id, "seller_id": "p1", "state": "draft", **values}
    made = await clerk.ask("POST", "/availabilities", body)
    assert made.status == 201, made.json
    await clerk.ask("POST", f"/availabilities/{id}/publish")


async def need(clerk: Clerk, id: str, **values: Any) -> None:
    body = {**EXAMPLES["requirements"][0], "id": id, "buyer_id": "p2", "bales_max": 100, **values}
    made = await clerk.ask("POST", "/requirements", body)
    assert made.status == 201, made.json
    await clerk.ask("POST", f"/requirements/{id}/publish")


async def kept(house: House) -> dict[tuple[str, str], int]:
    """Keep, and give the score of each pair."""
    await follow(house.database, house.org_id)
    rows = await house.fetch(
        "SELECT availability_id, requirement_id, score FROM matches WHERE org_id = $1", house.org_id
    )
    return {(row[0], row[1]): row[2] for row in rows}


async def present(house: House, table: str) -> dict[str, Row]:
    async with house.database.acquire(house.org_id) as connection:
        states = await log.read_states(connection, house.org_id, [(table, id) for id in await house.ids(table)])
    return {id: state.row for (_, id), state in states.items() if state.row is not None}


def points_of(a: str, lot: Row, r: str, need: Row) -> int | None:
    return score(lot_of(a, lot), need_of(r, need))


async def check(house: House) -> None:
    """Every score is that of the present rows, and of each open requirement the best lots of its branch are matched."""
    found = await kept(house)
    lots, needs = await present(house, "availabilities"), await present(house, "requirements")
    for (a, r), kept_points in found.items():
        assert kept_points == fit(a, lots[a], r, needs[r])["score"], (a, r)
    for r, wanted in needs.items():
        if wanted["state"] not in ("open", "part_filled"):
            continue
        scored: dict[str, int] = {
            a: points
            for a, offered in lots.items()
            if offered["state"] in ("active", "reserved") and offered["branch_id"] == wanted["branch_id"]
            if (points := points_of(a, offered, r, wanted)) is not None
        }
        best = sorted(scored, key=lambda a: (-scored[a], a))[:KEEP]
        assert {(a, r) for a in best} <= found.keys()


# --- What is kept -------------------------------------------------------------------------------------------------------


async def test_lot_and_requirement_that_meet_are_matched_by_the_server(clerk: Clerk, house: House) -> None:
    await lot(clerk, "lot")
    await need(clerk, "wanted", price_ceiling_per_candy=63_000)

    found = await kept(house)

    assert found["lot", "wanted"] > 0
    made = (await clerk.ask("GET", "/matches?availability_id=lot&requirement_id=wanted")).json["records"][0]
    assert (made["branch_id"], made["is_dismissed"]) == ("b1", False)
    assert made["score"] == sum(json.loads(made["parts"]).values())
    assert await follow(house.database, house.org_id) == 0


async def test_score_follows_either_of_the_two(clerk: Clerk, house: House) -> None:
    await lot(clerk, "lot", asking_price_per_candy=60_000)
    await need(clerk, "wanted", price_ceiling_per_candy=61_000)
    cheap = (await kept(house))["lot", "wanted"]

    await clerk.ask("PATCH", "/availabilities/lot", {"asking_price_per_candy": 61_000})
    dear = (await kept(house))["lot", "wanted"]
    await clerk.ask("PATCH", "/requirements/wanted", {"price_ceiling_per_candy": 59_000})
    none = (await kept(house))["lot", "wanted"]

    assert cheap > dear > none == 0


async def test_what_was_dismissed_stays_so_and_what_was_deleted_is_not_made_again(clerk: Clerk, house: House) -> None:
    await lot(clerk, "one")
    await lot(clerk, "two")
    await need(clerk, "wanted", price_ceiling_per_candy=63_000)
    await kept(house)
    ids = {pair: match_keeping.match_id(*pair) for pair in (("one", "wanted"), ("two", "wanted"))}
    await clerk.ask("PATCH", f"/matches/{ids['one', 'wanted']}", {"is_dismissed": True})
    await clerk.ask("DELETE", f"/matches/{ids['two', 'wanted']}")

    for id in ("one", "two"):
        await clerk.ask("PATCH", f"/availabilities/{id}", {"asking_price_per_candy": 61_000})
    found = await kept(house)

    assert ("two", "wanted") not in found
    dismissed = (await clerk.ask("GET", f"/matches/{ids['one', 'wanted']}")).json
    assert (dismissed["is_dismissed"], dismissed["score"]) == (True, found["one", "wanted"])


@pytest.mark.parametrize("seed", SEEDS)
async def test_after_any_work_the_matches_are_what_the_rows_come_to(clerk: Clerk, house: House, seed: int) -> None:
    draw = random.Random(seed)
    for n in range(14):
        await lot(clerk, f"lot{n}", asking_price_per_candy=draw.randrange(58_000, 66_000, 500), branch_id=branch(draw))
    for n in range(4):
        price = draw.randrange(60_000, 66_000, 500)
        await need(clerk, f"need{n}", price_ceiling_per_candy=price, branch_id=branch(draw), bales_min=1)
    await check(house)
    for _ in range(12):
        await work(clerk, draw)
        if draw.random() < 0.4:
            await check(house)
    await check(house)


def branch(draw: random.Random) -> str:
    return draw.choice(("b1", "b1", "b2"))


async def work(clerk: Clerk, draw: random.Random) -> None:
    a, r = f"lot{draw.randrange(14)}", f"need{draw.randrange(4)}"
    price = draw.randrange(58_000, 66_000, 500)
    await draw.choice(
        (
            lambda: clerk.ask("PATCH", f"/availabilities/{a}", {"asking_price_per_candy": price}),
            lambda: clerk.ask("PATCH", f"/requirements/{r}", {"price_ceiling_per_candy": price}),
            lambda: clerk.ask("POST", f"/availabilities/{a}/reserve", {"bales": draw.randrange(1, 100)}),
            lambda: clerk.ask("POST", f"/availabilities/{a}/cancel"),
            lambda: clerk.ask("POST", f"/requirements/{r}/fill", {"bales": draw.randrange(1, 20)}),
            lambda: clerk.ask("PATCH", f"/availabilities/{a}", {"branch_id": branch(draw)}),
            lambda: clerk.ask("DELETE", f"/availabilities/{a}"),
        )
    )()


async def test_many_are_written_a_part_at_a_time_and_none_is_left_out(
    clerk: Clerk, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(match_keeping, "WRITTEN_MAX", 3)
    for n in range(5):
        await lot(clerk, f"lot{n}")
    for n in range(3):
        await need(clerk, f"need{n}", price_ceiling_per_candy=63_000)
    await check(house)
    await house.run("UPDATE requirements SET price_ceiling_per_candy = 62500")

    await check(house)


# --- Who sees it --------------------------------------------------------------------------------------------------------


async def test_pair_of_two_branches_is_for_who_sees_both(server: Server, house: House, clerk: Clerk) -> None:
    await house.employ("here", "trader", branch_id="b1")
    await house.employ("anywhere", "manager")
    await lot(clerk, "lot", branch_id="b2")
    await need(clerk, "wanted", price_ceiling_per_candy=63_000)
    assert ("lot", "wanted") not in await kept(house)
    body = {"id": "across", "availability_id": "lot", "requirement_id": "wanted"}
    here, anywhere = await at_desk(server, house, "here"), await at_desk(server, house, "anywhere")

    assert (await here.ask("POST", "/matches", body)).status == 422
    assert (await anywhere.ask("POST", "/matches", body)).json["branch_id"] is None
    assert (await here.ask("GET", "/matches/across")).status == 404
    assert (await anywhere.ask("GET", "/matches/across")).status == 200

    await clerk.ask("PATCH", "/availabilities/lot", {"branch_id": "b1"})
    await kept(house)
    assert (await here.ask("GET", "/matches/across")).json["branch_id"] == "b1"


# --- Planted ------------------------------------------------------------------------------------------------------------


async def test_planted_keeper_that_does_not_score_anew_is_found(
    clerk: Clerk, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(match_keeping, "_scored", lambda *_: None)

    with pytest.raises(AssertionError):
        await test_score_follows_either_of_the_two(clerk, house)


async def test_planted_keeper_that_moves_on_before_it_wrote_is_found(
    clerk: Clerk, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job dies between the two; what it had not written is not written by the next either."""

    async def break_off(*_: object) -> int:
        raise RuntimeError

    await kept(house)
    await lot(clerk, "lot")
    await need(clerk, "wanted", price_ceiling_per_candy=63_000)
    with monkeypatch.context() as broken:
        broken.setattr(match_keeping, "_keep", break_off)
        with pytest.raises(RuntimeError):
            await follow(house.database, house.org_id)
    assert ("lot", "wanted") in await kept(house)

    await lot(clerk, "another")
    async with house.database.acquire_everywhere() as connection:
        await Follower("match_cursor").move(connection, house.org_id, await house.clock())
    with pytest.raises(AssertionError):
        await check(house)
