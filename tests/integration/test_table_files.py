"""Tables as files, in and out: as their asker sees them, judged row by row, and never twice (engine/table_import.py).

Planted at the end: an export without the mask, a dry run that is kept, rows of one unit that withhold each other.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from erp_core.catalogue import BY_TABLE, ENTITIES
from sync_server.engine import spooling, table_export, table_import
from sync_server.engine.draft import Draft
from sync_server.identity.people import login_name
from sync_server.web import fresh, keys
from sync_server.wire.problems import Problem
from sync_server.wire.table_files.kinds import columns_of, read_csv, read_ndjson, read_xlsx
from tests.harness.office import EXAMPLES, Clerk, at_desk
from tests.harness.servers import Server
from tests.harness.world import House, records

READ = {"csv": read_csv, "ndjson": read_ndjson, "xlsx": read_xlsx}


@dataclass(frozen=True)
class Imported:
    """The lines of an import: refused row -> its reason codes, and the summary."""

    refused: Mapping[int, list[str]]
    summary: dict[str, Any]
    lines: list[dict[str, Any]]


async def bring_in(clerk: Clerk, table: str, content: str | bytes, **query: str) -> Imported:
    url, headers = f"/api/v1/import/{table}", {**clerk.headers, "Content-Type": "application/octet-stream"}
    async with clerk.server.session.post(url, data=content, headers=headers, params=query) as answer:
        text = await answer.text()
        assert answer.status == 200, text
    lines = [json.loads(line) for line in text.splitlines()]
    refused = {line["row"]: [reason["code"] for reason in line["refused"]] for line in lines if "refused" in line}
    return Imported(refused, lines[-1]["summary"], lines)


async def take_out(clerk: Clerk, table: str, format: str = "csv") -> tuple[list[dict[str, Any]], Mapping[str, str]]:
    url = f"/api/v1/export/{table}"
    async with clerk.server.session.get(url, headers=clerk.headers, params={"format": format}) as answer:
        content = await answer.read()
        assert answer.status == 200, content
        return [dict(row.cells) for row in READ[format](io.BytesIO(content))], dict(answer.headers)


# --- Out --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", READ)
@pytest.mark.parametrize("table", [entity.table for entity in ENTITIES])
async def test_table_is_taken_out_as_it_is_listed(clerk: Clerk, table: str, format: str) -> None:
    listed = (await clerk.ask("GET", f"/{table}?limit=200")).json["records"]

    found, headers = await take_out(clerk, table, format)

    assert headers["Content-Disposition"] == f'attachment; filename="{table}.{format}"'
    assert sorted(str(row["id"]) for row in found) == sorted(record["id"] for record in listed)
    if format == "ndjson":
        assert sorted(found, key=lambda row: row["id"]) == listed
    for row in found:
        assert row.keys() == {"id", *(field.name for field in columns_of(BY_TABLE[table]))}


async def test_what_is_not_shown_is_not_taken_out(server: Server, house: House) -> None:
    await house.employ("grader1", "grader", branch_id="b1")
    await house.employ("outsider", "external_buyer", partner_id="p2")
    grader, outsider = await at_desk(server, house, "grader1"), await at_desk(server, house, "outsider")

    (trade,), _ = await take_out(grader, "trades")
    assert "price_per_candy" not in trade
    assert trade["bales"] == "50"
    await house.run("INSERT INTO branches (org_id, id, code, name, state) VALUES ('org_a', 'b9', 'B9', 'Far', 'Goa')")
    await house.run("UPDATE trades SET branch_id = 'b9', buyer_id = 'p1', seller_id = 'p2'")
    assert len((await take_out(outsider, "trades"))[0]) == 1


async def test_table_is_taken_out_after_a_fresh_login_and_somebody_can_see_who_did(
    clerk: Clerk, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take_out(clerk, "units")
    noted = await house.fetch("SELECT kind, user_id, detail FROM security_event WHERE kind = 'exported'")
    assert [(n["user_id"], n["detail"]) for n in noted] == [("agent1", "units: 2 as csv")]

    async def stale(*_: object) -> bool:
        return False

    monkeypatch.setattr(fresh, "fresh_within", stale)
    refused = await clerk.ask("GET", "/export/units")
    assert refused.json["code"] == "fresh_login_needed"


# --- In ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", EXAMPLES)
async def test_record_of_every_entity_is_brought_in(clerk: Clerk, house: House, table: str) -> None:
    body, _ = EXAMPLES[table]

    done = await bring_in(clerk, table, json.dumps({"id": "brought", **body}), format="ndjson")

    assert done.refused == {}, done.lines
    assert (done.summary["rows"], done.summary["made"]) == (1, 1)
    assert body.items() <= (await clerk.ask("GET", f"/{table}/brought")).json.items()
    (made,) = (await clerk.ask("GET", f"/{table}/brought/history")).json["events"]
    assert (made["by"], made["channel"]) == ("agent1", "office")


async def test_each_row_is_judged_by_itself_and_told_where_it_is_wrong(clerk: Clerk, house: House) -> None:
    file = """branch_id,legal_name,kind,phone,colour
