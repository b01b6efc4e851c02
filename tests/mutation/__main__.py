"""Mutation testing of `conflict`: `make mutate`, some ten minutes.

mutmut changes the package in one place at a time and runs the tests below; what they do not notice has survived. Each survivor
needs a test, or a line in survivors.txt that says why it makes no difference. It runs in a copy: mutmut wants a folder in which
the package and its tests are alone.

Owns: what is mutated, by which tests it is judged, and the comparison with survivors.txt.
Must not know: the engine.
Invariant: it ends with 0 only if every survivor is listed, and every line of the list is of one.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
SURVIVORS: Final = Path(__file__).with_name("survivors.txt")
TESTS: Final = (
    "tests/unit/test_policies.py",
    "tests/unit/test_explain.py",
    "tests/unit/test_records.py",
    "tests/properties/test_clocks.py",
    "tests/properties/test_digests.py",
    "tests/properties/test_prose.py",
    "tests/properties/test_merge.py",
    "tests/properties/test_mutation.py",
    "tests/properties/test_policy_laws.py",
)
HELPERS: Final = ("tests/__init__.py", "tests/harness")
CONFTEST: Final = """
import hypothesis
hypothesis.settings.register_profile("mutate", derandomize=True, deadline=None, database=None, max_examples=25)
hypothesis.settings.load_profile("mutate")
"""
SETTINGS: Final = f"""
[mutmut]
source_paths=
    conflict
pytest_add_cli_args_test_selection=
    conflict
    {f"{chr(10)}    ".join(TESTS)}
pytest_add_cli_args=
    -p
    no:cacheprovider
    --import-mode=importlib
    --doctest-modules
also_copy=
    pyproject.toml
use_git_change_detection=false
"""
LINE: Final = re.compile(r"\s*(conflict\.\S+): (survived|no tests|suspicious)")


def main() -> int:
    """Run mutmut in a copy and compare what survived with what is listed."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        _copy(home)
        command = [str(Path(sys.executable).with_name("mutmut"))]
        subprocess.run([*command, "run"], cwd=home, check=False)
        told = subprocess.run([*command, "results"], cwd=home, check=True, capture_output=True, text=True)
        survived = {found[1] for line in told.stdout.splitlines() if (found := LINE.match(line))}
        listed = {line.split()[0] for line in SURVIVORS.read_text().splitlines() if line and not line.startswith("#")}
        for name in sorted(survived - listed):
            print(f"survived, and nobody says why: {name}", flush=True)
            subprocess.run([*command, "show", name], cwd=home, check=False)
    for name in sorted(listed - survived):
        print(f"listed, and does not survive: {name}")
    print(f"{len(survived)} survived, {len(listed)} are listed")
    return int(survived != listed)


def _copy(home: Path) -> None:
    shutil.copytree(ROOT / "conflict", home / "conflict", ignore=shutil.ignore_patterns("__pycache__"))
    for name in (*TESTS, *HELPERS, "pyproject.toml"):
        source, target = ROOT / name, home / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, target)
    (home / "tests" / "conftest.py").write_text(CONFTEST)
    (home / "setup.cfg").write_text(SETTINGS)


if __name__ == "__main__":
    sys.exit(main())
