"""The settings of the embedded PostgreSQL, with their reasons.

Must not know: who starts it. Time limits are the sessions' own (store/database.py).
Invariant: the settings of production lose nothing that was acknowledged (tests/integration/test_embedded_postgres.py).
"""

from __future__ import annotations

import sys
from typing import Final

PORT: Final = 5432
"""Names the socket file; nothing listens on TCP."""

SETTINGS: Final = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "200",  # 16 workers of 10, and people
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",  # a bulk import then meets few checkpoints
    "wal_compression": "on",
    # After a crash every file of the cluster is flushed first: in one call instead of a thousand where there is one.
    **({"recovery_init_sync_method": "syncfs"} if sys.platform == "linux" else {}),
    "random_page_cost": "1.1",  # everybody has an SSD
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",  # a statement in the log would be a row of somebody's trade
    "log_error_verbosity": "terse",  # and so would be the detail of an error: "Failing row contains (…)"
    "log_checkpoints": "off",
    "log_lock_waits": "on",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
}
FORGETFUL: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""Settings of a cluster whose data nobody will miss: the tests', which throw it away and never cut its power."""
