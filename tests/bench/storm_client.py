"""The storm of live connections: everybody comes back at once, as after an outage. A process, so that it slows no other down.

`python -m tests.bench.storm_client HOST PORT NUMBER SECONDS`; the header that says who asks comes on standard input. Whoever is
refused comes again when told to. Prints what became of it as JSON once all are in, and keeps them open until its input ends.

Owns: coming, being refused, coming again.
Must not know: what is measured meanwhile.
Invariant: nobody comes again before the time they were told (tests/bench/test_bench_smoke.py).
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time
from dataclasses import dataclass, field
from functools import partial

import uvloop

from tests.bench.lives import UPGRADE, Ear

RETRY_AFTER = re.compile(rb"(?i)^retry-after: (\d+)", re.MULTILINE)
CUT_OFF_SECONDS = 1


class Comer(Ear):
    """A connection that may be refused: `told` is how long to wait then, in seconds."""

    told: int = 0

    def data_received(self, data: bytes) -> None:
        if self.opened.is_set() or data.startswith(b"HTTP/1.1 101"):
            super().data_received(data)
            return
        found = RETRY_AFTER.search(data)
        assert found is not None, data
        self.told = int(found[1])
        self.opened.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.is_set():  # cut off before it was answered
            self.told = CUT_OFF_SECONDS
            self.opened.set()


@dataclass
class Storm:
    """`waits`: how long each who was refused was told to wait, in seconds; `inside`: who is in."""

    host: str
    port: int
    sent: bytes
    waits: list[int] = field(default_factory=list)
    inside: list[Ear] = field(default_factory=list)

    async def come(self, after: float) -> None:
        """Come after so many seconds, and again as often as it takes."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(after)
            transport, comer = await loop.create_connection(partial(Comer, self.sent), self.host, self.port)
            await comer.opened.wait()
            if not comer.told:
                self.inside.append(comer)
                return
            transport.close()
            self.waits.append(comer.told)
            after = comer.told + random.random()


async def main(host: str, port: int, number: int, seconds: float, more: str) -> None:
    """Let `number` connections come within `seconds`."""
    storm = Storm(host, port, UPGRADE.format(path="/api/v1/live", more=more).encode())
    began = time.perf_counter()
    await asyncio.gather(*(storm.come(seconds * n / number) for n in range(number)))
    told = {"seconds": time.perf_counter() - began, "refused": len(storm.waits), "longest": max(storm.waits, default=0)}
    print(json.dumps(told), flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    header = sys.stdin.readline()
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), f"{header.strip()}\r\n"))
