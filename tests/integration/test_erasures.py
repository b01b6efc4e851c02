"""The list of who was forgotten outlives the database: what is restored forgets again before it answers (security.md, 64)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sync_server.engine.erasing import Person
from sync_server.operate import erasures
from sync_server.operate.erasures import Line, UnusableList, append, read
from sync_server.store.database import Database
from sync_server.web import keys
from tests.harness.office import at_desk
from tests.harness.servers import Server, serve_here
from tests.harness.world import House, contact, partner

CANARY = "Zubeida Kasturbhai"
LINE = Line("org_a", Person("r1", "business_partner", "p1"), "u1")


def opened(server: Server) -> Database:
    assert server.app is not None
    return server.app[keys.DATABASE]


async def test_a_backup_that_is_restored_forgets_again_before_it_answers(
    database_url: str, make_database: Callable[[str | None], Awaitable[str]], tmp_path: Path
) -> None:
    database = await Database.open(database_url)
    house = await House.settle(database, tmp_path)
    await database.close()
    async with serve_here(database_url, tmp_path) as server:
        house = House(opened(server), house.room)
        clerk = await at_desk(server, house, "agent1")
        await clerk.ask("POST", "/business_partners", partner("p1", legal_name=CANARY))
        await clerk.ask("POST", "/partner_contacts", contact("c1", "p1", name=CANARY))
    backup = await make_database(urlsplit(database_url).path[1:])
    async with serve_here(database_url, tmp_path) as server:
        house = House(opened(server), house.room)
        clerk = await at_desk(server, house, "agent1")
        asked = await clerk.ask("POST", "/privacy/requests", {"table": "business_partners", "id": "p1"})
        assert (await clerk.ask("POST", f"/privacy/requests/{asked.json['id']}/approve")).status == 200

    async with serve_here(backup, tmp_path) as server:
        house = House(opened(server), house.room)
        assert await house.one("SELECT count(*) FROM event e WHERE e::text LIKE $1", f"%{CANARY}%") == 0
        clerk = await at_desk(server, house, "agent1")
        assert (await clerk.ask("GET", "/business_partners/p1")).json["legal_name"] == "erased"
        again = await clerk.ask("GET", f"/privacy/requests/{asked.json['id']}")
        assert again.json["state"] == "done"


def test_a_line_is_read_as_it_was_written_and_one_that_was_cut_off_is_none(tmp_path: Path) -> None:
    path = tmp_path / "erasures.jsonl"
    assert read(path) == []
    append(path, LINE)
    with path.open("ab") as file:
        file.write(b'{"org": "org_a", "req')
    assert read(path) == [LINE]


def test_what_is_written_after_a_line_that_was_cut_off_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "erasures.jsonl"
    path.write_bytes(b'{"org": "org_a", "req')
    append(path, LINE)
    assert read(path) == [LINE]


@pytest.mark.parametrize("line", [b"nonsense\n", b"{}\n", b"[]\n", b'{"org": "a", "request": "r"}\n'])
def test_a_list_that_cannot_be_read_is_named_with_its_line(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "erasures.jsonl"
    append(path, LINE)
    with path.open("ab") as file:
        file.write(line)
    with pytest.raises(UnusableList, match="line 2 of"):
        read(path)


async def test_who_is_of_another_database_is_left_alone(house: House, tmp_path: Path) -> None:
    path = tmp_path / "list"
    append(path, LINE._replace(org_id="elsewhere"))
    assert await erasures.carry_out_again(house.database, path) == 0
