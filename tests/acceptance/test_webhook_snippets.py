"""What docs/INTEGRATING.md tells receivers to do verifies what the server sends, and nothing else."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mobile.node import ready_sdk
from sync_server.identity.webhook_secrets import make_secret, sign
from tests.acceptance.test_docs import blocks
from tests.acceptance.test_watermelondb import run_node
from tests.harness.endpoints import Endpoint, Works, endpoint_here, works_of
from tests.harness.world import House

DOCUMENT = "docs/INTEGRATING.md"


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with endpoint_here() as here:
        yield here


@pytest.fixture
async def works(house: House, tmp_path: Path) -> AsyncIterator[Works]:
    async with works_of(house, tmp_path) as running:
        yield running


def code(language: str) -> str:
    (block,) = [block for block in blocks(DOCUMENT) if block.language == language]
    return block.code


def python_reader() -> Callable[[str, Mapping[str, str], bytes], dict[str, Any]]:
    names: dict[str, Any] = {}
    exec(compile(code("python"), DOCUMENT, "exec"), names)  # as a reader would paste it
    return lambda *given: names["read_webhook"](*given)


def forged(secret: str, headers: Mapping[str, str], body: bytes) -> list[tuple[str, dict[str, str], bytes]]:
    """Give what must be refused: changed, moved to another id, held back, signed by somebody else."""
    old = int(time.time()) - 400
    resigned = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(old),
        "webhook-signature": sign([secret], "msg_1", old, body),
    }
    return [
        (secret, dict(headers), body + b" "),
        (secret, {**headers, "webhook-id": "msg_other"}, body),
        (secret, {**headers, "webhook-signature": "v1,AAAA"}, body),
        (secret, {name: value for name, value in headers.items() if name != "webhook-timestamp"}, body),
        (secret, {**headers, "webhook-timestamp": "soon"}, body),
        (secret, resigned, body),
        (make_secret(), dict(headers), body),
    ]


async def test_both_snippets_verify_what_is_sent_and_nothing_else(
    works: Works, endpoint: Endpoint, tmp_path: Path
) -> None:
    _, secret = await works.subscribe(endpoint.url, "business_partners.*")
    await works.house.fetch("UPDATE business_partners SET remarks = 'कपास' WHERE id = 'p1'")
    await works.round()
    (taken,) = endpoint.taken
    refused = forged(secret, taken.headers, taken.body)
    read = python_reader()

    assert read(secret, taken.headers, taken.body) == taken.message
    for given in refused:
        with pytest.raises(Exception, match=r"header|signature"):
            read(*given)
    assert (
        await in_typescript(tmp_path, [(secret, taken.headers, taken.body), *refused]) == [taken.message] + [None] * 7
    )


async def in_typescript(folder: Path, asked: list[tuple[str, dict[str, str], bytes]]) -> list[Any]:
    """Have the snippet in TypeScript read messages; None: it refused."""
    sdk = await asyncio.to_thread(ready_sdk)
    (folder / "snippet.ts").write_text(code("ts"))
    (folder / "asked.json").write_text(
        json.dumps([(secret, headers, body.decode()) for secret, headers, body in asked])
    )
    (folder / "main.ts").write_text(
        "import { readFileSync, writeFileSync } from 'node:fs'\n"
        "import { NotGenuine, readWebhook } from './snippet.js'\n"
        "type Asked = [string, Record<string, string>, string]\n"
        "const asked = JSON.parse(readFileSync(process.argv[2] + '/asked.json', 'utf8')) as Asked[]\n"
        "const read = asked.map(([secret, headers, body]) => {\n"
        "  try { return readWebhook(secret, headers, Buffer.from(body)) }\n"
        "  catch (fault) { if (fault instanceof NotGenuine) return null; throw fault }\n"
        "})\n"
        "writeFileSync(process.argv[2] + '/read.json', JSON.stringify(read))\n"
    )
    (folder / "node_modules").symlink_to(sdk / "node_modules")
    (folder / "package.json").write_text('{"type": "module"}')
    settings = {"extends": str(sdk / "tsconfig.json"), "include": ["*.ts"]}
    options = {"rootDir": str(folder), "outDir": str(folder / "out"), "declaration": False}
    (folder / "tsconfig.json").write_text(json.dumps({**settings, "compilerOptions": options}))
    await run_node("node_modules/typescript/bin/tsc", "--project", str(folder), flags=())
    await run_node(str(folder / "out" / "main.js"), str(folder), flags=())
    found: list[Any] = json.loads((folder / "read.json").read_text())
    return found
