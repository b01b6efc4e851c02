"""The schedule of retries, and the circuit of an endpoint."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sync_server.engine import webhook_attempts
from sync_server.engine.webhook_attempts import ATTEMPTS_MAX, FAILURES_MAX, Attempt, endpoint_after, settle
from sync_server.store.webhook_deliveries import DEAD, DELIVERED, PENDING, WINDOW
from sync_server.store.webhooks import ACTIVE, BROKEN, PAUSED, Webhook

NOW = datetime(2026, 11, 24, tzinfo=UTC)
FAILED = Attempt(1, NOW + WINDOW, 500, "refused", 3, 0.0, 0.0)
WEBHOOK = Webhook("o", "w", "u", "", "https://e.in", ("*",), (), ACTIVE, "", 0, b"", None, None, 0, None, NOW, NOW)


@pytest.mark.parametrize("chance", [-1.0, 0.0, 1.0])
def test_what_always_fails_is_tried_for_three_days_and_then_is_dead(chance: float) -> None:
    now, tries = NOW, 0
    while True:
        tries += 1
        settled = settle(replace(FAILED, number=tries, chance=chance), now)
        if settled.state == DEAD:
            break
        assert settled.state == PENDING
        assert settled.next_at > now
        now = settled.next_at

    assert now == NOW + WINDOW
    assert 10 <= tries <= 25


def test_an_endpoint_that_asks_for_time_gets_it_but_never_beyond_the_window() -> None:
    patient = settle(replace(FAILED, retry_after=3_600.0), NOW)
    last = settle(replace(FAILED, retry_after=3_600.0), NOW + WINDOW - timedelta(minutes=1))

    assert patient.next_at == NOW + timedelta(hours=1)
    assert (last.state, last.next_at) == (PENDING, NOW + WINDOW)


def test_gone_is_not_tried_again() -> None:
    assert settle(replace(FAILED, status=410, error="gone"), NOW).state == DEAD
    assert endpoint_after(WEBHOOK, "gone", NOW)["state"] == PAUSED


def test_no_delivery_is_tried_without_end() -> None:
    assert settle(replace(FAILED, number=ATTEMPTS_MAX), NOW).state == DEAD


def test_what_was_taken_is_delivered_whenever_that_was() -> None:
    late = replace(FAILED, status=204, error="")
    assert settle(late, NOW + WINDOW * 2).state == DELIVERED


def test_the_circuit_opens_after_some_failures_and_for_longer_each_time() -> None:
    webhook, pauses = WEBHOOK, []
    for _ in range(FAILURES_MAX + 8):
        webhook = replace(webhook, **endpoint_after(webhook, "refused", NOW))
        if webhook.state == BROKEN:
            assert webhook.closed_until is not None
            pauses.append((webhook.closed_until - NOW).total_seconds())

    assert webhook.failures == FAILURES_MAX + 8
    assert pauses == [60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600]


def test_one_success_mends_an_endpoint() -> None:
    broken = replace(WEBHOOK, state=BROKEN, failures=9, closed_until=NOW, reason="refused")

    assert replace(broken, **endpoint_after(broken, "", NOW)) == WEBHOOK
    assert endpoint_after(WEBHOOK, "", NOW) == {}


def test_what_comes_back_late_does_not_wake_a_paused_webhook() -> None:
    for error in ("", "refused", "gone"):
        assert endpoint_after(replace(WEBHOOK, state=PAUSED), error, NOW) == {}


def test_planted_schedule_without_an_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_attempts, "BACKOFF", (timedelta(seconds=5),))
    with pytest.raises(AssertionError):
        test_what_always_fails_is_tried_for_three_days_and_then_is_dead(0.0)
