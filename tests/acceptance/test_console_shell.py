"""The console in a real browser: getting in, finding one's way, and every entity's list and form.

What a person does is done here by clicks and keys; axe-core and the browser's console judge the rest.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pyotp
import pytest
from playwright.async_api import expect

from sync_server.web.console.files import FOLDER
from tests.harness.browser import Visitor, visit
from tests.harness.servers import Server


async def test_a_person_logs_in_and_sees_what_they_have_a_right_to(demo_server: Server) -> None:
    async with visit(demo_server) as visitor:
        page = visitor.page
        await page.goto(f"{demo_server.url}/console")
        await expect(page.get_by_label("Login name")).to_be_focused()
        await visitor.check("login")
        print(f"first contentful paint: {await visitor.first_paint_ms():.0f} ms")
        await page.get_by_label("Login name").fill("manager")
        await page.get_by_label("Password").fill("not this one")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_contain_text("Login name or password is wrong.")
        await visitor.log_in("agent1", "#/records/trades")

        await expect(page.get_by_role("heading", name="Trade", level=1)).to_be_focused()
        await expect(page.get_by_role("link", name="Business partner", exact=True)).to_be_visible()
        await expect(page.get_by_role("link", name="Role", exact=True)).to_have_count(0)
        await expect(page.get_by_role("row")).not_to_have_count(0)
        await visitor.check("list")
        assert await page.evaluate("document.cookie + JSON.stringify({...localStorage, ...sessionStorage})") == "{}"


async def test_second_factor_is_asked_for_and_taken(demo_server: Server) -> None:
    headers = {"Authorization": f"Bearer {await demo_server.login('manager')}"}
    async with demo_server.session.post("/api/v1/auth/totp", headers=headers, json={}) as answer:
        secret = (await answer.json())["secret"]
    authenticator = pyotp.TOTP(secret)
    body = {"code": authenticator.now()}
    async with demo_server.session.post("/api/v1/auth/totp/confirm", headers=headers, json=body) as answer:
        assert answer.status == 200, await answer.text()
    async with visit(demo_server) as visitor:
        page = visitor.page
        await page.goto(f"{demo_server.url}/console")
        await page.get_by_label("Login name").fill("manager")
        await page.get_by_label("Password").fill("cotton-demo")
        await page.get_by_role("button", name="Log in").click()
        code = page.get_by_label(re.compile("authenticator"))
        await expect(code).to_be_focused()
        await visitor.check("second-factor")
        await code.fill(authenticator.at(int(time.time()) + 30))
        await page.keyboard.press("Enter")

        await expect(page.get_by_role("button", name="Log out")).to_be_visible()


async def test_keyboard_skips_the_navigation_and_words_change_to_hindi(demo_server: Server) -> None:
    async with visit(demo_server) as visitor:
        page = visitor.page
        await visitor.log_in("manager", "#/records/business_partners")
        await page.locator(".brand").click()
        await page.keyboard.press("Shift+Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator("main")).to_be_focused()

        await page.get_by_label("Language").select_option("hi")

        await expect(page.get_by_role("heading", name="पार्टी", level=1)).to_be_visible()
        await expect(page.get_by_role("columnheader", name="क़ानूनी नाम")).to_be_visible()
        assert await page.evaluate("document.documentElement.lang") == "hi"
        await visitor.check("list-hindi")


async def test_a_record_is_made_edited_moved_and_deleted(demo_server: Server) -> None:
    async with visit(demo_server) as visitor:
        page = visitor.page
        await visitor.log_in("manager", "#/records/business_partners")
        await page.get_by_role("link", name="New").click()
        await page.get_by_label("Legal name").fill("Aarav Ginning Pvt Ltd")
        await page.get_by_role("checkbox", name="ginner").check()
        await page.locator("select[name=branch_id]").select_option(index=1)
        await visitor.check("form")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("heading", name="Aarav Ginning Pvt Ltd")).to_be_visible()

        await page.get_by_label("Trade name").fill("Aarav")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
        await page.get_by_role("link", name="Back to the list").click()
        await page.get_by_label("Search").fill("aarav")
        await page.keyboard.press("Enter")
        await page.get_by_role("link", name="Aarav Ginning Pvt Ltd").click()
        await page.get_by_role("button", name="Delete").click()
        await page.get_by_role("button", name="Sure? Delete it").click()
        await expect(page.get_by_role("heading", name="Business partner", level=1)).to_be_visible()


async def first_partner(visitor: Visitor) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {await visitor.server.login('manager')}"}
    async with visitor.server.session.get("/api/v1/business_partners?limit=1", headers=headers) as answer:
        return dict((await answer.json())["records"][0])


async def change_elsewhere(visitor: Visitor, id: str, **values: str) -> None:
    headers = {"Authorization": f"Bearer {await visitor.server.login('manager')}"}
    path = f"/api/v1/business_partners/{id}"
    async with visitor.server.session.patch(path, headers=headers, json=values) as answer:
        assert answer.status == 200, await answer.text()


async def test_a_clash_is_shown_side_by_side_and_nothing_is_lost_silently(demo_server: Server) -> None:
    async with visit(demo_server) as visitor:
        page, partner = visitor.page, await first_partner(visitor)
        await visitor.log_in("manager", f"#/records/business_partners/{partner['id']}")
        await page.get_by_label("Trade name").fill("Mine")
        await change_elsewhere(visitor, partner["id"], trade_name="Theirs")
        await page.get_by_role("button", name="Save").click()

        clash = page.get_by_role("region", name="Somebody changed this meanwhile").first
        await expect(clash).to_contain_text("Mine")
        await expect(clash).to_contain_text("Theirs")
        await visitor.check("clash")
        await page.get_by_role("button", name="Keep mine").click()
        await expect(page.get_by_label("Trade name")).to_have_value("Mine")


async def test_what_changes_elsewhere_appears_without_reloading(demo_server: Server) -> None:
    async with visit(demo_server) as visitor:
        partner = await first_partner(visitor)
        await visitor.log_in("manager", f"#/records/business_partners/{partner['id']}")
        await change_elsewhere(visitor, partner["id"], trade_name="Seen at once")

        await expect(visitor.page.get_by_label("Trade name")).to_have_value("Seen at once")


async def test_session_that_was_ended_leads_back_to_the_login(demo_server: Server) -> None:
    async with visit(demo_server) as visitor:
        await visitor.log_in("manager", "#/records/branches")
        headers = {"Authorization": f"Bearer {await demo_server.login('manager')}"}
        async with demo_server.session.delete("/api/v1/auth/sessions", headers=headers) as answer:
            assert answer.status in (200, 204)

        await expect(visitor.page.get_by_text("Your session has ended.")).to_be_visible()


async def test_on_a_tablet_the_menu_opens_by_a_tap(demo_server: Server) -> None:
    async with visit(demo_server, viewport={"width": 800, "height": 1100}, has_touch=True) as visitor:
        page = visitor.page
        await visitor.log_in("agent1", "#/records/trades")
        await page.get_by_role("button", name="Menu").tap()
        await visitor.check("tablet")
        await page.get_by_role("link", name="Requirement", exact=True).tap()
        await expect(page.get_by_role("heading", name="Requirement", level=1)).to_be_visible()


@pytest.mark.parametrize("name", ["en.js", "hi.js"])
def test_every_word_that_is_used_is_in_both_languages(name: str) -> None:
    known = set(re.findall(r"^  (\w+): '", (FOLDER / name).read_text(), re.MULTILINE))
    other = set(re.findall(r"^  (\w+): '", (FOLDER / "en.js").read_text(), re.MULTILINE))
    used = {
        key
        for path in Path(FOLDER).glob("*.js")
        if path.name != "vendor.js"
        for key in re.findall(r"\bt\('(\w+)'", path.read_text())
    }

    assert known == other
    assert used <= known
