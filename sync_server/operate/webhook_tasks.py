"""Webhooks while the application runs: what sends them, opened and closed.

Owns: how it is put together.
Must not know: what any of it does.
Invariant: nothing is sent where the settings say that this process does not (tests/integration/test_webhooks.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from sync_server.config_webhooks import read_name_servers
from sync_server.ending import end
from sync_server.identity.secret_key import SecretKey
from sync_server.operate.webhook_sender import open_webhook_sender
from sync_server.operate.webhook_wall import Wall
from sync_server.operate.webhooks import Webhooks
from sync_server.web import keys

WEBHOOKS: Final = web.AppKey("webhooks", Webhooks)
"""Not there if this process sends none."""


async def run_webhooks(app: web.Application) -> AsyncIterator[None]:
    """Follow the log and send, while the application runs; for `app.cleanup_ctx`, after the database.

    Raises `identity.keyfile.UnusableKey` or OSError if the secret key cannot be had.
    """
    settings = app[keys.SETTINGS]
    if not settings.webhooks:
        yield
        return
    key = SecretKey.open(settings.secret_file)
    wall = Wall(loopback=settings.webhook_loopback)
    async with open_webhook_sender(wall, read_name_servers(settings.webhook_name_servers)) as sender:
        running = app[WEBHOOKS] = Webhooks(app[keys.DATABASE], app[keys.STANDINGS], key, sender)
        task = asyncio.create_task(running.run())
        yield
        await end([task])
