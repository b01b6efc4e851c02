"""Lists: conditions, order, pages, parts of records, search, what records name, and how many there are.

The judge is a naive filter in Python over all records as the asker is given them one by one; so what is hidden cannot be found.
Planted at the end: a condition, an order and a search without the mask, a place that forgets empty values.
"""

from __future__ import annotations

import asyncio
import json
import operator
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import pytest

from erp_core.catalogue import BY_TABLE, ENTITIES
from erp_core.language import Field
from erp_core.values import Words
from sync_server.engine import listing as engine
from sync_server.store import pages as sql
from sync_server.store.database import Database
from sync_server.store.searching import searched
from sync_server.wire.filters import OPERATORS, VALUE_MAX, is_sortable, operators_of
from sync_server.wire.listing import PARAMETERS
from tests.harness.counting import CountingDatabase
from tests.harness.office import Clerk, at_desk, furnish
from tests.harness.servers import Server
from tests.harness.world import House

PARTNERS = 60
COMPARED: Mapping[str, Callable[[Any, Any], Any]] = {
    "": operator.eq,
    "eq": operator.eq,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}
STEPS = 60


@pytest.fixture
async def house(database: Database, tmp_path: Path, seed: int) -> House:
    settled = await House.settle(database, tmp_path)
    await furnish(settled)
    await fill(settled, Random(seed))
    return settled


async def fill(house: House, random: Random) -> None:
    """Add partners and trades in both branches, with empty and equal values, capitals and Devanagari."""
    names = ["Asha Cotton", "asha ginning", "Bharat_Mills", "कपास भवन", "100% Lint", "Zed"]
    for number in range(PARTNERS):
        await house.fetch(
            "INSERT INTO business_partners (org_id, id, branch_id, legal_name, trade_name, kind, credit_limit, remarks, tags)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            house.org_id,
            f"q{number:02}",
            random.choice(["b1", "b2"]),
            random.choice(names),
            random.choice([None, "One", "two"]),
            random.choice([["buyer"], ["seller", "buyer"], ["broker"]]),
            random.choice([None, 0, 5_000, 7_500]),
            random.choice([None, "near", "far"]),
            random.choice([[], ["old"], ["old", "far"]]),
        )


@pytest.fixture
async def clerk(server: Server, house: House) -> Clerk:
    return await at_desk(server, house, "agent1")


async def walk(clerk: Clerk, path: str, limit: int = 7) -> list[dict[str, Any]]:
    """Read a list to its end."""
    found: list[dict[str, Any]] = []
    after = ""
    for _ in range(500):
        answer = await clerk.ask("GET", f"{path}&limit={limit}" + (f"&after={after}" if after else ""))
        assert answer.status == 200, (path, answer.json)
        found += answer.json["records"]
        after = answer.json["next"]
        if after is None:
            return found
    raise AssertionError("the walk has no end")


# --- The naive judge ----------------------------------------------------------------------------------------------------


def holds(field: Field, suffix: str, text: str, record: Mapping[str, Any]) -> bool:
    """Say whether a record, as it is given, meets a condition."""
    if field.name != "id" and field.name not in record:
        return False
    value = record[field.name]
    asked: Any = (
        json.loads(text) if field.type.plain_kind in ("number", "boolean") and suffix not in ("null", "in") else text
    )
    if isinstance(field.type, Words) and suffix in ("", "eq", "ne") and value is not None:
        value, asked = sorted(json.loads(value)), sorted(json.loads(text))
    match suffix:
        case "null":
            return (value is None) == (text == "true")
        case "ne":
            return bool(value != asked)
        case "in":
            return (
                str(value) in text.split(",")
                if field.type.plain_kind != "number"
                else value in map(float, text.split(","))
            )
        case "has":
            return bool(text in json.loads(value))
    if value is None:
        return False
    if suffix == "like":
        return text.lower() in str(value).lower()
    return bool(COMPARED[suffix](value, asked))


