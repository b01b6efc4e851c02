"""The composition root: the one place where settings, database, tokens, middleware and routes meet.

Owns: what the application consists of, in which order it is opened and closed, and how aiohttp is to serve it.
Must not know: what any of the parts does.
Invariant: what `create_app` opens at start is closed at the end, whatever else fails, and nothing but what the process counts
(meters.py) is kept outside the application, so that several can live in one process (tests/integration/test_serving.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from sync_server.config import Settings
from sync_server.config_lists import read_origins
from sync_server.ending import end
from sync_server.engine.lanes import Lanes
from sync_server.engine.sightings import Sightings
from sync_server.engine.standing import Standings
from sync_server.identity.tickets import Tickets
from sync_server.identity.tokens import Tokens
from sync_server.identity.watch import SessionWatch
from sync_server.operate.attachments import run_attachments
from sync_server.operate.codes import run_codes
from sync_server.operate.erasures import run_erasures
from sync_server.operate.job_tasks import run_jobs
from sync_server.operate.outward import run_outward
from sync_server.operate.publishing import run_publishing
from sync_server.operate.upkeep import sweep
from sync_server.operate.webhook_tasks import run_webhooks
from sync_server.operate.witness import run_witness
from sync_server.store.database import NO_ORGANISATION, Database
from sync_server.store.facts import read_identity
from sync_server.store.parcels import ParcelRoom
from sync_server.store.spool import SpoolRoom
from sync_server.web import keys
from sync_server.web.bearer import bearer
from sync_server.web.caps import CAPS, Caps
from sync_server.web.draining import FLIGHTS, Flights, counted
from sync_server.web.headers import set_headers
from sync_server.web.limits import LIMITS, Limits, limited_by_actor, limited_by_address
from sync_server.web.live_tasks import close_live, run_live
from sync_server.web.middleware import explained, observed
from sync_server.web.origins import cross_origin, preflights
from sync_server.web.permissions import permitted
from sync_server.web.plain_http import Runner
from sync_server.web.proxies import PROXIES, Proxies
from sync_server.web.routes import add_routes, public_paths
from sync_server.web.tus import set_tus_headers

KEEP_ALIVE_SECONDS: Final = 75.0
"""How long an idle connection is kept; longer than the minute that most load balancers keep theirs, so they never meet
one that we are just closing."""

LAST_SECONDS: Final = 1.0
"""What is left of an answer after the drain (web/draining.py) is written in less."""


def create_app(settings: Settings, database_url: str) -> web.Application:
    """Compose the application over the database at `database_url`; it connects when it starts.

    Raises `identity.keyfile.UnusableKey` or OSError if the signing key cannot be had, `web.routes.UndeclaredRoute` if a route
    does not say who may ask.
    """
    tokens = Tokens.open(settings.key_ring, access_seconds=settings.access_token_seconds)
    app = web.Application(middlewares=middlewares(settings, tokens), client_max_size=settings.body_max)
    app.on_response_prepare.append(set_headers)
    app.on_response_prepare.append(set_tus_headers)
    if settings.cors_origins is not None:
        app.on_response_prepare.append(cross_origin(read_origins(settings.cors_origins)))
    app[FLIGHTS] = Flights()
    app[PROXIES] = Proxies.of(settings)
    app[LIMITS] = Limits(settings)
    app[CAPS] = Caps(settings.heavy_at_once)
    app[keys.SETTINGS] = settings
    app[keys.TOKENS] = tokens
    app[keys.TICKETS] = Tickets(tokens.ring)
    app[keys.SIGHTINGS] = Sightings()
    app.cleanup_ctx.append(_open_database(settings, database_url))
    app.cleanup_ctx.append(run_witness)
    app.cleanup_ctx.append(run_erasures)
    app.cleanup_ctx.append(run_publishing)
    app.cleanup_ctx.append(run_live)
    app.on_shutdown.append(close_live)
    app.cleanup_ctx.append(run_codes)
    app.cleanup_ctx.append(run_attachments)
    app.cleanup_ctx.append(run_webhooks)
    app.cleanup_ctx.append(run_outward)
    app.cleanup_ctx.append(run_jobs)
    app.cleanup_ctx.append(_sweep)
    app.cleanup_ctx.append(_write_sightings)
    app.cleanup_ctx.append(app[LIMITS].open)
    add_routes(app)
    return app


def middlewares(settings: Settings, tokens: Tokens) -> list[Middleware]:
    """Put in order what is around every handler, the outermost first: what refuses cheaply comes before what costs."""
    return [
        counted,
        observed,
        explained,
        limited_by_address,
        preflights(read_origins(settings.cors_origins)),
        bearer(tokens, public_paths()),
        limited_by_actor,
        permitted,
    ]


def make_runner(app: web.Application) -> web.AppRunner:
    """Say how aiohttp is to serve `app`: bodies as they are sent (web/bodies.py reads them), the log left to us."""
    return Runner(
        app,
        auto_decompress=False,
        access_log=None,
        keepalive_timeout=KEEP_ALIVE_SECONDS,
        shutdown_timeout=LAST_SECONDS,
    )


def _open_database(settings: Settings, url: str) -> Callable[[web.Application], AsyncIterator[None]]:
    async def opened(app: web.Application) -> AsyncIterator[None]:
        database = await Database.open(
            url,
            pool_max=settings.pool_max,
            statement_timeout_ms=settings.statement_timeout_ms,
            lock_timeout_ms=settings.lock_timeout_ms,
            idle_in_transaction_timeout_ms=settings.idle_in_transaction_timeout_ms,
            slow_statement_ms=settings.slow_statement_ms,
        )
        try:
            async with database.acquire(NO_ORGANISATION) as connection:
                identity = await read_identity(connection)
            app[keys.DATABASE] = database
            sessions = app[keys.SESSIONS] = SessionWatch.over(database)
            standings = app[keys.STANDINGS] = Standings()
            app[keys.LANES] = Lanes(database, standings)
            room = settings.data / "spools" / identity
            room.mkdir(parents=True, exist_ok=True, mode=0o700)
            app[keys.SPOOLS] = SpoolRoom(room, bytes_max=settings.spool_bytes_max)
            limits = {"bytes_max": settings.slice_bytes_max, "seconds": settings.slice_seconds}
            app[keys.PARCELS] = ParcelRoom(room / "slices", **limits)
            yield
            await sessions.close()
        finally:
            await database.close()

    return opened


async def _sweep(app: web.Application) -> AsyncIterator[None]:
    sweeper = asyncio.create_task(sweep(app[keys.PARCELS]))
    yield
    await end([sweeper])


async def _write_sightings(app: web.Application) -> AsyncIterator[None]:
    async with app[keys.SIGHTINGS].kept(app[keys.DATABASE]):
        yield
