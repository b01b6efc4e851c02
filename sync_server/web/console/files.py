"""The console's files over HTTP: one page, and the scripts and styles that it is made of.

Owns: which files are served, under which type, for how long, and what the page may load.
Must not know: what is in them.
Invariant: nothing is served that was not in the folder when the process began, so that no path leads out of it; the page runs
no script and applies no style that is not a file of ours (tests/integration/test_console_files.py).

The folder of a script is named after a digest of all of them: modules name each other relatively, so a page never mixes two
versions, and a browser asks for each file once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from aiohttp import web

from sync_server.web import keys
from sync_server.web.answers import choose_coding, compress, is_current
from sync_server.wire.problems import Problem

FOLDER: Final = Path(__file__).parent.parent / "static" / "console"
PAGE: Final = "index.html"
VERSION: Final = "{version}"
"""What the page has in place of the digest."""

TYPES: Final[Mapping[str, str]] = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Files:
    """The files as the process found them; `page` names their folder, which is `version`."""

    version: str
    page: bytes
    parts: Mapping[str, bytes]

    @classmethod
    def of(cls, folder: Path) -> Files:
        """Read a folder of such files. Raises OSError."""
        parts = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in TYPES}
        page = (folder / PAGE).read_text(encoding="utf-8")
        digest = sha256(page.encode())
        for name, content in parts.items():
            digest.update(f"\0{name}\0{len(content)}\0".encode() + content)
        version = digest.hexdigest()[:16]
        return cls(version, page.replace(VERSION, version).encode(), parts)


@cache
def files() -> Files:
    """Give the console's files, read once in a process."""
    return Files.of(FOLDER)


@cache
def _compressed(name: str, coding: str) -> bytes:
    return compress(files().parts[name] if name != PAGE else files().page, coding)


def _policy(attachment_host: str | None) -> str:
    """Pictures of records come from the host that their links are to, if they have one of their own."""
    return POLICY if attachment_host is None else POLICY.replace("img-src 'self'", f"img-src 'self' {attachment_host}")


async def get_page(request: web.Request) -> web.StreamResponse:
    """GET /console, with If-None-Match."""
    version = files().version
    policy = _policy(request.app[keys.SETTINGS].attachment_host)
    headers = {"ETag": f'W/"{version}"', "Cache-Control": "no-cache", "Content-Security-Policy": policy}
    if is_current(request, version):
        return web.Response(status=304, headers=headers)
    return _answer(request, PAGE, files().page, "text/html", headers)


async def get_part(request: web.Request) -> web.StreamResponse:
    """GET /console/{version}/{name}: of another version than the server's there is nothing, so that none are mixed."""
    name = request.match_info["name"]
    content = files().parts.get(name)
    if content is None or request.match_info["version"] != files().version:
        raise Problem("not_found")
    return _answer(request, name, content, TYPES[Path(name).suffix], {"Cache-Control": FOR_EVER})


def _answer(request: web.Request, name: str, content: bytes, type: str, headers: Mapping[str, str]) -> web.Response:
    sent = {"Vary": "Accept-Encoding", **headers}
    coding = choose_coding(request.headers.get("Accept-Encoding", ""))
    if coding is not None:
        sent["Content-Encoding"] = coding
        content = _compressed(name, coding)
    return web.Response(body=content, content_type=type, charset="utf-8", headers=sent)
