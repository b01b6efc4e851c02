"""Bearer tokens: who asks, on every request that is not public.

Owns: the way from an Authorization header to request[keys.ACTOR].
Must not know: what an actor may do, how tokens are issued, or what makes a session live.
Invariant: a handler behind it runs only with an actor whose token aiohttp-jwt has verified, whose time has not run out, whose
key is still good, and whose session lived a moment ago (tests/unit/test_tokens.py, tests/integration/test_sessions.py).

aiohttp-jwt verifies signature, audience, issuer and times, about 150 µs a token; this module adds what it lacks: it knows one
key only, takes tokens without `exp`, matches "BearerX" as a scheme, answers 403 where 401 is due, and logs a traceback per bad
token. A verified token is remembered until it expires: nothing in it can change, as a token is its own content. What can
change, its key and its session, is asked about on every request.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jwt
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from aiohttp_jwt import JWTMiddleware

from sync_server.identity.keyring import SigningKey
from sync_server.identity.tokens import ALGORITHM, AUDIENCE, ISSUER, Tokens
from sync_server.store.actor import Actor
from sync_server.store.registry import state_behind
from sync_server.web import keys
from sync_server.web.live_entry import ticket_of, token_of
from sync_server.wire.problems import Problem

ENROLLING: Final = frozenset({"/api/v1/auth/totp", "/api/v1/auth/totp/confirm", "/api/v1/auth/logout"})
"""What a session may do that must set up a second factor first."""

EMPTYING: Final = frozenset(
    {("GET", "/api/v1/sync")} | {("POST", f"/api/v1/{path}") for path in ("sync", "sync/exchange", "auth/logout")}
)
"""What a device may do that is being wiped: hear of it, and give what it has not sent (web/emptying.py)."""

DEVICE: Final = "Cotton-Device"
"""The installation that a request comes from, if it says so: a session is of one device only."""

REMEMBERED_MAX: Final = 10_000
"""Tokens, 350 bytes each; with more devices at once the least recently seen are verified again."""

VERIFIERS_MAX: Final = 8
"""Keys whose verifiers are kept; a ring has two or three."""

log = structlog.get_logger(__name__)

# It logs every bad token with a traceback; who is refused is logged below, in one line.
logging.getLogger("aiohttp_jwt.middleware").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Known:
    """What a verified token says, which key vouches for it, and until when."""

    actor: Actor
    key_id: str
    expires: int


class Verified:
    """Tokens that were verified and have not expired, by digest."""

    def __init__(self, most: int = REMEMBERED_MAX) -> None:
        self._most = most
        self._known: OrderedDict[bytes, Known] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def known(self, digest: bytes) -> Known | None:
        known = self._known.get(digest)
        if known is None:
            return None
        if known.expires <= time.time():
            del self._known[digest]
            return None
        self._known.move_to_end(digest)
        return known

    def remember(self, digest: bytes, known: Known) -> None:
        self._known[digest] = known
        if len(self._known) > self._most:
            self._known.popitem(last=False)


class Question(dict[str, Any]):
    """What aiohttp-jwt needs to see of a request, and where it leaves the claims.

    Not the request itself: aiohttp wants typed keys there, and aiohttp-jwt has only names.
    """

    def __init__(self, request: web.Request, token: str) -> None:
        super().__init__()
        self.method = "GET"  # aiohttp-jwt lets OPTIONS pass unverified; preflights are answered before (origins.py)
        self.path = request.path
        self.headers: Mapping[str, str] = {}
        self.token = token


def bearer(tokens: Tokens, public: Sequence[str]) -> Middleware:
    """Make the middleware that sets request[ACTOR], or answers 401; `public`: anchored patterns of paths without it
    (routes.py has them)."""
    verified = Verified()
    verifiers = Verifiers(tokens)
    is_public = re.compile("|".join(public)).match

    async def identify(request: web.Request) -> Known:
        ticket = ticket_of(request)
        if ticket:
            return await _redeemed(request, ticket)
        token = _presented(request)
        digest = hashlib.sha256(token.encode()).digest()
        known = verified.known(digest)
        if known is None or not tokens.is_accepted(known.key_id):
            known = await verifiers.verify(request, token)
            verified.remember(digest, known)
        return known

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if is_public(request.path):
            return await handler(request)
        known = await identify(request)  # apart: a live connection would hold its token for as long as it lives
        request[keys.TOKEN_UNTIL], request[keys.TOKEN_KEY] = known.expires, known.key_id
        request[keys.ACTOR] = await _in_a_live_session(request, known.actor)
        return await handler(request)

    return admit


async def _in_a_live_session(request: web.Request, claimed: Actor) -> Actor:
    """Give the actor as its session says; raises `Problem`, and what the database raises: then nobody is let in."""
    actor = await request.app[keys.SESSIONS].live(claimed)
    if actor is None:
        log.info("auth_refused", reason="session_ended", user=claimed.user_id, session=claimed.session_id)
        raise Problem(await _why_ended(request, claimed))
    if request.headers.get(DEVICE, actor.device_id) != actor.device_id:
        raise Problem("device_mismatch")
    if actor.wiping and (request.method, request.path) not in EMPTYING:
        raise Problem("device_wiping")
    if actor.must_enrol and not actor.wiping and request.path not in ENROLLING:
        raise Problem("enrolment_needed")
    return actor


async def _why_ended(request: web.Request, claimed: Actor) -> str:
    """Name the refusal; an app that hears that its device was wiped need not ask for a login to keep what is gone."""
    async with request.app[keys.DATABASE].acquire(claimed.org_id) as connection:
        state = await state_behind(connection, claimed.org_id, claimed.session_id)
    return "device_wiped" if state == "wiped" else "session_ended"


class Verifiers:
    """One aiohttp-jwt verifier for each signing key: it knows one only."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._by_key: OrderedDict[str, Any] = OrderedDict()

    async def verify(self, request: web.Request, token: str) -> Known:
        """Verify a token. Raises `Problem`, a 401."""
        key = self._tokens.key_of(token)
        verifier = self._verifier(key or self._tokens.ring.signing())
        claims = await _claims(verifier, Question(request, "" if key is None else token), bool(token))
        actor = self._tokens.actor_of(claims)
        if actor is None or key is None:
            raise Problem("token_refused")
        return Known(actor, key.key_id, claims["exp"])

    def _verifier(self, key: SigningKey) -> Any:
        made = self._by_key.get(key.key_id)
        if made is None:
            made = self._by_key[key.key_id] = self._make(key.public_pem)
            if len(self._by_key) > VERIFIERS_MAX:
                self._by_key.popitem(last=False)
        return made

    def _make(self, public_pem: str) -> Any:
        def is_refused(_question: Question, claims: dict[str, Any]) -> bool:
            return self._tokens.actor_of(claims) is None

        return JWTMiddleware(
            public_pem,
            request_property="claims",
            token_getter=lambda question: question.token,
            is_revoked=is_refused,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
        )


async def _claims(verify: Any, question: Question, presented: bool) -> dict[str, Any]:
    """Have aiohttp-jwt answer the question: the verified claims. Raises `Problem`, a 401."""

    async def found(question: Question) -> Any:
        return question["claims"]

    try:
        claims: dict[str, Any] = await verify(question, found)
    except web.HTTPException as refused:
        expired = isinstance(refused.__context__, jwt.ExpiredSignatureError)
        code = "token_expired" if expired else "token_refused" if presented else "unauthenticated"
        log.info("auth_refused", reason=code)
        raise Problem(code) from None
    return claims


def _presented(request: web.Request) -> str:
    """Give the token of the Authorization header (RFC 6750, 2.1; the scheme's case is free), or the one that a browser says
    as it opens a live connection; "" if there is none."""
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.isascii() else token_of(request)


async def _redeemed(request: web.Request, ticket: str) -> Known:
    """Use up the ticket of a live connection. Raises `Problem`, a 401."""
    found = await request.app[keys.TICKETS].redeem(request.app[keys.DATABASE], ticket)
    if found is None:
        log.info("auth_refused", reason="ticket_refused")
        raise Problem("token_refused")
    actor, key_id, until = found
    return Known(actor, key_id, until)
