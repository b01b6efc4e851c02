"""Presence: who is on a channel, in all processes together, as far as they said so lately.

Owns: the rosters, their bound, and the words in which processes tell each other.
Must not know: sockets, clocks, who may show themselves; the time is handed in.
Invariant: only who asked for it is shown; who is not heard of for `LASTING_SECONDS` is gone, whatever became of its process; a
roster has at most `SHOWN_MAX` entries (tests/unit/test_live_presence.py).

A process says of each of its connections that shows itself that it is there: when it comes, when it goes, and now and then, as
a bus may lose anything. An entry is of a connection, so that a user with two screens leaves with the second.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import orjson

SHOWN_MAX: Final = 50
"""Connections on one roster; it is a list for people, and who is beyond it is not shown."""

ROSTERS_MAX: Final = 20_000
"""Rosters of other processes' and our own connections; beyond it nobody new is shown."""

AGAIN_SECONDS: Final = 20.0
"""Between two times that a process says that a connection is there."""

LASTING_SECONDS: Final = 50.0
"""Two of those may get lost."""


@dataclass(frozen=True, slots=True)
class Shown:
    """That a connection shows itself on a channel, or no more. `place` names the connection in its process."""

    org_id: str
    channel: str
    user_id: str
    device_id: str
    place: str
    here: bool


class Rosters:
    """Who is on which channel: (organisation, channel) -> place -> (user, device, until when)."""

    def __init__(self) -> None:
        self._rosters: dict[tuple[str, str], dict[str, tuple[str, str, float]]] = {}

    def __len__(self) -> int:
        return len(self._rosters)

    def note(self, shown: Shown, now: float) -> bool:
        """Take in that somebody is there, or no more; say whether that changes who is shown."""
        key = (shown.org_id, shown.channel)
        roster = self._rosters.get(key)
        before = self.present(*key)
        if shown.here:
            if roster is None:
                if len(self._rosters) >= ROSTERS_MAX:
                    return False
                roster = self._rosters[key] = {}
            if shown.place in roster or len(roster) < SHOWN_MAX:
                roster[shown.place] = (shown.user_id, shown.device_id, now + LASTING_SECONDS)
        elif roster is not None:
            roster.pop(shown.place, None)
            if not roster:
                del self._rosters[key]
        return self.present(*key) != before

    def expire(self, now: float) -> Collection[tuple[str, str]]:
        """Forget who was not heard of; give the (organisation, channel) on which somebody is gone."""
        changed = set()
        for key, roster in list(self._rosters.items()):
            for place in [place for place, (_, _, until) in roster.items() if until <= now]:
                del roster[place]
                changed.add(key)
            if not roster:
                del self._rosters[key]
        return changed

    def present(self, org_id: str, channel: str) -> Mapping[str, list[str]]:
        """Give who is shown on a channel: user -> devices."""
        found: dict[str, set[str]] = {}
        for user, device, _ in self._rosters.get((org_id, channel), {}).values():
            found.setdefault(user, set()).update({device} if device else ())
        return {user: sorted(devices) for user, devices in found.items()}


def write_shown(shown: Shown) -> bytes:
    """Write it for the other processes; `read_shown` gives it back."""
    return orjson.dumps(
        {"at": [shown.org_id, shown.channel, shown.user_id, shown.device_id, shown.place], "here": shown.here}
    )


def read_shown(message: bytes) -> Shown | None:
    """Read what `write_shown` wrote; None if it is something else."""
    try:
        told = orjson.loads(message)
    except orjson.JSONDecodeError:
        return None
    match told:
        case {"at": [str(org_id), str(channel), str(user), str(device), str(place)], "here": bool(here)}:
            return Shown(org_id, channel, user, device, place, here)
    return None
