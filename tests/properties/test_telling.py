"""When people are told outside of the app: never within quiet hours, never before now, never lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from erp_core.telling import EMAIL, PUSH, RHYTHMS, WAYS, Wishes

MINUTES = st.integers(0, 1439)
ZONES = st.sampled_from(
    ("Asia/Kolkata", "UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca")
)
WISHES = st.builds(
    Wishes,
    email=st.sampled_from(RHYTHMS),
    push=st.booleans(),
    quiet_from=MINUTES,
    quiet_until=MINUTES,
    daily_at=MINUTES,
    zone=ZONES,
    muted=st.sampled_from(((), ("dispatch.late",))),
)
MOMENTS = st.integers(1_577_836_800, 2_051_222_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


def minute_of(at: datetime, zone: str) -> int:
    local = at.astimezone(ZoneInfo(zone))
    return local.hour * 60 + local.minute


@given(WISHES, st.sampled_from(WAYS), MOMENTS)
# Clocks put forward: 2:30 is no time of that day in New York.
@example(Wishes(quiet_from=60, quiet_until=150, zone="America/New_York"), PUSH, datetime(2026, 3, 8, 6, 30, tzinfo=UTC))
def test_nothing_is_due_in_quiet_hours_or_before_now_or_late(wishes: Wishes, way: str, now: datetime) -> None:
    due = wishes.due(way, "dispatch.late", now)
    off = (not wishes.push if way == PUSH else wishes.email == "never") or "dispatch.late" in wishes.muted
    assert (due is None) == off
    if due is None:
        return
    assert now <= due <= now + timedelta(days=5)
    minute = minute_of(due, wishes.zone)
    begins, ends = wishes.quiet_from, wishes.quiet_until
    quiet = begins <= minute < ends if begins <= ends else minute >= begins or minute < ends
    assert not quiet


@given(WISHES, MOMENTS)
def test_what_is_awake_and_at_once_is_due_now(wishes: Wishes, now: datetime) -> None:
    awake = Wishes(email="at_once", quiet_from=wishes.quiet_from, quiet_until=wishes.quiet_from, zone=wishes.zone)
    assert [awake.due(way, "dispatch.late", now) for way in WAYS] == [now, now]


@given(MOMENTS, MOMENTS)
def test_a_daily_mail_has_all_of_a_day(one: datetime, other: datetime) -> None:
    wishes = Wishes(email="daily", quiet_from=0, quiet_until=0, daily_at=480)
    first, second = wishes.due(EMAIL, "x", one), wishes.due(EMAIL, "x", other)
    assert first is not None
    assert second is not None
    assert minute_of(first, wishes.zone) == 480
    if first != second:
        assert abs(first - second) >= timedelta(days=1)
