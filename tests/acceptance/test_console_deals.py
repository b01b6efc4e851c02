"""A deal by clicks in a real browser: what follows from a record is made of it, and what others do appears at once."""

from __future__ import annotations

import re
from typing import Any

from playwright.async_api import expect

from erp_core.demo.reference import ORG_ID
from sync_server.engine import desk
from sync_server.store.actor import Actor
from sync_server.web import keys
from tests.acceptance.test_console_office import ask
from tests.harness.attaching import declare, picture
from tests.harness.browser import visit
from tests.harness.office import Clerk
from tests.harness.servers import PASSWORD, Server


async def matched(server: Server) -> str:
    """A lot and a requirement of two approved partners, and their match; gives it."""
    branch = (await ask(server, "manager", "GET", "/branches?limit=1"))["records"][0]["id"]
    goods = (await ask(server, "manager", "GET", "/commodities?name=Cotton%20lint&limit=1"))["records"]
    goods = goods or (await ask(server, "manager", "GET", "/commodities?limit=1"))["records"]
    for id, kind in (("dealSeller", "ginner"), ("dealBuyer", "buyer")):
        body = {"id": id, "branch_id": branch, "legal_name": id, "kind": f'["{kind}"]'}
        await ask(server, "manager", "POST", "/business_partners", body)
        await ask(server, "manager", "POST", f"/business_partners/{id}/submit")
        await ask(server, "manager", "POST", f"/business_partners/{id}/approve")
    of: dict[str, Any] = {"branch_id": branch, "commodity_id": goods[0]["id"]}
    lot = {"id": "dealLot", "seller_id": "dealSeller", "crop_year": "2026-27", "bales_offered": 100}
    need = {"id": "dealNeed", "buyer_id": "dealBuyer", "bales_min": 50, "bales_max": 100}
    await ask(server, "manager", "POST", "/availabilities", {**of, **lot, "asking_price_per_candy": 62_000})
    await ask(server, "manager", "POST", "/requirements", {**of, **need})
    await ask(server, "manager", "POST", "/availabilities/dealLot/publish")
    await ask(server, "manager", "POST", "/requirements/dealNeed/publish")
    pair = {"id": "dealMatch", "availability_id": "dealLot", "requirement_id": "dealNeed"}
    return str((await ask(server, "manager", "POST", "/matches", pair))["id"])


async def test_match_is_negotiated_and_contracted_by_clicks(demo_server: Server) -> None:
    match = await matched(demo_server)
    async with visit(demo_server) as visitor:
        page = visitor.page
        await visitor.log_in("manager", f"#/records/matches/{match}")
        await page.get_by_role("button", name="Negotiate").click()
        form = page.get_by_role("form", name="Negotiate")
        await form.get_by_label("Offered by").select_option("buyer")
        await form.get_by_label("Price per candy").fill("61000")
        await form.get_by_label("Bales").fill("100")
        await visitor.check("negotiate")
        await form.get_by_role("button", name="Negotiate").click()
        await expect(page).to_have_url(re.compile("#/records/negotiations/"))
        talk = page.url.rsplit("/", 1)[1]
        (bid,) = (await ask(demo_server, "manager", "GET", f"/offers?negotiation_id={talk}"))["records"]

        await page.goto(page.url.split("#")[0] + f"#/records/offers/{bid['id']}")
        await page.get_by_role("button", name="accepted").click()
        await expect(page.get_by_role("status").filter(has_text="Now:")).to_be_visible()
        await page.goto(page.url.split("#")[0] + f"#/records/negotiations/{talk}")
        await page.get_by_role("button", name="Make the contract").click()
        await page.get_by_role("form", name="Make the contract").get_by_role("button", name="Make the contract").click()

        await expect(page).to_have_url(re.compile("#/records/trades/"))
        trade = page.url.rsplit("/", 1)[1]
        await visitor.check("contract")
    made = await ask(demo_server, "manager", "GET", f"/trades/{trade}")
    assert (made["buyer_id"], made["seller_id"], made["bales"]) == ("dealBuyer", "dealSeller", 100)


async def test_what_somebody_else_does_appears_by_a_hint(demo_server: Server) -> None:
    (partner, *_) = (await ask(demo_server, "manager", "GET", "/business_partners?limit=1"))["records"]
    async with visit(demo_server) as visitor:
        page = visitor.page
        await visitor.log_in("manager", f"#/records/business_partners/{partner['id']}")
        await expect(page.get_by_title("Changes appear at once")).to_be_visible()
        async with page.expect_request(lambda sent: "/business_partners/" in sent.url, timeout=15_000):
            # Live, a page reads by itself once a minute; within fifteen seconds only a hint makes it ask.
            await ask(
                demo_server, "admin", "PATCH", f"/business_partners/{partner['id']}", {"trade_name": "Renamed Mills"}
            )
        await expect(page.get_by_label("Trade name")).to_have_value("Renamed Mills")


async def test_photo_appears_with_its_inspection_once_it_has_arrived(demo_server: Server) -> None:
    login = {"username": "manager", "password": PASSWORD}
    async with demo_server.session.post("/api/v1/auth/login", json=login) as answer:
        token = (await answer.json())["access_token"]
    clerk = Clerk(demo_server, Actor("", "manager", ""), {"Authorization": f"Bearer {token}"})
    (grading, *_) = (await clerk.ask("GET", "/quality_inspections?limit=1")).json["records"]
    async with visit(demo_server) as visitor:
        page = visitor.page
        sender = await declare(clerk, picture(), id="deskPhoto", inspection_id=grading["id"])
        await visitor.log_in("manager", f"#/records/quality_inspections/{grading['id']}")
        photos = page.get_by_role("region", name="Pictures and papers")
        await expect(photos).to_be_visible()
        await expect(photos.get_by_role("img")).to_have_count(0)

        assert (await sender.send()).status == 204

        await expect(photos.get_by_role("img")).to_be_visible()
        width = "document.querySelector('.photos img').naturalWidth"
        await page.wait_for_function(f"{width} > 0")
        await visitor.check("photos")


async def test_what_is_owed_is_drawn_and_in_a_table_beside_it(demo_server: Server) -> None:
    async with visit(demo_server) as visitor:
        page = visitor.page
        assert demo_server.app is not None
        await desk.follow(demo_server.app[keys.DATABASE], ORG_ID)
        await visitor.log_in("manager", "#/owed")
        await expect(page.get_by_role("img", name="Open purchases and credit limits")).to_be_visible()
        lines = (await ask(demo_server, "manager", "GET", "/desk/exposure?limit=1000"))["lines"]
        table = page.get_by_role("table", name="Open purchases and credit limits")
        await expect(table.get_by_role("row")).to_have_count(len(lines) + 1)
        await expect(page.get_by_text("No invoice is open.")).to_be_visible()
        await visitor.check("owed")


async def test_jobs_are_shown_to_who_runs_the_house(demo_server: Server) -> None:
    async with visit(demo_server) as visitor:
        page = visitor.page
        await visitor.log_in("admin", "#/jobs")
        await expect(page.get_by_role("heading", name="Failed for good")).to_be_visible()
        await expect(page.get_by_text("Nothing failed for good.")).to_be_visible()
        await visitor.check("jobs")
