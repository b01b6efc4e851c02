"""The page of the API in a real browser: a login, the document, a search, and nothing from elsewhere."""

from __future__ import annotations

from playwright.async_api import expect

from tests.harness.browser import visit
from tests.harness.servers import PASSWORD, Server


async def test_a_person_logs_in_finds_an_operation_and_leaves_no_session(demo_server: Server) -> None:
    asked: list[str] = []
    async with visit(demo_server) as visitor:
        page = visitor.page
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(f"{demo_server.url}/docs")
        await page.get_by_label("Username").fill("agent1")
        await page.get_by_label("Password").fill("not this one")
        await page.get_by_role("button").click()
        await expect(page.get_by_role("alert")).to_contain_text("try again")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.keyboard.press("Enter")

        await page.get_by_label("Search").fill("createtrade")
        await expect(page.locator("#listBranches")).to_be_hidden()
        await page.locator("#createTrade summary").click()

        await expect(page.locator("#createTrade")).to_contain_text("price_per_candy")
        await expect(page.locator("#createTrade")).to_contain_text("unknown_reference")
    assert {url.startswith(demo_server.url) for url in asked} == {True}
    assert asked[-1].endswith("/api/v1/auth/logout")
