"""The console's files and catalogue over HTTP: what is served, under which headers, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from erp_core.catalogue import BY_NAME, ENTITIES
from sync_server.store.database import Database
from sync_server.web.console.files import FOLDER, PAGE, TYPES, Files
from tests.harness.office import at_desk
from tests.harness.servers import Server
from tests.harness.world import House


async def test_the_page_is_served_to_anybody_and_may_load_nothing_but_our_files(server: Server) -> None:
    async with server.session.get("/console") as answer:
        page, policy = await answer.text(), answer.headers["Content-Security-Policy"]
        tag = answer.headers["ETag"]

    assert (answer.status, answer.content_type) == (200, "text/html")
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:|https?://", page)
    async with server.session.get("/console", headers={"If-None-Match": tag}) as again:
        assert again.status == 304


async def test_every_file_is_served_for_ever_under_its_version_and_type(server: Server) -> None:
    version = Files.of(FOLDER).version
    for path in FOLDER.iterdir():
        async with server.session.get(f"/console/{version}/{path.name}") as answer:
            if path.name == PAGE:
                assert answer.status == 404
                continue
            assert (answer.status, answer.content_type) == (200, TYPES[path.suffix])
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert await answer.read() == path.read_bytes()


@pytest.mark.parametrize("name", ["..%2Ffiles.py", "%2e%2e%2f%2e%2e%2fkeys.py", "main.py", "__init__.py", "main.js%00"])
async def test_nothing_else_is_served(server: Server, name: str) -> None:
    version = Files.of(FOLDER).version
    async with server.session.get(f"/console/{version}/{name}") as answer:
        assert answer.status in (401, 404)


async def test_a_file_of_another_version_is_not_there(server: Server) -> None:
    async with server.session.get("/console/0123456789abcdef/main.js") as answer:
        assert answer.status == 404


def test_a_changed_file_changes_the_version(tmp_path: Path) -> None:
    (tmp_path / PAGE).write_text("{version}")
    (tmp_path / "a.js").write_text("1")
    before = Files.of(tmp_path)
    (tmp_path / "a.js").write_text("2")

    assert Files.of(tmp_path).version != before.version
    assert before.page.decode() == before.version


async def test_catalogue_describes_every_table_in_the_asked_language(
    server: Server, database: Database, tmp_path: Path
) -> None:
    clerk = await at_desk(server, await House.settle(database, tmp_path), "agent1")

    answer = await clerk.ask("GET", "/catalogue?language=hi")

    tables = {table["name"]: table for table in answer.json["tables"]}
    assert list(tables) == [entity.name for entity in ENTITIES]
    assert tables["trade"]["title"] == "सौदा"
    for entity in ENTITIES:
        assert [field["name"] for field in tables[entity.name]["fields"]] == list(entity.by_name)
    bales = next(field for field in tables["trade"]["fields"] if field["name"] == "bales")
    assert (bales["type"], bales["least"]) == ("integer", BY_NAME["trade"].by_name["bales"].type.least)  # type: ignore[union-attr]
    again = await clerk.ask("GET", "/catalogue?language=hi", If_None_Match=answer.headers["ETag"])
    assert again.status == 304
    assert (await clerk.ask("GET", "/catalogue?language=xx")).json["code"] == "bad_parameter"
