"""The sources that the architecture tests look at."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]

PACKAGES = ("conflict", "erp_core", "migrations", "mobile", "sync_server")


def python_sources(*packages: str) -> list[str]:
    """List the Python files of the packages (all of ours), as paths from the root, sorted."""
    found = (path for package in packages or PACKAGES for path in (ROOT / package).rglob("*.py"))
    return sorted(str(path.relative_to(ROOT)) for path in found if "node_modules" not in path.parts)