def in_order(records: list[dict[str, Any]], sort: list[str]) -> list[dict[str, Any]]:
    """Sort as a list is sorted: by each key, empty and hidden values last, then by id."""
    ordered = sorted(records, key=lambda record: str(record["id"]))
    for key in reversed(sort):
        name, down = key.removeprefix("-"), key.startswith("-")
        there = [record for record in ordered if record.get(name) is not None]
        there.sort(key=lambda record: record[name], reverse=down)
        if down:  # a stable sort downwards keeps equal ones in their order
            there = [r for _, r in sorted(enumerate(there), key=lambda pair: pair[0])]
        ordered = there + [record for record in ordered if record.get(name) is None]
    return ordered


def drawn(
    random: Random, records: list[dict[str, Any]], table: str
) -> tuple[str, list[tuple[Field, str, str]], list[str]]:
    """Draw a query: conditions with values that occur, and a sort."""
    fields = [f for f in BY_TABLE[table].all_fields if any(f.name in record for record in records)]
    conditions = [one for f in random.sample(fields, random.randint(0, 2)) for one in _condition(random, f, records)]
    sortable = [f.name for f in fields if is_sortable(f)]
    sort = [random.choice(["", "-"]) + name for name in random.sample(sortable, random.randint(0, 3))]
    parts = [f"{f.name}{'.' if suffix else ''}{suffix}={quote(text, safe='')}" for f, suffix, text in conditions]
    return "&".join([*parts, *([f"sort={','.join(sort)}"] if sort else [])]), conditions, sort


def _condition(random: Random, field: Field, records: list[dict[str, Any]]) -> Iterator[tuple[Field, str, str]]:
    values = [r[field.name] for r in records if r.get(field.name) not in (None, "", "[]", "{}")]
    suffix = random.choice(list(operators_of(field)))
    if suffix == "null":
        yield field, suffix, random.choice(["true", "false"])
    elif values:
        value = random.choice(values)
        match suffix:
            case "like":
                yield field, suffix, str(value)[1:4] or str(value)
            case "has":
                yield field, suffix, json.loads(value)[0]
            case "in":
                texts = [_text(value), _text(random.choice(values))]
                if not any("," in text for text in texts):
                    yield field, suffix, ",".join(texts)
            case _:
                yield field, suffix, _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@pytest.mark.parametrize("user", ["agent1", "both", "rajkot", "field"])
async def test_walk_while_others_write_gives_what_a_naive_filter_of_all_records_gives(
    server: Server, house: House, user: str, seed: int
) -> None:
    """`both` sees prices in one branch only, `rajkot` one branch, `field` what is assigned to them."""
    await employ(house)
    clerk, random = await at_desk(server, house, user), Random(seed)
    listed = await walk(clerk, "/business_partners?", 200)
    everything = [(await clerk.ask("GET", f"/business_partners/{r['id']}")).json for r in listed]
    assert everything == listed
    assert len(everything) > 5
    stop = asyncio.Event()
    meddling = asyncio.create_task(meddle(house, stop))
    try:
        for _ in range(STEPS):
            query, conditions, sort = drawn(random, everything, "business_partners")
            path = f"/business_partners?{query}"
            found = [r for r in await walk(clerk, path, random.randint(1, 30)) if not r["id"].startswith("m")]
            wanted = [r for r in everything if all(holds(f, suffix, text, r) for f, suffix, text in conditions)]
            assert found == in_order(wanted, sort), query
    finally:
        stop.set()
        await meddling


async def employ(house: House) -> None:
    await house.employ("both", "grader", branch_id="b1")
    await house.grant("both", "trader", branch_id="b2")
    await house.employ("rajkot", "trader", branch_id="b1")
    await house.employ("field", "agent", agent_id="field")
    await house.run("UPDATE business_partners SET assigned_agent_id = 'field' WHERE id LIKE 'q%1' OR id LIKE 'q%2'")


async def meddle(house: House, stop: asyncio.Event) -> None:
    """Insert, change and delete other records meanwhile."""
    for number in range(2_000):
        if stop.is_set():
            return
        await house.add_partners(f"m{number}")
        await house.run(f"UPDATE business_partners SET legal_name = 'moved', remarks = 'x' WHERE id = 'm{number // 2}'")
        await house.run(f"DELETE FROM business_partners WHERE id = 'm{number - 5}'")
        await asyncio.sleep(0.01)


