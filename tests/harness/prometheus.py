"""A real Prometheus and its promtool, to judge what is written for them: fetched, found, and run.

Owns: taking the two programs out of Debian's package, whose installation would start a service; running them.
Must not know: what is judged.
Invariant: nothing outside of the environment that the tests run in is changed; where the programs cannot be had it is said so.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

import pytest

PROGRAMS: Final = ("promtool", "prometheus")
BINARIES: Final = Path(sys.prefix) / "bin"
FETCH_SECONDS: Final = 300


def program(name: str) -> str:
    """Give the path of a program; skip the test that asks if there is none, and fail it on CI."""
    found = shutil.which(name, path=f"{BINARIES}:{os.environ.get('PATH', '')}")
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is missing: python -m tests.harness.prometheus")
    return found


def promtool(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run promtool to its end."""
    return subprocess.run(
        [program("promtool"), *arguments], cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )


def fetch() -> str:
    """Put the programs beside the interpreter, unless they are there; say what was done, or what is to be done."""
    if all(shutil.which(name, path=f"{BINARIES}:{os.environ.get('PATH', '')}") for name in PROGRAMS):
        return ""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return "The tests of docs/monitoring need promtool and prometheus: install Prometheus."
    with tempfile.TemporaryDirectory() as folder:
        if not (_download(folder) or (_run(["apt-get", "-qq", "update"], folder) and _download(folder))):
            return "Prometheus could not be fetched: the tests of docs/monitoring will be skipped."
        (package,) = Path(folder).glob("prometheus_*.deb")
        unpacked = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(unpacked)) as files:
        for name in PROGRAMS:
            file = files.extractfile(f"./usr/bin/{name}")
            assert file is not None
            (BINARIES / name).write_bytes(file.read())
            (BINARIES / name).chmod(0o755)
    return f"Fetched {' and '.join(PROGRAMS)} for the tests of docs/monitoring."


def _download(folder: str) -> bool:
    return _run(["apt-get", "-qq", "download", "prometheus"], folder)


def _run(command: list[str], folder: str) -> bool:
    return subprocess.run(command, cwd=folder, capture_output=True, timeout=FETCH_SECONDS, check=False).returncode == 0


if __name__ == "__main__":
    told = fetch()
    if told:
        print(told)
