"""What live connections count of themselves.

Owns: the names.
Must not know: who reads them.
Invariant: a name ends with its unit, and no label names a person, an organisation or a channel (tests/unit/test_meters.py).
"""

from __future__ import annotations

from typing import Final

from sync_server.meters import Counter, Gauge, Histogram

CONNECTIONS: Final = Gauge("cotton_live_connections", "Live connections that are open.")
SUBSCRIPTIONS: Final = Gauge("cotton_live_subscriptions", "Channels that live connections listen to, all together.")
ENDED: Final = Counter("cotton_live_ended_total", "Live connections that the server ended, by why.", ("reason",))
HINTS: Final = Counter("cotton_live_hints_total", "Hints sent.")
HINT_LATENCY: Final = Histogram(
    "cotton_hint_latency_seconds",
    "From a commit of this process until everybody here who is to hear of it has been sent the hint.",
)
BUS_UP: Final = Gauge(
    "cotton_bus_up", "Whether the bus between the processes is reached: 1 or 0; not there without one."
)
BUS_LOST: Final = Counter("cotton_bus_lost_total", "How often the bus between the processes was lost.")
