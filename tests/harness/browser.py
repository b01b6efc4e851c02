"""A person at the console, for tests: Debian's Chromium, driven by Playwright.

Owns: starting the browser, logging in, keeping what went wrong in the page, axe-core, screenshots.
Must not know: any page of the console.
Invariant: a page that wrote an error to its console, or raised one, fails the test at its end, whatever else was shown.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playwright.async_api import ConsoleMessage, Page, async_playwright

from mobile.node import find_node
from tests.harness.servers import PASSWORD, Server

ROOT: Final = Path(__file__).parents[2]
AXE: Final = Path(__file__).parent / "axe"
SHOTS: Final = ROOT / "build" / "console"
CHROMIUM: Final = next((path for path in ("chromium", "chromium-browser", "google-chrome") if shutil.which(path)), None)
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
REFUSED: Final = "Failed to load resource: the server responded with a status of 4"
"""What the browser itself writes of every refusal; the page shows them in words."""


@dataclass
class Visitor:
    """A browser with one page over `server`."""

    page: Page
    server: Server
    wrong: list[str] = field(default_factory=list)

    async def log_in(self, username: str, at: str = "") -> None:
        """Open the console and log in, as a person does; `at`: the page to go to."""
        await self.page.goto(f"{self.server.url}/console{at}")
        await self.page.get_by_label("Login name").fill(username)
        await self.page.get_by_label("Password").fill(PASSWORD)
        await self.page.get_by_role("button", name="Log in").click()
        await self.page.get_by_role("button", name="Log out").wait_for()

    async def check(self, name: str) -> None:
        """Keep a screenshot, and fail on what axe-core finds serious or critical, in light and dark."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=SHOTS / f"{name}.png", full_page=True)
        for scheme in ("dark", "light"):
            await self.page.emulate_media(color_scheme=scheme)
            found = await self._axe()
            bad = [
                (one["id"], node["html"], node["failureSummary"])
                for one in found["violations"]
                if one["impact"] in ("serious", "critical")
                for node in one["nodes"][:3]
            ]
            assert not bad, (scheme, bad)

    async def _axe(self) -> Any:
        source = await asyncio.to_thread(axe_source)
        await self.page.evaluate(source)
        return json.loads(await self.page.evaluate("axe.run().then((found) => JSON.stringify(found))"))

    async def first_paint_ms(self) -> float:
        """Give when the page first showed something, in ms since it was asked for."""
        script = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1"
        return float(await self.page.evaluate(script))


def axe_source() -> str:
    """Give axe-core, installed on first use. Raises: NodeMissing; CalledProcessError."""
    script = AXE / "node_modules" / "axe-core" / "axe.min.js"
    with (AXE / "package.json").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not script.exists():
            folder = Path(find_node()).parent
            path = f"{folder}{os.pathsep}{os.environ['PATH']}"
            command = [shutil.which("npm", path=path) or "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=AXE, env={**os.environ, "PATH": path}, check=True, timeout=300)
    return script.read_text()


@asynccontextmanager
async def visit(server: Server, **options: Any) -> AsyncIterator[Visitor]:
    """Open a browser with one page; `options`: of the browser's context (locale, viewport)."""
    assert CHROMIUM is not None, "Chromium is missing: apt install chromium"
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=shutil.which(CHROMIUM), headless=True, args=[*FLAGS])
        context = await browser.new_context(
            **{"locale": "en-IN", "viewport": {"width": 1280, "height": 860}, **options}
        )
        page = await context.new_page()
        page.set_default_timeout(15_000)
        visitor = Visitor(page, server)
        page.on("console", lambda said: _hear(visitor, said))
        page.on("pageerror", lambda error: visitor.wrong.append(str(error)))
        try:
            yield visitor
            assert not visitor.wrong, visitor.wrong
        finally:
            await browser.close()


def _hear(visitor: Visitor, said: ConsoleMessage) -> None:
    if said.type in ("error", "warning") and not said.text.startswith(REFUSED):
        visitor.wrong.append(said.text)
