"""Which bus a URL means.

Must not know: what is said over it.
Invariant: without a URL there is no bus, and nothing is missing but time (tests/integration/test_live_bus.py).
"""

from __future__ import annotations

from typing import Final

from sync_server.live.bus import Alone, Bus
from sync_server.live.redis_bus import RedisBus
from sync_server.live.redis_wires import cluster_wire, single_wire

CLUSTER: Final = "+cluster"


def choose_bus(url: str | None, database: str) -> Bus:
    """Make the bus that `url` names; None: there is none. `database`: the identity of the one whose log is told of.

    >>> type(choose_bus(None, "db")).__name__, type(choose_bus("redis+cluster://localhost", "db")).__name__
    ('Alone', 'RedisBus')
    """
    if url is None:
        return Alone()
    scheme, _, rest = url.partition("://")
    if scheme.endswith(CLUSTER):
        return RedisBus(lambda: cluster_wire(f"{scheme.removesuffix(CLUSTER)}://{rest}"), database)
    return RedisBus(lambda: single_wire(url), database)