b1,Good One,seller; ginner,,
b1,,buyer,,
nowhere,No Branch,buyer,,
b1,Bad Phone,buyer,12,
b1,Good Two,buyer,'+919825012345,
b1,Coloured,buyer,,red
"""
    lines = file.replace(",colour", "").replace(",red", "").replace(",\n", "\n")

    wrong = await bring_in(clerk, "business_partners", file, name="first")
    done = await bring_in(clerk, "business_partners", lines, name="second")

    assert wrong.refused.keys() == {1, 2, 3, 4, 5, 6}
    assert set(wrong.refused[1]) == {"unknown_column"}
    assert done.refused == {2: ["missing"], 3: ["unknown_reference"], 4: ["malformed"]}
    assert (done.summary["made"], done.summary["refused"]) == (3, 3)
    pulled = records(await house.pull(house.actor("agent2")), "business_partners")
    assert pulled["second.1"]["kind"] == '["ginner","seller"]'
    assert pulled["second.5"]["phone"] == "+919825012345"
    assert "second.3" not in pulled


async def test_import_that_was_cut_off_goes_on_where_it_was(clerk: Clerk, house: House) -> None:
    rows = [json.dumps({"branch_id": "b1", "legal_name": f"Ginner {n}", "kind": '["ginner"]'}) for n in range(600)]
    await bring_in(clerk, "business_partners", "\n".join(rows[:300]), format="ndjson", name="crop")
    before = await house.clock()

    again = await bring_in(clerk, "business_partners", "\n".join(rows), format="ndjson", name="crop")

    assert again.summary | {"made": 300, "unchanged": 300, "refused": 0, "rows": 600} == again.summary
    assert await house.clock() == before + 300
    assert [line["progress"]["rows"] for line in again.lines if "progress" in line] == [250, 500, 600]


async def test_record_that_is_there_is_refused_left_or_changed_as_was_asked(clerk: Clerk, house: House) -> None:
    file = "id,remarks\np1,from the file\n"
    assert (await bring_in(clerk, "business_partners", file)).refused == {1: ["id_taken"]}
    skipped = await bring_in(clerk, "business_partners", file, existing="skip")
    assert (skipped.refused, skipped.summary["there"]) == ({}, 1)
    assert (await clerk.ask("GET", "/business_partners/p1")).json["remarks"] in (None, "")

    changed = await bring_in(clerk, "business_partners", file, existing="update")

    assert changed.summary["changed"] == 1
    after = (await clerk.ask("GET", "/business_partners/p1")).json
    assert (after["remarks"], after["state"]) == ("from the file", "approved")
    assert (await bring_in(clerk, "business_partners", file, existing="update")).summary["unchanged"] == 1


@pytest.mark.parametrize("format", READ)
async def test_exported_table_can_be_brought_back_and_changes_nothing(clerk: Clerk, house: House, format: str) -> None:
    async with clerk.server.session.get(
        "/api/v1/export/business_partners", headers=clerk.headers, params={"format": format}
    ) as answer:
        file = await answer.read()
    before = await house.clock()

    done = await bring_in(clerk, "business_partners", file, format=format, existing="update")

    assert (done.refused, done.summary["unchanged"], await house.clock()) == ({}, 2, before)


async def test_dry_run_says_what_would_be_and_leaves_nothing(clerk: Clerk, house: House) -> None:
    before = await house.clock()

    done = await bring_in(
        clerk, "units", "code,name,dimension,factor_to_base\nqtl,Quintal,mass,100\nx,,mass,1\n", dry_run="true"
    )

    assert (done.summary["made"], done.refused) == (1, {2: ["missing"]})
    assert await house.clock() == before
    assert await house.ids("units") == ["candy", "kg"]


async def test_same_id_twice_in_a_file_is_the_same_record(clerk: Clerk, house: House) -> None:
    file = (
        "id,code,name,dimension,factor_to_base\nq,qtl,Quintal,mass,100\nq,qtl,Quintal,mass,100\nq,qtl,Other,mass,100\n"
    )

    done = await bring_in(clerk, "units", file)

    assert (done.summary["made"], done.summary["unchanged"], done.refused) == (1, 1, {3: ["id_taken"]})


async def test_row_that_breaks_us_stops_no_other(clerk: Clerk, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    create = Draft.create

    def break_down(draft: Draft) -> None:
        if draft.sent.get("code") == "bad":
            raise ArithmeticError
        create(draft)

    monkeypatch.setattr(Draft, "create", break_down)
    file = "code,name,dimension,factor_to_base\nqtl,Quintal,mass,100\nbad,Bad,mass,1\nton,Tonne,mass,1000\n"

    done = await bring_in(clerk, "units", file)

    assert (done.summary["made"], done.refused) == (2, {2: ["not_processable"]})


@pytest.mark.parametrize(
    ("query", "content", "why"),
    [
        ({}, b"", "The first line must have the names of the fields."),
        ({}, b"id,name\nx,\xff\n", "Byte 10 is not UTF-8; save the file as 'CSV UTF-8'."),
        ({"format": "xlsx"}, b"id,name\n", "It is no XLSX workbook; save it as .xlsx, or as CSV."),
    ],
)
async def test_file_that_cannot_be_read_is_told(clerk: Clerk, query: dict[str, str], content: bytes, why: str) -> None:
    assert (await bring_in(clerk, "units", content, **query)).summary["stopped"] == why


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("format=pdf", "format must be one of csv, ndjson, xlsx."),
        ("name=a/b", "name must be 1 to 40"),
        ("existing=overwrite", "existing must be one of"),
        ("dry_run=1", "dry_run must be"),
        ("dryrun=true", "is none of"),
    ],
)
async def test_parameter_that_nobody_knows_is_refused(clerk: Clerk, query: str, why: str) -> None:
    refused = await clerk.ask("POST", f"/import/units?{query}")

    assert (refused.status, refused.json["code"]) == (400, "bad_parameter")
    assert why in refused.json["detail"]


async def test_file_that_is_too_large_is_refused_before_any_row(
    clerk: Clerk, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert clerk.server.app is not None
    monkeypatch.setitem(clerk.server.app[keys.SETTINGS].__dict__, "import_max", 40)
    headers = {**clerk.headers, "Content-Type": "text/csv"}
    file = "code,name,dimension,factor_to_base\n" + "qtl,Quintal,mass,100\n" * 3

    async with clerk.server.session.post("/api/v1/import/units", data=file, headers=headers) as answer:
        assert (answer.status, (await answer.json())["code"]) == (413, "body_too_large")
    assert await house.ids("units") == ["candy", "kg"]


async def test_rights_count_as_over_rest(server: Server, house: House) -> None:
    await house.employ("trader1", "trader", branch_id="b1")
    trader = await at_desk(server, house, "trader1")

    assert (await trader.ask("POST", "/import/users")).status == 403
    await house.run("INSERT INTO branches (org_id, id, code, name, state) VALUES ('org_a', 'b9', 'B9', 'Far', 'Goa')")

    done = await bring_in(trader, "business_partners", "branch_id,legal_name,kind\nb9,Far,buyer\nb1,Near,buyer\n")

    assert done.refused == {1: ["out_of_scope"]}
    assert done.summary["made"] == 1


async def test_login_name_of_somebody_is_not_brought_in_twice(clerk: Clerk, house: House) -> None:
    file = "username,name\nneha,Neha\n"
    assert (await bring_in(clerk, "users", file)).summary["made"] == 1

    for existing in ("refuse", "update"):
        done = await bring_in(clerk, "users", file, name=f"people-{existing}", existing=existing)
        assert done.refused[1] == ["duplicate"], done.lines


async def test_login_name_is_spelled_as_logins_look_it_up(clerk: Clerk) -> None:
    file = "id,username,name\nu1,  Neha.S ,Neha\n"

    assert (await bring_in(clerk, "users", file)).summary["made"] == 1

    assert (await clerk.ask("GET", "/users/u1")).json["username"] == login_name("  Neha.S ")


# --- Planted ----------------------------------------------------------------------------------------------------------


async def test_planted_export_without_the_mask_is_found(
    server: Server, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_export, "hidden_fields", lambda *_: frozenset())
    monkeypatch.setattr(spooling, "hidden_of", lambda _: {})

    with pytest.raises(AssertionError):
        await test_what_is_not_shown_is_not_taken_out(server, house)


async def test_planted_dry_run_that_is_kept_is_found(
    clerk: Clerk, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def keep(_: object) -> Any:
        yield

    monkeypatch.setattr(table_import, "trial", keep)

    with pytest.raises(AssertionError):
        await test_dry_run_says_what_would_be_and_leaves_nothing(clerk, house)


async def test_planted_rows_that_overwrite_are_found(
    clerk: Clerk, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_import, "_is_there", lambda _: False)

    with pytest.raises(AssertionError):
        await test_record_that_is_there_is_refused_left_or_changed_as_was_asked(clerk, house)


def test_problem_of_a_parameter_is_one_of_the_registry() -> None:
    assert Problem("bad_parameter").status == 400
