"""The real WatermelonDB, in Node with its SQLite and LokiJS adapters, syncs with a running server.

Each file of mobile/sdk/test/server is run by `node --test` against a server and a demo database of its own; what it shows is
said at its head. `mobile.node.ready_sdk` installs and compiles the SDK first.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import pytest

from erp_core.access import CODES
from erp_core.catalogue import SYNCED
from mobile.node import SDK, find_node, ready_sdk
from sync_server.operate.seed import seed_demo
from tests.harness.servers import Server, serve_here

LARGE = 20_000
NODE_SECONDS_MAX = 300.0


TESTING = ("--test", "--test-force-exit", "--test-reporter=spec")


async def run_node(*arguments: str, flags: Sequence[str] = TESTING, **environment: str) -> None:
    """Run compiled Node tests in the SDK's folder; a failure shows what they printed."""
    await asyncio.to_thread(ready_sdk)
    node = await asyncio.create_subprocess_exec(
        *(find_node(), *flags, *arguments),
        cwd=SDK,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        printed, _ = await asyncio.wait_for(node.communicate(), NODE_SECONDS_MAX)
    finally:
        if node.returncode is None:
            node.kill()
            await node.wait()
    assert node.returncode == 0, printed.decode(errors="replace")[-20_000:]


async def test_the_sdk_reads_and_writes_columns_and_speaks_the_documented_requests() -> None:
    await run_node("dist/test/unit/fields.test.js", "dist/test/unit/sync.test.js")


async def test_the_example_of_the_readme_compiles(tmp_path: Path) -> None:
    sdk = await asyncio.to_thread(ready_sdk)
    blocks = re.findall(r"```ts\n(.*?)```", (sdk / "README.md").read_text(), re.DOTALL)
    imports, code = blocks[0].split("\n\n", 1)
    (tmp_path / "readme.ts").write_text(f"{imports}\nexport async function start() {{\n{code}}}\n")
    (tmp_path / "node_modules").symlink_to(sdk / "node_modules")
    options = {"noEmit": True, "rootDir": "/", "paths": {"@cotton-sync/sdk": [str(sdk / "src" / "index.ts")]}}
    settings = {"extends": str(sdk / "tsconfig.json"), "compilerOptions": options, "include": ["readme.ts"]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(settings))

    await run_node("node_modules/typescript/bin/tsc", "--project", str(tmp_path), flags=())


async def let_agents_do_everything(database_url: str) -> None:
    """Give the agents of the demo every code in the whole organisation: what is tested here is not what they may.

    But for one: who may resolve others' issues gets them, too.
    """
    connection = await asyncpg.connect(database_url)
    org_id = await connection.fetchval("SELECT org_id FROM login_name WHERE username = 'agent1'")
    codes = sorted(code for code in CODES if not code.startswith("external.") and code != "sync.resolve")
    await connection.execute(
        "INSERT INTO roles (org_id, id, title, codes) VALUES ($1, 'everything', 'Everything', $2)", org_id, codes
    )
    await connection.execute(
        "INSERT INTO grants (org_id, id, user_id, role_id) SELECT $1, 'all-' || id, id, 'everything' FROM users"
        " WHERE org_id = $1 AND id LIKE 'agent%'",
        org_id,
    )
    await connection.close()


async def test_rights_change_under_a_real_client(demo_server: Server, seed: int) -> None:
    await run_node("dist/test/server/scopes.test.js", COTTON_TEST_URL=demo_server.url, COTTON_TEST_SEED=str(seed))


@pytest.mark.parametrize("what", ["stock", "roundtrip", "conflicts", "refusals", "faults", "migration"])
async def test_the_real_client_syncs(what: str, demo_url: str, demo_server: Server, seed: int) -> None:
    await let_agents_do_everything(demo_url)
    await run_node(f"dist/test/server/{what}.test.js", COTTON_TEST_URL=demo_server.url, COTTON_TEST_SEED=str(seed))


async def test_phones_on_a_bad_network_converge(demo_url: str, demo_server: Server, seed: int) -> None:
    await let_agents_do_everything(demo_url)
    await run_node("dist/test/server/converge.test.js", COTTON_TEST_URL=demo_server.url, COTTON_TEST_SEED=str(seed))


async def test_a_first_sync_of_20_000_records_is_complete(database_url: str, tmp_path: Path) -> None:
    await seed_demo(database_url, records=LARGE + LARGE // 20)  # each user's own are not counted
    await let_agents_do_everything(database_url)
    counts = await count_rows(database_url)
    assert sum(counts.values()) >= LARGE

    async with serve_here(database_url, tmp_path) as server:
        environment = {"COTTON_TEST_URL": server.url, "COTTON_TEST_COUNTS": json.dumps(counts)}
        await run_node("dist/test/server/large.test.js", **environment)


async def count_rows(database_url: str) -> dict[str, int]:
    """Count the rows of each synced table in the organisation of agent1, but for what is each user's own."""
    connection = await asyncpg.connect(database_url)
    try:
        org_id = await connection.fetchval("SELECT org_id FROM login_name WHERE username = 'agent1'")
        return {
            entity.table: await connection.fetchval(f"SELECT count(*) FROM {entity.table} WHERE org_id = $1", org_id)
            for entity in SYNCED
            if entity.table != "notifications"
        }
    finally:
        await connection.close()
