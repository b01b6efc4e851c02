"""Clients that ordinary generators make of the document: they are typed, whole, and work against a server."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from mobile.node import find_node
from sync_server.web.openapi import described
from sync_server.web.routes import ROUTES
from sync_server.wire.openapi.attachments import FILE_TYPES, PART_TYPE
from sync_server.wire.openapi.document import document
from sync_server.wire.table_files.shapes import KINDS
from tests.harness.generators import CLIENTS, ready_python, ready_typescript, run
from tests.harness.servers import PASSWORD, Server

WHO = ("agent1", PASSWORD)
ANY_BYTES = "application/octet-stream"
FILES = ("text/plain", PART_TYPE, *FILE_TYPES, *(kind.media_type for kind in KINDS.values()))
"""Types that the Python generator does not know; to a program they are bytes."""


@pytest.fixture
def openapi(tmp_path: Path) -> Path:
    written = tmp_path / "openapi.json"
    written.write_text(json.dumps(document(described(ROUTES))))
    return written


async def test_a_generated_python_client_logs_in_lists_and_creates(
    demo_server: Server, openapi: Path, tmp_path: Path
) -> None:
    settings = tmp_path / "generator.json"
    settings.write_text(json.dumps({"post_hooks": [], "content_type_overrides": dict.fromkeys(FILES, ANY_BYTES)}))
    client = tmp_path / "cotton_client"
    generator = (sys.executable, "-m", "openapi_python_client", "generate", "--path", openapi, "--fail-on-warning")
    named = ("--output-path", client, "--meta", "none", "--config", settings)

    await run(*generator, *named, cwd=tmp_path, path=ready_python())
    said = await run(*(sys.executable, CLIENTS / "program.py", demo_server.url, *WHO), cwd=tmp_path, path=tmp_path)

    done = json.loads(said)
    assert (len(done["names"]), done["state"], done["missing"]) == (3, "draft", "not_found")
    assert await _made(demo_server, done["id"]) == "Typed Ginning"


async def test_a_typescript_program_compiles_and_runs_by_generated_types(
    demo_server: Server, openapi: Path, tmp_path: Path
) -> None:
    packages, node = ready_typescript(), find_node()
    shutil.copy(CLIENTS / "program.ts", tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    strict = ("--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom", "--types", "node")
    types = ("--typeRoots", CLIENTS.parents[2] / "mobile/sdk/node_modules/@types")

    await run(node, packages / "openapi-typescript/bin/cli.js", openapi, "-o", tmp_path / "api.ts", cwd=tmp_path)
    await run(node, packages / "typescript/bin/tsc", *strict, *types, tmp_path / "program.ts", cwd=tmp_path)
    said = await run(node, tmp_path / "program.js", demo_server.url, *WHO, cwd=tmp_path)

    done = json.loads(said)
    assert (len(done["names"]), done["state"]) == (3, "draft")
    assert await _made(demo_server, done["id"]) == "Typed Ginning"


async def _made(server: Server, id: str) -> str:
    headers = await server.bearer(WHO[0])
    async with server.session.get(f"/api/v1/business_partners/{id}", headers=headers) as answer:
        return str((await answer.json())["legal_name"])
