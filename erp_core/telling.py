"""Telling people outside of the app: by which ways they want to hear, and when.

Owns: a person's wishes, and the moment at which a notification is due by a way.
Must not know: how it is sent, what is told.
Invariant: nothing is due within quiet hours or before now, and what is wanted comes within days
(tests/properties/test_telling.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

EMAIL: Final = "email"
PUSH: Final = "push"
WAYS: Final = (EMAIL, PUSH)

RHYTHMS: Final = ("at_once", "daily", "never")


@dataclass(frozen=True, slots=True)
class Wishes:
    """How somebody wants to be told. `quiet_from`, `quiet_until`, `daily_at`: minutes of the day by the clock of `zone`.

    Equal ends of the quiet hours: there are none. `muted`: kinds that are told in the app only.
    """

    email: Literal["at_once", "daily", "never"] = "at_once"
    push: bool = True
    quiet_from: int = 21 * 60
    quiet_until: int = 7 * 60
    daily_at: int = 8 * 60
    zone: str = "Asia/Kolkata"
    muted: tuple[str, ...] = ()

    def due(self, way: str, kind: str, now: datetime) -> datetime | None:
        """Say when a notification of a kind is due by a way, at `now` or later; None: it is not told that way.

        >>> from datetime import UTC
        >>> evening = datetime(2026, 11, 24, 16, 0, tzinfo=UTC)  # 21:30 in Kolkata
        >>> Wishes().due(PUSH, "dispatch.late", evening).isoformat()
        '2026-11-25T01:30:00+00:00'
        """
        wanted = self.push if way == PUSH else self.email != "never"
        if not wanted or kind in self.muted:
            return None
        at = self._next(now, self.daily_at) if way == EMAIL and self.email == "daily" else now
        return self._next(at, self.quiet_until) if self._is_quiet(at) else at

    def _is_quiet(self, at: datetime) -> bool:
        local = at.astimezone(ZoneInfo(self.zone))
        minute = local.hour * 60 + local.minute
        if self.quiet_from <= self.quiet_until:
            return self.quiet_from <= minute < self.quiet_until
        return minute >= self.quiet_from or minute < self.quiet_until

    def _next(self, now: datetime, minute: int) -> datetime:
        """Give the next moment at which the clocks of the zone show a minute of the day."""
        zone = ZoneInfo(self.zone)
        today = now.astimezone(zone).date()
        for days in range(3):  # a clock that is put forward may leave a minute out for a day
            on = today + timedelta(days=days)
            local = datetime.combine(on, time(minute // 60, minute % 60), zone)
            at = local.astimezone(now.tzinfo)
            if at >= now and at.astimezone(zone).time() == local.time():
                return at
        raise AssertionError(f"{self.zone} has no {minute // 60}:{minute % 60:02} in three days")


DEFAULT: Final = Wishes()
"""Of who said nothing."""
