"""The pages of the office in a real browser: the inbox, how syncing goes, the desk and the board, each by its main task."""

from __future__ import annotations

from typing import Any

from playwright.async_api import expect

from tests.harness.browser import visit
from tests.harness.servers import Server


async def ask(server: Server, username: str, method: str, path: str, body: Any = None, device: str = "") -> Any:
    """Ask as somebody does, over HTTP; with `device`: on that installation."""
    wanted = {"username": username, "password": "cotton-demo", **({"device": {"id": device}} if device else {})}
    async with server.session.post("/api/v1/auth/login", json=wanted) as answer:
        token = (await answer.json())["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    async with server.session.request(method, f"/api/v1{path}", json=body, headers=headers) as answer:
        assert answer.status < 300, await answer.text()
        return await answer.json()


def left(lot: dict[str, Any]) -> int:
    return int(lot["bales_offered"]) - int(lot["bales_sold"] or 0)


async def clash(server: Server) -> str:
    """Have agent1's phone sell 20 bales more of a lot than the office has just left of it; give the lot."""
    exchange = ("POST", "/sync/exchange")
    version = (await ask(server, "agent1", "GET", "/sync/schema"))["version"]
    first = {"push_id": "a", "last_pulled_at": None, "schema_version": version, "migration": None, "changes": {}}
    pulled = await ask(server, "agent1", *exchange, first, "the-phone")
    lots = pulled["changes"]["availabilities"]
    lot = next(lot for lot in [*lots["created"], *lots["updated"]] if lot["state"] == "active" and left(lot) > 30)
    await ask(server, "manager", "PATCH", f"/availabilities/{lot['id']}", {"bales_sold": lot["bales_offered"] - 10})
    edit = {"id": lot["id"], "bales_sold": lot["bales_sold"] + 20, "_status": "updated", "_changed": "bales_sold"}
    changes = {"availabilities": {"created": [], "updated": [edit], "deleted": []}}
    second = {**first, "push_id": "b", "last_pulled_at": pulled["timestamp"], "changes": changes}
    told = await ask(server, "agent1", *exchange, second, "the-phone")
    assert told["verdicts"][0]["verdict"] == "parked", told["verdicts"]
    return str(lot["id"])


async def test_what_waits_is_shown_side_by_side_and_settled_by_one_click(demo_server: Server) -> None:
    lot = await clash(demo_server)
    async with visit(demo_server) as visitor:
        page = visitor.page
        await visitor.log_in("manager", "#/inbox")
        issue = page.get_by_role("article")
        await expect(issue).to_have_count(1)
        await expect(issue.get_by_role("columnheader", name="As its author wanted")).to_be_visible()
        await expect(issue.get_by_role("row", name="Bales sold").locator(".differs")).to_have_count(2)
        await visitor.check("inbox")
        await issue.get_by_role("button", name="Leave as it is at the server").click()

        await expect(page.get_by_text("Nothing waits for you.")).to_be_visible()
    (settled,) = (await ask(demo_server, "manager", "GET", f"/sync_issues?record_id={lot}"))["records"]
    assert settled["state"] == "accepted_ours"


async def test_what_waits_is_done_with_an_edit(demo_server: Server) -> None:
    lot = await clash(demo_server)
    sold = (await ask(demo_server, "manager", "GET", f"/availabilities/{lot}"))["bales_offered"] - 5
    async with visit(demo_server) as visitor:
        page = visitor.page
        await visitor.log_in("manager", "#/inbox")
        await page.get_by_role("button", name="Edit").click()
        await page.get_by_label("Bales sold").fill(str(sold))
        await page.get_by_role("button", name="Do it with my edit").click()

        await expect(page.get_by_text("Nothing waits for you.")).to_be_visible()
    assert (await ask(demo_server, "manager", "GET", f"/availabilities/{lot}"))["bales_sold"] == sold


async def test_a_device_is_found_explained_and_shut_out(demo_server: Server) -> None:
    lot = await clash(demo_server)
    async with visit(demo_server) as visitor:
        page = visitor.page
        await visitor.log_in("admin", "#/health")
        await expect(page.get_by_role("img", name="Pushes and devices by hour")).to_be_visible()
        await visitor.check("health")
        await page.get_by_role("link", name="the-phone").click()
        await expect(page.get_by_role("cell", name="logged_in").first).to_be_visible()
        await page.get_by_label("Table").select_option("availabilities")
        await page.get_by_label("Id of the record").fill(lot)
        await page.get_by_role("button", name="Explain").click()
        await expect(page.locator("pre")).to_contain_text("conclusion")
        await visitor.check("device")
        await page.get_by_role("button", name="Shut out").click()
        await page.get_by_role("button", name="Sure? Shut it out").click()

        await expect(page.get_by_text("The device is shut out.")).to_be_visible()
    assert (await ask(demo_server, "admin", "GET", "/devices/the-phone"))["state"] == "revoked"


async def test_desk_adds_up_positions_and_leads_to_the_trade(demo_server: Server) -> None:
    async with visit(demo_server) as visitor:
        page = visitor.page
        await visitor.log_in("manager", "#/desk")
        await expect(page.get_by_role("region", name="Positions").get_by_role("row").nth(1)).to_be_visible()
        await visitor.check("desk")
        await page.get_by_role("region", name="Trade").get_by_role("link").first.click()

        await expect(page.get_by_role("link", name="Back to the list")).to_be_visible()


async def test_a_lorry_is_moved_on_the_board(demo_server: Server) -> None:
    async with visit(demo_server) as visitor:
        page = visitor.page
        await visitor.log_in("manager", "#/board")
        column = page.get_by_role("region", name="loaded")
        await expect(page.locator(".column")).not_to_have_count(0)
        await visitor.check("board")
        await column.get_by_role("button").first.click()

        await expect(page.get_by_role("status").filter(has_text="Now:")).to_be_visible()


async def submitted_partner(server: Server) -> str:
    """Give the name of a partner that waits for approval; one is submitted first."""
    drafts = (await ask(server, "manager", "GET", "/business_partners?state=draft"))["records"]
    await ask(server, "manager", "PATCH", f"/business_partners/{drafts[0]['id']}", {"state": "submitted"})
    return str(drafts[0]["legal_name"])


async def test_a_partner_is_approved_and_its_papers_are_verified(demo_server: Server) -> None:
    name = await submitted_partner(demo_server)
    async with visit(demo_server) as visitor:
        page = visitor.page
        await visitor.log_in("manager", "#/partners")
        waiting = page.get_by_role("region", name="Waiting for approval")
        await visitor.check("partners")
        await waiting.get_by_role("button", name=f"approved: {name}").click()
        await expect(page.get_by_role("status").filter(has_text="approved")).to_be_visible()
        await waiting.get_by_role("button", name=f"verified: {name}").click()

        await expect(waiting.get_by_role("link", name=name)).to_have_count(0)
    (partner,) = [
        each
        for each in (await ask(demo_server, "manager", "GET", "/business_partners?state=approved&limit=200"))["records"]
        if each["legal_name"] == name
    ]
    assert partner["kyc_state"] == "verified"


async def test_a_session_of_somebody_is_ended(demo_server: Server) -> None:
    await ask(demo_server, "agent2", "GET", "/me", device="the-lost-phone")
    async with visit(demo_server) as visitor:
        page = visitor.page
        await visitor.log_in("admin", "#/people")
        await visitor.check("people")
        await page.get_by_role("link", name="Hetal Sorathiya").click()
        row = page.get_by_role("region", name="Sessions").get_by_role("row", name="the-lost-phone")
        await visitor.check("person")
        await row.get_by_role("button", name="End").click()
        await row.get_by_role("button", name="End?").click()

        await expect(row).to_have_count(0)


async def test_audit_trail_is_filtered_by_who_and_tells_the_change(demo_server: Server) -> None:
    (partner,) = (await ask(demo_server, "manager", "GET", "/business_partners?limit=1"))["records"]
    await ask(demo_server, "manager", "PATCH", f"/business_partners/{partner['id']}", {"trade_name": "Newly named"})
    async with visit(demo_server) as visitor:
        page = visitor.page
        await visitor.log_in("auditor", "#/audit")
        await page.get_by_label("Who").fill("manager")
        await page.get_by_label("Table").select_option("business_partners")
        await page.get_by_role("button", name="Filter").click()

        row = page.get_by_role("row").filter(has_text="Newly named")
        await expect(row).to_contain_text("Dipak Mehta")
        await expect(row).to_contain_text("changed")
        await visitor.check("audit")
