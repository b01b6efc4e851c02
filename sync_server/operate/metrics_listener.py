"""GET /metrics, on a listener of its own.

Owns: where it listens, and that looking at the database goes on while it does.
Must not know: what is counted.
Invariant: metrics are never on the port that clients reach, and nothing listens unless COTTON_METRICS_PORT says so
(tests/integration/test_metrics.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from sync_server.config import Settings
from sync_server.operate.metrics import registry_of
from sync_server.operate.sampling import sampling
from sync_server.web import keys

PATH: Final = "/metrics"

_REGISTRY: Final = web.AppKey("registry", CollectorRegistry)

log = structlog.get_logger(__name__)


async def get_metrics(request: web.Request) -> web.Response:
    """Give the metrics in the format that the asker reads."""
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return web.Response(body=encode(request.app[_REGISTRY]), headers={"Content-Type": content_type})


@asynccontextmanager
async def metrics_of(app: web.Application, settings: Settings) -> AsyncIterator[str | None]:
    """Let the metrics of `app`, which is running, be asked for; give their address, None if nobody wants them.

    Raises OSError if the address cannot be listened on.
    """
    if settings.metrics_port is None:
        yield None
        return
    exhibition = web.Application()
    exhibition[_REGISTRY] = registry_of(app)
    exhibition.router.add_get(PATH, get_metrics)
    runner = web.AppRunner(exhibition, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.metrics_host, settings.metrics_port).start()
        host, port = runner.addresses[0][:2]
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}{PATH}"
        log.info("metrics", address=address)
        async with sampling(app[keys.DATABASE], settings.data):
            yield address
    finally:
        await runner.cleanup()
