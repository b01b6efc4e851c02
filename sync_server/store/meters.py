"""What the store counts of itself: connections, transactions, statements, the clock.

Owns: the names.
Must not know: who reads them.
Invariant: a name ends with its unit, and no label names a person, an organisation or a record (tests/unit/test_meters.py).
"""

from __future__ import annotations

from typing import Final

from sync_server.meters import Counter, Gauge, Histogram

POOL_WAIT: Final = Histogram(
    "cotton_pool_wait_seconds", "How long work waited for a database connection of its pool.", ("pool",)
)
POOL_TIMEOUTS: Final = Counter(
    "cotton_pool_timeouts_total",
    "Work that was sent away because no connection came free.",
    ("pool",),
    known=[("requests",), ("owners",)],
)
POOL_CONNECTIONS: Final = Gauge(
    "cotton_pool_connections",
    "Database connections of a pool: `busy`, `idle`, and `max` that there may be.",
    ("pool", "state"),
)
CLOCK_WAIT: Final = Histogram(
    "cotton_clock_wait_seconds",
    "How long a write waited for its organisation's clock, the trip to the database included.",
)
UNITS: Final = Counter(
    "cotton_units_of_work_total",
    "Units of work, by how they ended: committed, failed, busy.",
    ("end",),
    known=[("committed",), ("failed",), ("busy",)],
)
LOST_RACES: Final = Counter(
    "cotton_lost_races_total", "Attempts at a unit of work that had to be made again, by what they lost to.", ("fault",)
)
STATEMENTS: Final = Histogram("cotton_statement_seconds", "How long SQL statements took, the trip included.")
SLOW_STATEMENTS: Final = Counter(
    "cotton_slow_statements_total", "Statements that took longer than COTTON_SLOW_STATEMENT_MS."
)
