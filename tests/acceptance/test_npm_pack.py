"""The SDK as its users get it: packed, installed into an empty project, type-checked, and synced with a server."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path

from mobile.node import SDK, find_node, ready_sdk
from tests.harness.servers import Server

SECONDS_MAX = 180.0

PROGRAM = """\
import { Database } from '@nozbe/watermelondb'
import LokiJSAdapter from '@nozbe/watermelondb/adapters/lokijs'
import { BusinessPartner, CottonSync, migrations, modelClasses, schema } from '@cotton-sync/sdk'

declare const process: { argv: string[] }

async function main() {
  const still = { useWebWorker: false, useIncrementalIndexedDB: false, extraLokiOptions: { autosave: false } }
  const adapter = new LokiJSAdapter({ schema, migrations, ...still })
  const database = new Database({ adapter, modelClasses })
  const cotton = new CottonSync({ url: process.argv[2] as string, database })
  await cotton.session.login({ username: 'agent1', password: 'cotton-demo' })
  await cotton.sync()
  const partners = await database.get<BusinessPartner>('business_partners').query().fetch()
  await database.write(() => (partners[0] as BusinessPartner).update((partner) => { partner.remarks = 'Met today.' }))
  const edited: boolean = !(await cotton.safeToLogout()).safe
  await cotton.sync()
  const { phase, pending, parked } = cotton.status
  console.log(JSON.stringify({ partners: partners.length > 0, edited, phase, pending, parked }))
}

main()
"""


async def run(folder: Path, *command: str) -> str:
    """Run a command in `folder` and give what it printed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, "PATH": f"{Path(find_node()).parent}{os.pathsep}{os.environ['PATH']}"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        printed, _ = await asyncio.wait_for(process.communicate(), SECONDS_MAX)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, printed.decode(errors="replace")[-5000:]
    return printed.decode()


def npm() -> tuple[str, ...]:
    """Give the npm that came with the Node in use, else the system's."""
    prefix = Path(find_node()).resolve().parents[1]
    for own in (prefix / "lib" / "node_modules" / "npm", prefix / "share" / "nodejs" / "npm"):
        if (own / "bin" / "npm-cli.js").exists():
            return find_node(), str(own / "bin" / "npm-cli.js")
    found = shutil.which("npm")
    assert found is not None, "npm comes with Node"
    return (found,)


async def test_the_packed_sdk_installs_into_an_empty_project_type_checks_and_syncs(
    tmp_path: Path, demo_server: Server
) -> None:
    sdk = await asyncio.to_thread(ready_sdk)
    packed = json.loads(await run(sdk, *npm(), "pack", "--json", "--silent", "--pack-destination", str(tmp_path)))
    paths = {file["path"] for file in packed[0]["files"]}
    assert {"package.json", "README.md", "dist/src/index.js", "dist/src/index.d.ts"} <= paths
    assert not any(path.startswith(("test", "dist/test", "node_modules")) for path in paths)

    project = tmp_path / "project"
    project.mkdir()
    (project / "package.json").write_text(json.dumps({"name": "empty", "version": "1.0.0", "private": True}))
    tarball = str(tmp_path / packed[0]["filename"])
    quiet = ("--offline", "--no-audit", "--no-fund")
    await run(project, *npm(), "install", *quiet, "--legacy-peer-deps", tarball)
    modules = project / "node_modules"
    (modules / "@nozbe").symlink_to(SDK / "node_modules" / "@nozbe")  # the peer, as a project has it already
    (project / "program.ts").write_text(PROGRAM)
    options = {"strict": True, "target": "ES2022", "module": "node16", "moduleResolution": "node16", "types": []}
    (project / "tsconfig.json").write_text(
        json.dumps({"compilerOptions": {**options, "skipLibCheck": True}, "files": ["program.ts"]})
    )

    await run(project, find_node(), str(SDK / "node_modules" / "typescript" / "bin" / "tsc"), "--project", ".")
    printed = await run(project, find_node(), "program.js", demo_server.url)

    assert not (modules / "@cotton-sync" / "sdk").is_symlink(), "the tarball was installed, not the folder"
    done = {"partners": True, "edited": True, "phase": "idle", "pending": 0, "parked": 0}
    assert json.loads(printed.splitlines()[-1]) == done