async def test_every_field_of_every_entity_can_be_asked_with_every_operator_it_takes(clerk: Clerk) -> None:
    for entity in ENTITIES:
        for field in entity.all_fields:
            sort = f"&sort=-{field.name}" if is_sortable(field) else ""
            answer = await clerk.ask("GET", f"/{entity.table}?{field.name}.null=false{sort}&limit=2")
            assert answer.status == 200, (entity.table, field.name, answer.json)
            if answer.json["next"] is not None:
                again = await clerk.ask(
                    "GET", f"/{entity.table}?{field.name}.null=false{sort}&after={answer.json['next']}"
                )
                assert again.status == 200, (field.name, again.json)
            for record in answer.json["records"]:
                for suffix in set(operators_of(field)) - {"null", "has"}:
                    if not suffix and field.name in PARAMETERS:
                        continue
                    name = f"{field.name}.{suffix}" if suffix else field.name
                    value = quote(_text(record[field.name]), safe="")
                    asked = await clerk.ask("GET", f"/{entity.table}?{name}={value}")
                    fits = len(value) <= VALUE_MAX and not (suffix == "in" and "%2C" in value)
                    assert asked.status == 200 or not fits, (entity.table, name, value, asked.json)


def test_every_operator_is_of_some_field() -> None:
    used = {suffix for entity in ENTITIES for field in entity.all_fields for suffix in operators_of(field)}

    assert used == set(OPERATORS)


@pytest.mark.parametrize(
    "query",
    [
        *("sort=colour", "sort=tags", "sort=legal_name,legal_name", "sort=id,state,branch_id,kind", "sort=,"),
        *("legal_name.has=x", "credit_limit.like=1", "state.gt=draft", "tags.in=a", "gstin.=x", "gstin.null=yes"),
        *(
            "fields=colour",
            "fields=state,state",
            "include=state",
            "include=id",
            "include=colour",
            "q=%20",
            "q=a+b+c+d+e+f",
        ),
        *("legal_name.like=%00", "created_at.gt=x", "credit_limit.lt=1e400", "q=%00", "id.in=" + ",".join(["x"] * 101)),
        *("sort=state&after=q01", "sort=state&after=W10", "sort=state&after=%C3%A4", "after=" + "x" * 65),
    ],
)
async def test_query_that_cannot_be_meant_is_refused(clerk: Clerk, query: str) -> None:
    answer = await clerk.ask("GET", f"/business_partners?{query}")

    assert (answer.status, answer.json["code"]) == (400, "bad_parameter")


async def test_place_of_another_order_is_refused(clerk: Clerk) -> None:
    page = await clerk.ask("GET", "/business_partners?sort=-legal_name&limit=2")
    after = page.json["next"]

    assert (await clerk.ask("GET", f"/business_partners?sort=-legal_name&after={after}")).status == 200
    for other in ("sort=legal_name", "sort=-trade_name", "sort=-legal_name,state"):
        assert (await clerk.ask("GET", f"/business_partners?{other}&after={after}")).status == 400


# --- Parts, parents, counts ---------------------------------------------------------------------------------------------


async def test_fields_are_given_beside_the_id_and_nothing_else(clerk: Clerk) -> None:
    answer = await clerk.ask("GET", "/business_partners?fields=state,legal_name&id=p1")

    assert answer.json["records"] == [{"id": "p1", "legal_name": "Partner p1", "state": "approved"}]


async def test_what_records_name_comes_along_once_and_masked(server: Server, house: House) -> None:
    await house.employ("grader", "grader", branch_id="b1")
    await house.employ("buyer", "external_buyer", partner_id="p2")
    grader, buyer = await at_desk(server, house, "grader"), await at_desk(server, house, "buyer")
    path = "/trades?include=buyer_id,seller_id,commodity_id,availability_id"

    whole = (await grader.ask("GET", path)).json["included"]
    narrow = (await buyer.ask("GET", path)).json["included"]

    assert {table: [r["id"] for r in records] for table, records in whole.items()} == {
        "business_partners": ["p1", "p2"],
        "commodities": ["lint"],
    }
    assert "credit_limit" not in whole["business_partners"][0]
    for table, records in narrow.items():
        for record in records:
            alone = await buyer.ask("GET", f"/{table}/{record['id']}")
            assert (alone.status, alone.json) == (200, record)
    assert "p1" not in [record["id"] for record in narrow["business_partners"]]


