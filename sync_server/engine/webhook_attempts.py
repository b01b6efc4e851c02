"""After an attempt: when the next one is due, when it was the last, and when an endpoint is left alone for a while.

Owns: the schedule of retries and the circuit of an endpoint, as pure decisions.
Must not know: SQL, HTTP, the time.
Invariant: whatever an endpoint answers, a delivery is tried for three days and then is dead, at most `ATTEMPTS_MAX` times; an
endpoint that fails again and again is asked by one delivery at a time (tests/unit/test_webhook_attempts.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sync_server.store.webhook_deliveries import DEAD, DELIVERED, PENDING, Settled
from sync_server.store.webhooks import ACTIVE, BROKEN, PAUSED, Webhook

BACKOFF: Final = tuple(
    timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200)
)
"""After the first, second, … attempt; the last one again and again: some 15 attempts in three days."""

JITTER: Final = 0.2
"""Of a pause, more or less: endpoints that failed together are not asked together."""

ATTEMPTS_MAX: Final = 100
"""Far more than three days take; an endpoint that asks to be retried at once is not retried for ever."""

FAILURES_MAX: Final = 5
"""In a row, of whichever deliveries; then the circuit opens."""

CIRCUIT_SECONDS: Final = 60.0
CIRCUIT_SECONDS_MAX: Final = 3_600.0
"""Between two probes of an endpoint whose circuit is open: doubled each time, up to an hour."""

GONE: Final = "gone"
UNREADABLE: Final = "no_secret"


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that came back. `error` "": it was taken. `chance`: -1 to 1, for the jitter."""

    number: int
    expires_at: datetime
    status: int | None
    error: str
    ms: int
    retry_after: float
    chance: float


def settle(attempt: Attempt, now: datetime) -> Settled:
    """Decide what becomes of a delivery."""
    facts = (attempt.status, attempt.error, attempt.ms)
    if not attempt.error:
        return Settled(DELIVERED, now, *facts)
    if attempt.error == GONE or now >= attempt.expires_at or attempt.number >= ATTEMPTS_MAX:
        return Settled(DEAD, now, *facts)
    return Settled(PENDING, min(now + pause(attempt), attempt.expires_at), *facts)


def pause(attempt: Attempt) -> timedelta:
    """Say how long to wait after a failure.

    >>> from datetime import UTC
    >>> end = datetime(2026, 11, 27, tzinfo=UTC)
    >>> [str(pause(Attempt(n, end, 500, "refused", 3, 0.0, 0.0))) for n in (1, 2, 9, 50)]
    ['0:00:05', '0:00:30', '8:00:00', '12:00:00']
    >>> str(pause(Attempt(1, end, 503, "refused", 3, 900.0, 1.0)))
    '0:15:00'
    """
    planned = BACKOFF[min(attempt.number, len(BACKOFF)) - 1] * (1 + JITTER * attempt.chance)
    return max(planned, timedelta(seconds=attempt.retry_after))


def endpoint_after(webhook: Webhook, error: str, now: datetime) -> Mapping[str, Any]:
    """Give what changes about a webhook after an attempt; {}: nothing."""
    if webhook.state == PAUSED:
        return {}
    if not error:
        healed = {"state": ACTIVE, "reason": "", "failures": 0, "closed_until": None}
        return healed if webhook.failures or webhook.state != ACTIVE else {}
    if error == GONE:
        return {"state": PAUSED, "reason": GONE, "failures": 0, "closed_until": None}
    failures = webhook.failures + 1
    if failures < FAILURES_MAX:
        return {"failures": failures}
    return {"state": BROKEN, "reason": error, "failures": failures, "closed_until": now + circuit_pause(failures)}


def circuit_pause(failures: int) -> timedelta:
    """Say how long an endpoint is left alone after so many failures in a row.

    >>> [str(circuit_pause(n)) for n in (5, 6, 7, 40)]
    ['0:01:00', '0:02:00', '0:04:00', '1:00:00']
    """
    doubled = CIRCUIT_SECONDS * 2.0 ** min(failures - FAILURES_MAX, 16)
    return timedelta(seconds=min(doubled, CIRCUIT_SECONDS_MAX))
