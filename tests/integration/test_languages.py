"""Whoever is told what became of a change is told so in their own language (store/languages.py)."""

from __future__ import annotations

from pathlib import Path

from sync_server.store.database import Database
from sync_server.store.languages import read_languages
from tests.harness.world import House


async def test_everybody_has_their_own_language_and_strangers_have_none(database: Database, tmp_path: Path) -> None:
    house = await House.settle(database, tmp_path)
    await house.employ("asha")
    await house.employ("mehul")
    await house.fetch("UPDATE users SET language = 'gu' WHERE org_id = $1 AND id = 'mehul'", house.org_id)
    other = await House.found(database, tmp_path, "org_other")
    await other.employ("hari")

    async with database.acquire_everywhere() as connection:
        found = await read_languages(connection, house.org_id, ["mehul", "asha", "mehul", "hari", "nobody"])
        none = await read_languages(connection, house.org_id, [])

    assert found == {"asha": "en", "mehul": "gu"}
    assert none == {}
