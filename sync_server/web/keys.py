"""The keys under which the application keeps what its handlers share; `app.py` fills them.

Must not know: how anything is opened or closed.
Invariant: a handler finds what it needs here and nowhere else, so that two applications can live in one process.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from sync_server.config import Settings
from sync_server.identity.tokens import Tokens
from sync_server.store.database import Database
from sync_server.store.spool import SpoolRoom

SETTINGS: Final = web.AppKey("settings", Settings)
DATABASE: Final = web.AppKey("database", Database)
TOKENS: Final = web.AppKey("tokens", Tokens)
SPOOLS: Final = web.AppKey("spools", SpoolRoom)
