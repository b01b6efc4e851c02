"""Epochs: whether history was moved back since it was last looked at, and to where.

A restore, a failover that lost the tail, or a disk put back to a snapshot takes changes away that phones have heard of, and
gives their positions to other changes. Nothing inside the database shows that. So whoever serves it keeps marks outside of it
(operate/witness.py): of each organisation some events, by position and fingerprint.

Owns: the judgement, as a pure function of the marks and of what the database shows.
Must not know: SQL, files.
Invariant: history is cut at or before the first change that is gone, never behind it; where nothing was moved back nothing is
cut (tests/properties/test_epochs.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mark:
    """An event as it was: its position, its fingerprint, and when it was looked at, in seconds since 1970."""

    position: int
    fingerprint: str
    at: float


@dataclass(frozen=True, slots=True)
class Cluster:
    """What PostgreSQL says it is. `system`: which database of which cluster; `timeline` None: it does not say."""

    system: str
    timeline: int | None


@dataclass(frozen=True, slots=True)
class Known:
    """What was seen of an organisation: the newest position given, and marks below it, oldest first."""

    position: int
    marks: Sequence[Mark] = ()


def is_another(before: Cluster, now: Cluster) -> bool:
    """Say whether a database may have another history than the one that was seen: restored, promoted, or another one."""
    unknown = before.timeline is None or now.timeline is None
    return before.system != now.system or (not unknown and before.timeline != now.timeline)


def cut(known: Known, position: int, fingerprints: Mapping[int, str], *, another: bool) -> int | None:
    """Say up to where an organisation's history is still the one that was seen; None: nothing was moved back.

    `position`: the newest one given now; `fingerprints`: of the events that are at the marks' positions now; `another`: it may
    be another history for what is known of the cluster. 0: nothing of it is known to be the same.

    >>> seen = Known(9, [Mark(3, "c", 0), Mark(8, "h", 60)])
    >>> cut(seen, 9, {3: "c", 8: "h"}, another=False)
    >>> cut(seen, 5, {3: "c"}, another=False)  # put back to before 8
    3
    >>> cut(seen, 12, {3: "c", 8: "x"}, another=False)  # put back, and 8 given again
    3
    >>> cut(seen, 12, {3: "c", 8: "h"}, another=True)  # promoted: what came after 8 may be gone
    8
    """
    same = [mark for mark in known.marks if fingerprints.get(mark.position) == mark.fingerprint]
    whole = len(same) == len(known.marks) and position >= known.position
    if whole and not another:
        return None
    first_gone = next((m.position for m in known.marks if m not in same), None)
    still = [mark.position for mark in same if first_gone is None or mark.position < first_gone]
    return max(still, default=0)


def thinned(marks: Sequence[Mark], now: float) -> Sequence[Mark]:
    """Keep fewer of the marks the older they are, oldest first: two of each power of two of their age in seconds.

    So what is cut besides what is gone is never much more than what is gone. Some 35 marks cover a month.

    >>> [int(100 - mark.at) for mark in thinned([Mark(n, "", float(n)) for n in range(101)], 100.0)]
    [100, 64, 63, 32, 31, 16, 15, 8, 7, 4, 3, 2, 1, 0]
    """
    by_age: dict[int, list[Mark]] = {}
    for mark in marks:
        by_age.setdefault(int(now - mark.at).bit_length(), []).append(mark)
    kept = {mark.position: mark for ages in by_age.values() for mark in (ages[0], ages[-1])}
    return [kept[position] for position in sorted(kept)]