async def test_records_of_all_pages_are_counted_if_preferred(clerk: Clerk, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = await clerk.ask("GET", "/business_partners?limit=1")
    counted = await clerk.ask("GET", "/business_partners?limit=1&branch_id=b1", Prefer="count=exact")
    everything = await walk(clerk, "/business_partners?branch_id=b1", 200)
    monkeypatch.setattr(sql, "COUNT_MAX", 10)
    bounded = await clerk.ask("GET", "/business_partners?limit=1", Prefer="count=exact")

    assert "count" not in plain.json
    assert (counted.json["count"], counted.json["count_is"]) == (len(everything), "exact")
    assert counted.headers["Preference-Applied"] == "count=exact"
    assert (bounded.json["count"], bounded.json["count_is"]) == (10, "at_least")
    assert "Preference-Applied" not in bounded.headers


async def test_count_is_of_what_the_asker_sees(server: Server, house: House) -> None:
    await employ(house)
    for user in ("rajkot", "field", "both"):
        clerk = await at_desk(server, house, user)
        seen = await walk(clerk, "/business_partners?", 200)
        for query in ("", "&credit_limit.gte=0" if user != "field" else "", "&q=asha"):
            path = f"/business_partners?limit=1{query}"
            count = (await clerk.ask("GET", path, Prefer="count=exact")).json["count"]
            assert count == len(await walk(clerk, f"/business_partners?{query[1:]}", 200))
            assert count <= len(seen)


# --- Search -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "name"), [("asha", "asha"), ("ASHA COT", "asha cot"), ("100%", "100%"), ("t_m", "t_m"), ("कपास", "कपास")]
)
async def test_search_finds_what_contains_every_word_in_any_case(clerk: Clerk, asked: str, name: str) -> None:
    everything = await walk(clerk, "/business_partners?", 200)
    found = await walk(clerk, f"/business_partners?q={quote(asked)}", 200)

    words = name.split()
    wanted = [r for r in everything if all(w in f"{r['legal_name']}\n{r['trade_name']}".lower() for w in words)]
    assert found == wanted
    assert found


async def test_search_finds_only_what_is_seen_and_pages_and_sorts(server: Server, house: House) -> None:
    await employ(house)
    for user in ("rajkot", "field", "both"):
        clerk = await at_desk(server, house, user)
        everything = await walk(clerk, "/business_partners?", 200)
        wanted = [r for r in everything if "asha" in r["legal_name"].lower()]
        assert await walk(clerk, "/business_partners?q=asha&sort=-created_at,id", 2) == in_order(
            wanted, ["-created_at"]
        )
        assert await walk(clerk, "/business_partners?q=asha", 1) == wanted


async def test_search_where_there_are_no_names_is_refused(clerk: Clerk) -> None:
    assert (await clerk.ask("GET", "/grants?q=x")).status == 400


# --- What is not for the asker ------------------------------------------------------------------------------------------


async def test_hidden_field_is_refused_as_an_unknown_one_however_it_is_asked_for(server: Server, house: House) -> None:
    await house.employ("grader", "grader", branch_id="b1")
    clerk = await at_desk(server, house, "grader")

    for query in ("{}.gt=1", "{}.null=true", "sort={}", "fields={}", "fields=id,{}"):
        hidden = await clerk.ask("GET", f"/business_partners?{query.format('credit_limit')}")
        nothing = await clerk.ask("GET", f"/business_partners?{query.format('no_such_thing')}")
        assert (hidden.status, nothing.status) == (400, 400)
        assert hidden.json["detail"].replace("credit_limit", "no_such_thing") == nothing.json["detail"]


# --- What it costs ------------------------------------------------------------------------------------------------------


