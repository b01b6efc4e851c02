"""The demo organisation as a template database.

Owns: how small the small demo is.
Must not know: what is in it (sync_server/operate/seed.py).
Invariant: it is made once per test session.
"""

from __future__ import annotations

from sync_server.operate.migrations import migrate_up
from sync_server.operate.postgres import Cluster
from tests.harness.clusters import ensure_template

RECORDS = 300


async def demo_template(cluster: Cluster) -> str:
    """Make the template with the demo organisation, its logins and RECORDS records; give its name."""
    await ensure_template(cluster, "template_demo", _fill)
    return "template_demo"


async def _fill(url: str) -> None:
    from sync_server.operate.seed import seed_demo  # here, so that a test of one room does not need all the others

    await migrate_up(url)
    await seed_demo(url, records=RECORDS)
