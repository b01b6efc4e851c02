"""Where fleets start from: one database for many examples, and the event loop that a synchronous machine drives.

Owns: opening and closing them.
Must not know: what a fleet does.
Invariant: each fleet has an organisation of its own, so that one example never sees another's rows.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from sync_server.operate.postgres import Cluster
from sync_server.store.database import Database
from tests.harness import clusters
from tests.harness.world import House
from tests.simulation.fleet import Fleet


class Harbour:
    """A database for one example after the other, each with an organisation of its own, and the loop that they run on."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._cluster = cluster
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._fleets = 0
        self._name = f"harbour_{folder.name}_{id(self)}"
        self._database = self._loop.run_until_complete(self._open())

    async def _open(self) -> Database:
        template = await clusters.migrated_template(self._cluster)
        return await Database.open(await clusters.create_database(self._cluster, self._name, template), pool_max=3)

    def fleet(self, seed: int = 0) -> Fleet:
        """Make a fleet in an organisation of its own."""
        self._fleets += 1
        settling = House.settle(self._database, self._folder, f"org{self._fleets}")
        return Fleet(self._loop, self._loop.run_until_complete(settling), seed)

    def close(self) -> None:
        self._loop.run_until_complete(self._database.close())
        self._loop.run_until_complete(clusters.drop_database(self._cluster, self._name))
        self._loop.close()
