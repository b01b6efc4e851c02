"""The keys under which the application keeps what its handlers share, and a request what its middlewares found.

Must not know: how anything is opened or closed.
Invariant: a handler finds what it needs here and nowhere else, so that two applications can live in one process.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from sync_server.config import Settings
from sync_server.engine.lanes import Lanes
from sync_server.engine.privacy import Privacy
from sync_server.engine.sightings import Sightings
from sync_server.engine.standing import Standings
from sync_server.identity.codes import Codes
from sync_server.identity.second_factor import SecondFactor
from sync_server.identity.tickets import Tickets
from sync_server.identity.tokens import Tokens
from sync_server.identity.watch import SessionWatch
from sync_server.store.actor import Actor
from sync_server.store.database import Database
from sync_server.store.parcels import ParcelRoom
from sync_server.store.spool import SpoolRoom

# Of the application; `app.py` fills them.
SETTINGS: Final = web.AppKey("settings", Settings)
DATABASE: Final = web.AppKey("database", Database)
TOKENS: Final = web.AppKey("tokens", Tokens)
TICKETS: Final = web.AppKey("tickets", Tickets)
CODES: Final = web.AppKey("codes", Codes)
"""Not there if no message can be sent."""
SECOND: Final = web.AppKey("second_factor", SecondFactor)
SESSIONS: Final = web.AppKey("sessions", SessionWatch)
SIGHTINGS: Final = web.AppKey("sightings", Sightings)
SPOOLS: Final = web.AppKey("spools", SpoolRoom)
PARCELS: Final = web.AppKey("parcels", ParcelRoom)
LANES: Final = web.AppKey("lanes", Lanes)
STANDINGS: Final = web.AppKey("standings", Standings)
PRIVACY: Final = web.AppKey("privacy", Privacy)

# Of a request.
ACTOR: Final = web.RequestKey("actor", Actor)
"""Who asks; on every request that is not public."""
TOKEN_UNTIL: Final = web.RequestKey("token_until", int)
"""When the token runs out that was shown, in Unix seconds."""
TOKEN_KEY: Final = web.RequestKey("token_key", str)
"""The signing key that vouches for it."""
ADDRESS: Final = web.RequestKey("address", str)
"""Whence it comes, as far as trusted proxies tell (web/proxies.py); what limits, lockouts and logs go by."""
SECURE: Final = web.RequestKey("secure", bool)
"""Whether the client spoke TLS, to us or to a trusted proxy."""
CORRELATION: Final = web.RequestKey("correlation_id", str)
"""The id under which the request is logged and answered."""
STREAM: Final = web.RequestKey("stream", web.StreamResponse)
"""The answer whose head is sent: from then on a failure can only cut the connection."""
