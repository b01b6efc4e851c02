"""Ordinary generators of clients, which read the OpenAPI document as anybody's would.

Owns: installing them once, each at one version, where no other program sees them.
Must not know: what is generated.
Invariant: two tests that need a generator at once install it once.

openapi-python-client cannot stand among the development dependencies: it asks for an older typer than the server's own.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mobile.node import find_node
from tests.architecture.sources import ROOT

PYTHON_GENERATOR: Final = "openapi-python-client==0.29.1"
CLIENTS: Final = ROOT / "tests/acceptance/clients"
TOOLS: Final = ROOT / "build/generators"
INSTALL_SECONDS_MAX: Final = 300


def ready_python() -> Path:
    """Give a folder for PYTHONPATH that has openapi-python-client; what it needs beside comes from `make setup`."""
    folder = TOOLS / PYTHON_GENERATOR
    with _alone("python"):
        if not (folder / "openapi_python_client").exists():
            pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps")
            _run(*pip, "--target", str(folder), PYTHON_GENERATOR)
    return folder


def ready_typescript() -> Path:
    """Give the folder of packages that has openapi-typescript and the compiler."""
    lock = CLIENTS / "package-lock.json"
    packages = CLIENTS / "node_modules"
    with _alone("typescript"):
        if not (packages / "openapi-typescript").exists() or packages.stat().st_mtime < lock.stat().st_mtime:
            _run(*_npm(), "ci", "--no-audit", "--no-fund", "--prefix", str(CLIENTS))
            packages.touch()
    return packages


def _npm() -> tuple[str, ...]:
    """npm of the Node that is used, else the system's."""
    node = Path(find_node())
    below = (node.parent.parent / "lib/node_modules", node.parent / "node_modules")
    own = next((path for each in below if (path := each / "npm/bin/npm-cli.js").exists()), None)
    return (str(node), str(own)) if own is not None else (shutil.which("npm") or "npm",)


@contextmanager
def _alone(name: str) -> Iterator[None]:
    TOOLS.mkdir(parents=True, exist_ok=True)
    with (TOOLS / f"{name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS_MAX)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


async def run(*command: str | Path, cwd: Path, path: Path | None = None) -> str:
    """Run a program, with `path` as PYTHONPATH; give what it printed. Fails with all of its output."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        cwd=cwd,
        env={**os.environ, **({} if path is None else {"PYTHONPATH": str(path)})},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, f"{command}\n{out.decode()}{err.decode()}"
    return out.decode()
