"""Telling people by mail and push while the server runs.

Owns: the rhythm, the way from a message that is due to what became of it, and which outlets there are.
Must not know: SQL, what may be told (engine/outward.py), any service.
Invariant: a message is sent at least once after it is due, and no transaction is open meanwhile; one that was sent is not taken
again, unless the process died over noting it (tests/integration/test_outward.py).
"""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Final

import aiohttp
import structlog
from aiohttp import web

from sync_server.config import Settings
from sync_server.ending import end
from sync_server.engine.outward import Letter, letters_of
from sync_server.engine.standing import Standings
from sync_server.operate.mail import Mail
from sync_server.operate.meters import LETTERS
from sync_server.operate.outlets import End, Outlet, Result
from sync_server.operate.push_apns import Apns
from sync_server.operate.push_expo import Expo
from sync_server.operate.push_fcm import Fcm
from sync_server.store import outward as store
from sync_server.store.database import Database
from sync_server.store.enduring import for_ever
from sync_server.store.outward import Message
from sync_server.web import keys

POLL_SECONDS: Final = 5.0
AGAIN_SECONDS: Final = 5.0
TOGETHER_MAX: Final = 200
"""Messages that are taken at once."""

LEASE: Final = timedelta(minutes=10)
"""How long what was taken is nobody else's."""

MARGIN: Final = timedelta(minutes=3)
"""Before its end nothing more is begun: a letter takes a minute and a half at most."""

TRIES_MAX: Final = 8
FIRST: Final = timedelta(seconds=30)
LONGEST: Final = timedelta(hours=2)
KEPT: Final = timedelta(days=30)
LATE: Final = timedelta(days=2)
"""What could not be sent for so long is old news."""

FORGET: Final = timedelta(hours=1)
"""Between two looks at all messages for what to forget; what is late is not sent meanwhile."""

_UTC_NOW: Final = partial(datetime.now, UTC)

log = structlog.get_logger(__name__)


class Outward:
    """What one process tells people outside of the app. `now`: the time."""

    def __init__(
        self,
        database: Database,
        standings: Standings,
        outlets: Sequence[Outlet],
        *,
        now: Callable[[], datetime] = _UTC_NOW,
    ) -> None:
        self._database = database
        self._standings = standings
        self._outlets: Mapping[tuple[str, str], Outlet] = {(one.way, one.service): one for one in outlets}
        self._now = now
        self._forgot_at: datetime | None = None

    async def run(self) -> None:
        """Send for ever; a database that does not answer is asked again."""
        await for_ever(
            lambda: self._database.shielded(self.look()),
            "outward_without_database",
            pause_seconds=POLL_SECONDS,
            again_seconds=AGAIN_SECONDS,
        )

    async def look(self) -> int:
        """Send what is due; give how many messages were taken."""
        await self._forget()
        return sum([await self._drain(way) for way in sorted({way for way, _ in self._outlets})])

    async def _forget(self) -> None:
        now = self._now()
        if self._forgot_at is None or now - self._forgot_at > FORGET:
            self._forgot_at = now
            async with self._database.acquire_everywhere() as connection:
                await store.forget(connection, now, kept=KEPT, late=LATE)

    async def _drain(self, way: str) -> int:
        taken = 0
        while True:
            async with self._database.acquire_everywhere() as connection:
                now = self._now()
                messages = await store.claim(connection, way, TOGETHER_MAX, now=now, until=now + LEASE, late=LATE)
            for _, some in groupby(messages, key=lambda one: one.org_id):
                await self._tell(list(some), now + LEASE)
            taken += len(messages)
            if len(messages) < TOGETHER_MAX:
                return taken

    async def _tell(self, messages: Sequence[Message], until: datetime) -> None:
        """Tell what messages of one organisation say, and note what became of it."""
        async with self._database.snapshot(messages[0].org_id) as connection:
            letters, dropped = await letters_of(connection, self._standings, messages)
        await self._settle(dropped, "dropped", "nobody is to be told any more")
        by_outlet: dict[tuple[str, str], list[Letter]] = defaultdict(list)
        for letter in letters:
            service = "" if letter.address is None else letter.address.service
            by_outlet[letter.messages[0].way, service].append(letter)
        for name, some in by_outlet.items():
            outlet = self._outlets.get(name)
            if outlet is None:
                await self._settle([m for one in some for m in one.messages], "dropped", "no such service here")
                continue
            await self._send(outlet, some, until)

    async def _send(self, outlet: Outlet, letters: Sequence[Letter], until: datetime) -> None:
        """Send letters, and note each as it ends; what is not reached while it is ours is due again when it is not."""
        async with aclosing(outlet.send(letters)) as results:
            for letter in letters:
                if self._now() > until - MARGIN:
                    return
                await self._note(letter, await anext(results))

    async def _note(self, letter: Letter, result: Result) -> None:
        LETTERS.add(letter.messages[0].way, result.end.value)
        if result.end is not End.SENT:
            log.warning("letter_not_sent", way=letter.messages[0].way, end=result.end.value, reason=result.why)
        if result.end is End.GONE and letter.address is not None:
            async with self._database.acquire_everywhere() as connection:
                address = letter.address
                await store.forget_address(connection, letter.messages[0].org_id, address.device_id, address.token)
        tries = letter.messages[0].tries
        if result.end is End.AGAIN and tries < TRIES_MAX:
            await self._settle(
                letter.messages, "waiting", result.why, self._now() + min(FIRST * 4 ** (tries - 1), LONGEST)
            )
        else:
            await self._settle(letter.messages, "sent" if result.end is End.SENT else "failed", result.why)

    async def _settle(
        self, messages: Sequence[Message], state: str, why: str = "", due_at: datetime | None = None
    ) -> None:
        if messages:
            async with self._database.acquire_everywhere() as connection:
                await store.settle(connection, messages, state, why, due_at)


@asynccontextmanager
async def open_outlets(settings: Settings) -> AsyncIterator[Sequence[Outlet]]:
    """Open the outlets that the settings name. Raises `identity.keyfile.UnusableKey`."""
    async with AsyncExitStack() as opened:
        outlets: list[Outlet] = []
        if settings.mail_url is not None:
            outlets.append(Mail(settings.mail_url, settings.mail_from or "", settings.public_url, _trusts(settings)))
        if settings.expo or settings.fcm_key_file is not None:
            session = await opened.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
            if settings.expo:
                outlets.append(Expo(session, settings.expo_url, settings.expo_token))
            if settings.fcm_key_file is not None:
                outlets.append(Fcm.open(session, settings.fcm_url, settings.fcm_key_file))
        if settings.apns_key_file is not None:
            named = {"key_id": settings.apns_key_id, "team_id": settings.apns_team_id, "topic": settings.apns_topic}
            apns = Apns.open(settings.apns_url, settings.apns_key_file, trusts=_trusts(settings), **named)
            opened.push_async_callback(apns.close)
            outlets.append(apns)
        yield outlets


def _trusts(settings: Settings) -> ssl.SSLContext:
    """Say whose certificates are believed; one for each outlet, since HTTP/2 is agreed on in it."""
    return ssl.create_default_context(cafile=settings.notice_ca_file)


async def run_outward(app: web.Application) -> AsyncIterator[None]:
    """Tell people while the application runs, if there is a way to; for `app.cleanup_ctx`, after the database."""
    async with open_outlets(app[keys.SETTINGS]) as outlets:
        if not outlets:
            yield
            return
        task = asyncio.create_task(Outward(app[keys.DATABASE], app[keys.STANDINGS], outlets).run())
        yield
        await end([task])
