"""Bad input over real HTTP: a 4xx problem that points at the fault, nothing applied, never a 5xx (the issue's "Bad input")."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard

from sync_server.store.database import Database
from tests.harness.servers import Server
from tests.harness.stock import StockClient
from tests.harness.world import House, partner

GOOD = {"business_partners": {"created": [partner("good")]}}


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    return await House.settle(database, tmp_path)


@pytest.fixture
def client(house: House, server: Server) -> StockClient:
    return StockClient(server, house.actor())


def with_good(record: str, table: str = "trades") -> bytes:
    """A push of one good record and a bad one, written as JSON text."""
    good = json.dumps(GOOD["business_partners"])
    return f'{{"business_partners":{good},"{table}":{{"created":[{record}]}}}}'.encode()


BAD_BODIES: dict[str, tuple[bytes, int, str, str | None]] = {
    "empty": (b"", 400, "malformed_json", None),
    "cut": (b'{"trades":{"created":[', 400, "malformed_json", None),
    "two documents": (b"{}{}", 400, "malformed_json", None),
    "not UTF-8": (b'{"trades":{"created":[{"id":"\xff"}]}}', 400, "malformed_json", None),
    "comment": (b"{} // hello", 400, "malformed_json", None),
    "list": (b"[]", 422, "wrong_type", ""),
    "number": (b"7", 422, "wrong_type", ""),
    "null": (b"null", 422, "wrong_type", ""),
    "unknown table": (with_good("{}", "frobs"), 422, "unknown_table", "/frobs"),
    "unknown column": (with_good('{"id":"t","frob":1}'), 422, "unknown_column", "/trades/created/0/frob"),
    "wrong type": (with_good('{"id":"t","bales":"many"}'), 422, "wrong_type", "/trades/created/0/bales"),
    "record is null": (with_good("null"), 422, "wrong_type", "/trades/created/0"),
    "unsafe id": (with_good('{"id":"a/../b"}'), 422, "unsafe_id", "/trades/created/0/id"),
    "number as id": (with_good('{"id":7}'), 422, "unsafe_id", "/trades/created/0/id"),
    "id twice": (with_good('{"id":"t"},{"id":"t"}'), 422, "duplicate_id", "/trades/created/1"),
    "key twice": (with_good('{"id":"t","id":"u"}'), 400, "duplicate_key", "/trades/created/0/id"),
    "NaN": (with_good('{"id":"t","bales":NaN}'), 400, "number_not_finite", "/trades/created/0/bales"),
    "Infinity": (with_good('{"id":"t","bales":-Infinity}'), 400, "number_not_finite", "/trades/created/0/bales"),
    "1e999": (with_good('{"id":"t","bales":1e999}'), 400, "number_not_finite", "/trades/created/0/bales"),
    "NUL": (with_good('{"id":"t","remarks":"a\\u0000b"}'), 400, "unsafe_text", "/trades/created/0/remarks"),
    "lone surrogate": (with_good('{"id":"t","remarks":"\\ud800"}'), 400, "unsafe_text", "/trades/created/0/remarks"),
    "1 MB string": (
        with_good(json.dumps({"id": "t", "remarks": "x" * 1_000_001})),
        400,
        "string_too_long",
        "/trades/created/0/remarks",
    ),
    "deep": (b'{"trades":' + b"[" * 200 + b"]" * 200 + b"}", 400, "too_deep", None),
    "very deep": (b"[" * 100_000 + b"]" * 100_000, 400, "too_deep", None),
    "wide": (json.dumps({f"k{n}": 1 for n in range(5_000)}).encode(), 400, "too_many_keys", ""),
    "prototype": (with_good('{"id":"t","__proto__":{"a":1}}'), 422, "unknown_column", "/trades/created/0/__proto__"),
}


@pytest.mark.parametrize(("body", "status", "code", "pointer"), BAD_BODIES.values(), ids=BAD_BODIES)
async def test_fault_is_named_and_nothing_is_applied(
    client: StockClient, house: House, body: bytes, status: int, code: str, pointer: str | None
) -> None:
    before = await house.clock()

    answer = await client.post(body)

    assert (answer["status"], answer["code"]) == (status, code)
    if pointer is not None:
        assert answer["pointer"] == pointer
    assert len(json.dumps(answer)) < 2_000
    assert (await house.clock(), await house.ids("business_partners")) == (before, [])


CODINGS: dict[str, Any] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("coding", CODINGS)
async def test_body_in_every_coding_is_applied(client: StockClient, house: House, coding: str) -> None:
    body = CODINGS[coding](json.dumps(GOOD).encode())

    assert await client.post(body, Content_Encoding=coding) == {"status": 200}

    assert await house.ids("business_partners") == ["good"]


@pytest.mark.parametrize("coding", CODINGS)
async def test_decompression_bomb_is_refused(client: StockClient, house: House, coding: str) -> None:
    bomb = CODINGS[coding](b'{"trades":{"created":[' + b" " * (64 * 2**20) + b"]}}")

    answer = await client.post(bomb, Content_Encoding=coding)

    assert (answer["status"], answer["code"]) == (413, "body_too_expansive")


@pytest.mark.parametrize("coding", CODINGS)
async def test_body_that_is_not_in_its_coding_is_refused(client: StockClient, house: House, coding: str) -> None:
    answer = await client.post(b"no such thing" * 10, Content_Encoding=coding)

    assert (answer["status"], answer["code"]) == (400, "body_unreadable")


async def test_too_many_records_are_refused(client: StockClient, house: House, server: Server) -> None:
    ids = [f"t{n}" for n in range(server.settings.push_records_max + 1)]

    answer = await client.push(None, {**GOOD, "trades": {"deleted": ids}})

    assert (answer["status"], answer["code"]) == (413, "too_many_records")
    assert await house.ids("business_partners") == []


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"last_pulled_at": "-1"}, 400, "bad_cursor"),
        ({"last_pulled_at": "garbage"}, 400, "bad_cursor"),
        ({"last_pulled_at": "1e3"}, 400, "bad_cursor"),
        ({"last_pulled_at": "9007199254740992"}, 400, "bad_cursor"),
        ({"last_pulled_at": "9007199254740991"}, 409, "cursor_from_future"),
        ({"schema_version": "-1"}, 400, "bad_schema_version"),
        ({"migration": "{"}, 400, "malformed_json"),
        ({"migration": '{"tables":["app_user"]}'}, 400, "bad_migration"),
        ({"last_pulled_at": "\0"}, 400, "bad_cursor"),
    ],
)
async def test_bad_parameters_of_a_pull_are_refused(
    client: StockClient, query: dict[str, str], status: int, code: str
) -> None:
    answer = await client.get(query)

    assert (answer["status"], answer["code"]) == (status, code)


@pytest.mark.parametrize("cursor", ["-1", "garbage", "9007199254740992"])
async def test_bad_cursor_of_a_push_is_refused(client: StockClient, house: House, cursor: str) -> None:
    answer = await client.post(json.dumps(GOOD).encode(), {"last_pulled_at": cursor})

    assert (answer["status"], answer["code"]) == (400, "bad_cursor")
    assert await house.ids("business_partners") == []


async def test_push_from_a_future_cursor_never_merges_with_a_base_that_is_not_there(
    client: StockClient, house: House
) -> None:
    """It comes from another server or account, or from before a restore: taken at its word, it would hide clashes."""
    await house.add_partners("p")
    await house.run("UPDATE business_partners SET legal_name = 'Office'")
    future = await house.clock() + 1_000

    answer = await client.push(future, {"business_partners": {"updated": [{"id": "p", "legal_name": "Phone"}]}})

    assert (answer["status"], answer["code"]) == (409, "cursor_from_future")


async def test_unauthenticated_push_is_not_even_read(server: Server, house: House) -> None:
    async with server.session.post("/api/v1/sync", data=b"{" * 100) as answer:
        assert answer.status == 401
