"""The page of the API: complete without a network, and bound to its own files."""

from __future__ import annotations

import re

import pytest

from sync_server.web.docs_page import FILES
from tests.harness.servers import Server

PAGES = {"/docs": "text/html", "/docs/docs.js": "text/javascript", "/docs/docs.css": "text/css"}


@pytest.mark.parametrize("path", PAGES)
async def test_a_stranger_gets_the_page_under_a_strict_policy(server: Server, path: str) -> None:
    async with server.session.get(path) as answer:
        policy = answer.headers["Content-Security-Policy"]

        assert (answer.status, answer.content_type, answer.charset) == (200, PAGES[path], "utf-8")
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert await answer.text()


@pytest.mark.parametrize("path", PAGES)
async def test_a_file_that_has_not_changed_is_not_sent_again(server: Server, path: str) -> None:
    async with (
        server.session.get(path) as first,
        server.session.get(path, headers={"If-None-Match": first.headers["ETag"]}) as again,
    ):
        assert (again.status, await again.text()) == (304, "")


async def test_the_page_names_only_files_that_are_there(server: Server) -> None:
    page = (FILES / "index.html").read_text()
    named = re.findall(r'(?:src|href)="([^"]*)"', page)

    assert sorted(named) == sorted(path for path in PAGES if path != "/docs")
    assert {path.name for path in FILES.iterdir()} == {"index.html", *(name.rsplit("/", 1)[1] for name in named)}


def test_no_file_loads_anything_from_elsewhere_or_writes_markup() -> None:
    for path in FILES.iterdir():
        assert not re.search(r"https?://|//cdn|@import|innerHTML|eval\(|<style|\son\w+=", path.read_text()), path.name
