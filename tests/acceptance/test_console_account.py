"""One's own account, webhooks and privacy in a real browser, each by its main task."""

from __future__ import annotations

import pyotp
from playwright.async_api import expect

from tests.acceptance.test_console_office import ask
from tests.harness.browser import visit
from tests.harness.servers import PASSWORD, Server


async def test_one_chooses_how_one_is_told_and_what_one_agrees_to(demo_server: Server) -> None:
    async with visit(demo_server) as visitor:
        page = visitor.page
        await visitor.log_in("manager", "#/account")
        form = page.get_by_role("form", name="How I am told")
        await form.get_by_label("By e-mail").select_option("daily")
        await form.get_by_label("Daily mail at").fill("18:30")
        await form.get_by_label("On my phone").uncheck()
        await form.get_by_role("button", name="Save").click()
        await expect(form.get_by_text("Saved.")).to_be_visible()
        await page.get_by_role("button", name="Object: location").click()
        await expect(page.get_by_text("You object.")).to_be_visible()
        await visitor.check("account")
    wishes = await ask(demo_server, "manager", "GET", "/me/notices")
    assert (wishes["email"], wishes["daily_at"], wishes["push"]) == ("daily", "18:30", False)
    consents = await ask(demo_server, "manager", "GET", "/me/consents")
    assert [one["given"] for one in consents["purposes"]] == [False, None]


async def test_one_ends_other_sessions_and_changes_ones_password(demo_server: Server) -> None:
    await ask(demo_server, "agent1", "GET", "/me")
    async with visit(demo_server) as visitor:
        page = visitor.page
        await visitor.log_in("agent1", "#/account")
        await page.get_by_role("button", name="End all others").click()
        await page.get_by_role("button", name="End all others?").click()
        await expect(page.get_by_text("This one")).to_be_visible()
        await expect(page.get_by_role("region", name="Sessions").get_by_role("row")).to_have_count(2)
        form = page.get_by_role("form", name="Password")
        await form.get_by_label("Password until now").fill(PASSWORD)
        await form.get_by_label("New password").fill("monsoon over Gondal 27")
        await form.get_by_role("button", name="Change the password").click()
        await expect(page.get_by_text("The password is changed")).to_be_visible()
    credentials = {"username": "agent1", "password": "monsoon over Gondal 27"}
    async with demo_server.session.post("/api/v1/auth/login", json=credentials) as answer:
        assert answer.status == 200


async def test_one_sets_up_an_authenticator_app(demo_server: Server) -> None:
    async with visit(demo_server) as visitor:
        page = visitor.page
        await visitor.log_in("agent1", "#/account")
        await page.get_by_role("button", name="Set up an authenticator app").click()
        form = page.get_by_role("form", name="Authenticator app")
        secret = await form.locator("code").inner_text()
        await form.get_by_label("Code of the authenticator app").fill(pyotp.TOTP(secret).now())
        await form.get_by_role("button", name="Confirm").click()
        await expect(page.get_by_text("From now on a code is asked for.")).to_be_visible()
        assert await page.locator("li code").count() == 10
        await visitor.check("totp")


async def test_a_webhook_is_made_paused_and_removed(demo_server: Server) -> None:
    async with visit(demo_server) as visitor:
        page = visitor.page
        await visitor.log_in("admin", "#/webhooks")
        form = page.get_by_role("form", name="New webhook")
        await form.get_by_label("URL").fill("https://example.com/in")
        await form.get_by_label("Name").fill("Accounts")
        await form.get_by_label("Events").fill("trades.*, invoices.created")
        await form.get_by_role("button", name="Make the webhook").click()
        await expect(page.get_by_text("The secret, shown this once: whsec_")).to_be_visible()
        await visitor.check("webhooks")
        (made,) = (await ask(demo_server, "admin", "GET", "/webhooks"))["webhooks"]
        assert made["events"] == ["trades.*", "invoices.created"]
        await page.get_by_role("link", name="Accounts").click()
        await page.get_by_role("button", name="Pause").click()
        await expect(page.get_by_role("button", name="Resume")).to_be_visible()
        await visitor.check("webhook")
        await page.get_by_role("button", name="Remove").click()
        await page.get_by_role("button", name="Remove?").click()
        await expect(form).to_be_visible()
    assert (await ask(demo_server, "admin", "GET", "/webhooks"))["webhooks"] == []


async def test_a_person_is_forgotten_after_two_clicks_and_a_request_refused_with_a_reason(demo_server: Server) -> None:
    branch = (await ask(demo_server, "manager", "GET", "/branches?limit=1"))["records"][0]["id"]
    for id in ("farmer", "trader"):
        body = {"id": id, "branch_id": branch, "legal_name": f"Zubeida {id}", "kind": '["seller"]'}
        await ask(demo_server, "manager", "POST", "/business_partners", body)
        asked = {"table": "business_partners", "id": id, "reason": "asks for it"}
        await ask(demo_server, "manager", "POST", "/privacy/requests", asked)
    async with visit(demo_server) as visitor:
        page = visitor.page
        await visitor.log_in("admin", "#/privacy")
        await visitor.check("privacy")
        row = page.get_by_role("row").filter(has_text="farmer")
        await row.get_by_role("button", name="Forget the person").click()
        await row.get_by_role("button", name="Sure?").click()
        await expect(row.get_by_text("done")).to_be_visible()
        other = page.get_by_role("row").filter(has_text="trader")
        await other.get_by_label("Why not").fill("A payment is due.")
        await other.get_by_role("button", name="Refuse").click()
        await expect(other.get_by_text("refused")).to_be_visible()
    assert (await ask(demo_server, "manager", "GET", "/business_partners/farmer"))["legal_name"] == "erased"
    assert (await ask(demo_server, "manager", "GET", "/business_partners/trader"))["legal_name"] == "Zubeida trader"
