"""One-time codes while the application runs: their secret, their outbox and their sender, opened and closed.

Owns: how these are put together.
Must not know: what any of them does.
Invariant: where no message can be sent there are no codes, rather than codes that nobody gets
(tests/integration/test_codes.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from sync_server.identity.codes import Codes
from sync_server.identity.outbox import Outbox
from sync_server.identity.second_factor import SecondFactor
from sync_server.identity.secret_key import SecretKey
from sync_server.identity.senders import Delivery
from sync_server.operate.sms_gateway import open_sender, texts_of
from sync_server.web import keys


async def run_codes(app: web.Application) -> AsyncIterator[None]:
    """Fill `keys.SECOND`, and `keys.CODES` if there can be codes, while the application runs; for `app.cleanup_ctx`.

    After the database. Raises `identity.keyfile.UnusableKey` or OSError if the secret cannot be had.
    """
    settings, database = app[keys.SETTINGS], app[keys.DATABASE]
    secret = SecretKey.open(settings.secret_file)
    app[keys.SECOND] = SecondFactor(secret, required=settings.require_totp)
    async with open_sender(settings) as sender:
        if sender is None:
            yield
            return
        per_organisation = settings.codes_per_organisation
        outbox = Outbox(database, Delivery(sender), texts_of(settings), organisation_per_day=per_organisation)
        app[keys.CODES] = Codes(
            *(database, secret, outbox),
            countries=settings.code_countries.split(),
            everybody_per_day=settings.codes_per_day,
        )
        async with outbox.running():
            yield
