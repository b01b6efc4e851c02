"""What the operator's side counts: requests under way, the event loop, and what the database is like (operate/sampling.py).

Owns: the names.
Must not know: who reads them.
Invariant: a name ends with its unit, and no label names a person, an organisation or a record (tests/unit/test_meters.py).
"""

from __future__ import annotations

from typing import Final

from sync_server.meters import Counter, Gauge, Histogram

UNDER_WAY: Final = Gauge("cotton_requests_under_way", "Requests that are being answered.")
LOOP_LAG: Final = Histogram(
    "cotton_event_loop_lag_seconds",
    "How late the event loop came back to a task that wanted to run, four times a second.",
)
MESSAGES_WAITING: Final = Gauge("cotton_messages_waiting", "Text messages with codes that wait to be sent.")
UPKEEP: Final = Counter(
    "cotton_upkeep_rounds_total",
    "Rounds of upkeep in this process: done, failed.",
    ("end",),
    known=[("done",), ("failed",)],
)

WEBHOOK_ATTEMPTS: Final = Counter(
    "cotton_webhook_attempts_total",
    "Attempts at deliveries of webhooks in this process: delivered, failed.",
    ("end",),
    known=[("delivered",), ("failed",)],
)
LETTERS: Final = Counter(
    "cotton_letters_total",
    "Notifications that this process told by mail and push, by how it ended: sent, failed, gone, again.",
    ("way", "end"),
    known=[(way, end) for way in ("email", "push") for end in ("sent", "failed", "gone", "again")],
)
JOBS: Final = Counter(
    "cotton_jobs_total",
    "Tries at jobs in this process, by kind and by how they ended: done, failed, dead.",
    ("kind", "end"),
)

SAMPLES: Final = Counter(
    "cotton_samples_total",
    "Looks at the database and the disk, by how they ended: ok, failed.",
    ("end",),
    known=[("ok",), ("failed",)],
)
EPOCHS: Final = Counter(
    "cotton_epochs_begun_total", "Epochs begun by this process, because history was moved back under an organisation."
)
HEADS: Final = Counter(
    "cotton_heads_published_total",
    "Publications of the heads of the log by this process: done, failed.",
    ("end",),
    known=[("done",), ("failed",)],
)
LOG_FAULTS: Final = Counter(
    "cotton_log_faults_total", "What the nightly audit in this process found altered, deleted or put into the log."
)
UNSEALED: Final = Gauge("cotton_unsealed_seconds", "How long the oldest event of the log without a seal has waited.")
TRANSACTION_AGE: Final = Gauge("cotton_transaction_age_seconds", "Age of the oldest transaction in the database.")
LOCK_WAIT: Final = Gauge("cotton_lock_wait_seconds", "How long the longest wait for a lock of the database has lasted.")
CLOCK_HELD: Final = Gauge(
    "cotton_clock_held_seconds", "Age of the oldest transaction that has written to an organisation's clock."
)
FREEZE_AGE: Final = Gauge(
    "cotton_freeze_age_ratio", "Age of the oldest row, of that at which PostgreSQL stops writing."
)
DEAD_ROWS: Final = Gauge("cotton_dead_rows_ratio", "Dead rows of the most bloated large table, of all its rows.")
REPLICATION_LAG: Final = Gauge("cotton_replication_lag_bytes", "How far the slowest replica or slot is behind.")
DATABASE_BYTES: Final = Gauge("cotton_database_bytes", "Size of the database.")
DISK_FREE: Final = Gauge("cotton_disk_free_bytes", "Free disk space, of the data folder with the spools.")
DISK_FREE_RATIO: Final = Gauge("cotton_disk_free_ratio", "Free disk space of the data folder, of all its disk has.")
JOBS_QUEUED: Final = Gauge(
    "cotton_queued_jobs", "Jobs: those that wait, those under way, and those that failed for good.", ("state",)
)
JOBS_AGE: Final = Gauge("cotton_jobs_oldest_seconds", "How long the oldest job that is due has waited.")
WEBHOOK_DELIVERIES: Final = Gauge(
    "cotton_webhook_deliveries", "Deliveries of webhooks: those that wait, and those that were given up.", ("state",)
)
WEBHOOK_AGE: Final = Gauge("cotton_webhook_oldest_seconds", "How long the oldest delivery that waits has waited.")
TIME_SKEW: Final = Gauge("cotton_time_skew_seconds", "How far the database's clock is ahead of this machine's.")
"""Each of these is the same, whichever process says it."""
