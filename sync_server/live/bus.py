"""The bus: how the processes tell each other what they read, so that not each must read it.

Owns: which bus a URL means, and the one that there is without any.
Must not know: what a message says, who listens.
Invariant: a bus may lose, double and reorder; it never makes anybody wait, and its end ends nothing else
(tests/integration/test_live_bus.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Protocol


class Bus(Protocol):
    """A way to the other processes."""

    def publish(self, org_id: str, message: bytes, /) -> None:
        """Tell the other processes, if they can be reached now; this one may hear it, too. Waits for nothing."""

    def follow(self, org_ids: Collection[str], /) -> None:
        """Listen to these organisations from now on, and to no others."""

    async def run(self, hear: Callable[[bytes], None], back: Callable[[], None], /) -> None:
        """Hand every message to `hear`, until cancelled; call `back` when something may have been missed."""


class Alone:
    """No other processes, or none that can be told: each hears from the log alone, a quarter of a second later."""

    def publish(self, _org_id: str, _message: bytes, /) -> None:
        """Tell nobody."""

    def follow(self, _org_ids: Collection[str], /) -> None:
        """Listen to nobody."""

    async def run(self, _hear: Callable[[bytes], None], _back: Callable[[], None], /) -> None:
        """Hear nothing."""
        await asyncio.Event().wait()
