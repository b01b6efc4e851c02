"""Outlets: what takes letters to people, behind one interface.

Owns: the interface, and what can become of a letter.
Must not know: any service.
Invariant: an outlet says of each letter what became of it, whatever becomes of the next, and raises nothing for a letter
(tests/integration/test_outward.py).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from sync_server.engine.outward import Letter


class End(Enum):
    """What became of a letter. GONE: the phone has no such app any more; AGAIN: another attempt may do better."""

    SENT = "sent"
    FAILED = "failed"
    GONE = "gone"
    AGAIN = "again"


class Result(NamedTuple):
    """How it ended, and why, in words without an address."""

    end: End
    why: str = ""


class Outlet(Protocol):
    """Takes letters of one way to people."""

    way: str
    service: str

    def send(self, letters: Sequence[Letter]) -> AsyncGenerator[Result, None]:
        """Send letters, within bounds of time; give what became of each, in their order and as soon as it is known."""


AGAIN_STATUS = frozenset({408, 425, 429})


def by_status(status: int, why: str = "") -> Result:
    """Say what an HTTP status means: 408, 425, 429 and 5xx pass, other refusals do not."""
    if 200 <= status < 300:
        return Result(End.SENT)
    again = status in AGAIN_STATUS or status >= 500
    return Result(End.AGAIN if again else End.FAILED, why or f"answered {status}")
