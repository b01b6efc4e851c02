"""The document against a real server, by schemathesis: every answer is one that is described, and nothing invalid gets through.

A small share runs with the tests; `make fuzz-api` runs all operations, by an administrator and by a field agent.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from sync_server.web.openapi import described
from sync_server.web.routes import ROUTES
from sync_server.wire.openapi.document import document
from tests.architecture.sources import ROOT
from tests.conftest import MakeServerProcess
from tests.harness.servers import PASSWORD

LONG: Final = os.environ.get("FUZZ_API") == "long"
SHARE: Final = {
    "admin": r"^/api/v1/(branches|grants|users/\{user_id\}|auth/sessions|devices|me)|/(healthz|readyz)",
    "agent1": r"^/api/v1/(business_partners|sync$|sync/(explain|verify|schema|policies))",
}
"""Who asks for what with every run of the tests: half a minute each."""
NOT_BULK: Final = ("--exclude-path-regex", "/bulk$")
"""That path is one of /{id}, too, so its Allow header rightly names more methods than are described (RFC 9110, 10.2.1), which
schemathesis takes for a fault. tests/integration/test_bulk.py asks it."""
SECONDS: Final = 25
EXAMPLES: Final = 200 if LONG else 4


@dataclass(frozen=True)
class Ended:
    code: int
    output: str


async def fuzz(url: str, folder: Path, user: str, *arguments: str) -> Ended:
    """Run schemathesis against a server as `user`."""
    described_in = folder / "openapi.json"
    described_in.write_text(json.dumps(document(described(ROUTES))))
    known = {"FUZZ_DOCUMENT": str(described_in), "FUZZ_URL": url, "FUZZ_USER": user, "FUZZ_PASSWORD": PASSWORD}
    hooks = {"SCHEMATHESIS_HOOKS": "tests.harness.api_fuzzing", "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default"}
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).parent / "st"), "--config-file", str(ROOT / "tests/acceptance/schemathesis.toml")),
        *("run", str(described_in), "--url", url, "--checks", "all", "--continue-on-failure", "--no-color"),
        *("--max-examples", str(EXAMPLES), "--warnings", "off", "--generation-database", "none", *arguments),
        cwd=folder,
        env={**os.environ, **known, **hooks},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Ended(process.returncode, said.decode(errors="replace"))


@pytest.mark.timeout(7_200 if LONG else 300)
@pytest.mark.parametrize("user", ["agent1", "admin"])
async def test_server_answers_as_described(
    server_process: MakeServerProcess, demo_url: str, tmp_path: Path, user: str, seed: int
) -> None:
    server = await server_process(demo_url)
    bounded = ("--phases", "examples,coverage,fuzzing,stateful")
    share = () if LONG else ("--include-path-regex", SHARE[user], "--max-time", str(SECONDS))

    # With every run of the tests the same requests; the long run draws others each time.
    ended = await fuzz(server.url, tmp_path, user, *bounded, *share, *NOT_BULK, "--seed", str(seed if LONG else 1))

    assert ended.code == 0, ended.output[-20_000:]
    assert "Traceback" not in server.output()