@pytest.fixture
async def counting(database_url: str) -> AsyncIterator[CountingDatabase]:
    opened = await CountingDatabase.open(database_url, pool_max=3)
    yield opened
    await opened.close()


async def test_page_takes_the_same_statements_whatever_it_holds(counting: CountingDatabase, tmp_path: Path) -> None:
    house = await House.settle(counting, tmp_path)
    await furnish(house)
    asked = engine.Asked(limit=200, include=("buyer_id", "seller_id", "commodity_id", "variety_id"), counts=True)

    async def counted() -> int:
        counting.statements.clear()
        await engine.read_page(counting, house.standings, house.actor(), "trades", asked)
        return len(counting.statements)

    await counted()
    one = await counted()
    await house.add_partners(*(f"q{n}" for n in range(150)))
    await house.run("""
      INSERT INTO trades (org_id, id, branch_id, buyer_id, seller_id, commodity_id, bales, price_per_candy, trade_date, state)
      SELECT 'org_a', 't' || id, 'b1', id, 'p1', 'lint', 5, 62000, '2026-11-20', 'draft' FROM business_partners
      WHERE id LIKE 'q%'
    """)
    assert await counted() == one <= 7


# --- Planted bugs -------------------------------------------------------------------------------------------------------


async def test_planted_condition_without_the_mask_is_found(
    server: Server, house: House, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_scopes_of_field", lambda *_: None)

    with pytest.raises(AssertionError):
        await test_walk_while_others_write_gives_what_a_naive_filter_of_all_records_gives(server, house, "both", seed)


async def test_planted_search_without_the_labels_is_found(
    server: Server, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "SEEN", "{scopes}::text[] IS NOT NULL")

    with pytest.raises(AssertionError):
        await test_search_finds_only_what_is_seen_and_pages_and_sorts(server, house)


async def test_planted_order_that_puts_empty_values_first_is_found(
    server: Server, house: House, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "_direction", lambda order: "DESC NULLS FIRST" if order.descending else "ASC NULLS FIRST")

    with pytest.raises(AssertionError):
        await test_walk_while_others_write_gives_what_a_naive_filter_of_all_records_gives(server, house, "agent1", seed)


async def test_every_table_with_names_has_its_index(house: House) -> None:
    """In the migration that makes the table: migrations/searching.py:install_search."""
    indexed = await house.fetch("SELECT tablename FROM pg_indexes WHERE indexname = 'search_' || tablename")
    named = {e.table: await house.one("SELECT search_expression(to_regclass($1))", e.table) for e in ENTITIES}

    assert {row["tablename"] for row in indexed} == {table for table, names in named.items() if names}
    for entity in ENTITIES:
        if searched(entity):
            assert re.findall(r"coalesce\((\w+),", named[entity.table]) == list(searched(entity))


async def test_names_are_found_by_the_index_and_in_the_own_organisation_only(
    database: Database, house: House, tmp_path: Path
) -> None:
    other = await House.settle(database, tmp_path / "other", "org_b")
    await other.add_partners("theirs", *(f"n{number}" for number in range(20_000)))
    await house.run("ANALYZE business_partners")
    async with database.acquire("org_b") as connection:
        found = await connection.fetch("SELECT search_names('business_partners', ARRAY['%partner theirs%'])")
        nobody = await database_of_nobody(database)
        # PostgreSQL tells the counts of an idle connection only after ten seconds, if it told some a second ago.
        await connection.execute("SELECT pg_stat_force_next_flush()")
    used = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'search_business_partners'"

    assert [row[0] for row in found] == ["theirs"]
    assert nobody == []
    for _ in range(100):  # what was done is told a little later
        if await house.one(used):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the index is not used")


async def database_of_nobody(database: Database) -> list[Any]:
    async with database.acquire("") as connection:
        return list(await connection.fetch("SELECT search_names('business_partners', ARRAY['%partner%'])"))


def test_names_are_seen_by_every_reader() -> None:
    assert searched(BY_TABLE["business_partners"]) == ["legal_name", "trade_name"]
    assert not searched(BY_TABLE["grants"])
