"""Bearer tokens: who asks, on every request that is not public.

Owns: the way from an Authorization header to request[keys.ACTOR].
Must not know: what an actor may do, or how tokens are issued.
Invariant: a handler behind it runs only with an actor whose token aiohttp-jwt has verified and whose time has not run out
(tests/unit/test_tokens.py).

aiohttp-jwt verifies signature, audience, issuer and times, about 150 µs a token; this module adds what it lacks: it takes
tokens without `exp`, matches "BearerX" as a scheme, answers 403 where 401 is due, and logs a traceback per bad token.
A verified token is remembered until it expires: nothing that was checked can change before, as a token is its own content.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import jwt
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from aiohttp_jwt import JWTMiddleware

from sync_server.identity.tokens import ALGORITHM, AUDIENCE, ISSUER, Tokens
from sync_server.store.actor import Actor
from sync_server.web import keys
from sync_server.wire.problems import Problem

PUBLIC: Final = (r"^/healthz\Z", r"^/readyz\Z", r"^/api/v1/auth/login\Z", r"^/api/v1/auth/refresh\Z")
"""Paths that need no token. aiohttp-jwt matches prefixes, hence the anchors; `\\Z`, as `$` would let a line break follow."""

REMEMBERED_MAX: Final = 10_000
"""Tokens, 300 bytes each; with more devices at once the least recently seen are verified again."""

log = structlog.get_logger(__name__)

# It logs every bad token with a traceback; who is refused is logged below, in one line.
logging.getLogger("aiohttp_jwt.middleware").setLevel(logging.CRITICAL)


class Verified:
    """Tokens that were verified and have not expired: digest -> who asks, until when."""

    def __init__(self, most: int = REMEMBERED_MAX) -> None:
        self._most = most
        self._known: OrderedDict[bytes, tuple[Actor, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def actor_of(self, digest: bytes) -> Actor | None:
        known = self._known.get(digest)
        if known is None:
            return None
        actor, expires = known
        if expires <= time.time():
            del self._known[digest]
            return None
        self._known.move_to_end(digest)
        return actor

    def remember(self, digest: bytes, actor: Actor, expires: int) -> None:
        self._known[digest] = (actor, expires)
        if len(self._known) > self._most:
            self._known.popitem(last=False)


class Question(dict[str, Any]):
    """What aiohttp-jwt needs to see of a request, and where it leaves the claims.

    Not the request itself: aiohttp wants typed keys there, and aiohttp-jwt has only names.
    """

    def __init__(self, request: web.Request, token: str) -> None:
        super().__init__()
        self.method = request.method
        self.path = request.path
        self.headers: Mapping[str, str] = {}
        self.token = token


def bearer(tokens: Tokens, public: Sequence[str] = PUBLIC) -> Middleware:
    """Make the middleware that sets request[ACTOR], or answers 401; `public`: anchored patterns of paths without it."""
    verified = Verified()
    verify = _verifier(tokens, public)

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        token = _presented(request)
        digest = hashlib.sha256(token.encode()).digest()
        known = verified.actor_of(digest)
        if known is None:
            claims = await _claims(verify, Question(request, token if tokens.is_ours(token) else ""), bool(token))
            known = None if claims is None else tokens.actor_of(claims)
            if claims is not None and known is not None:
                verified.remember(digest, known, claims["exp"])
        if known is not None:
            request[keys.ACTOR] = known
        return await handler(request)

    return admit


def _verifier(tokens: Tokens, public: Sequence[str]) -> Any:
    def is_refused(_question: Question, claims: dict[str, Any]) -> bool:
        return tokens.actor_of(claims) is None

    return JWTMiddleware(
        tokens.public_pem,
        request_property="claims",
        whitelist=public,
        token_getter=lambda question: question.token,
        is_revoked=is_refused,
        algorithms=[ALGORITHM],
        audience=AUDIENCE,
        issuer=ISSUER,
    )


async def _claims(verify: Any, question: Question, presented: bool) -> dict[str, Any] | None:
    """Have aiohttp-jwt answer the question: the verified claims, or None on a public path. Raises `Problem`, a 401."""

    async def found(question: Question) -> dict[str, Any] | None:
        return question.get("claims")

    try:
        claims: dict[str, Any] | None = await verify(question, found)
    except web.HTTPException as refused:
        expired = isinstance(refused.__context__, jwt.ExpiredSignatureError)
        code = "token_expired" if expired else "token_refused" if presented else "unauthenticated"
        log.info("auth_refused", reason=code)
        raise Problem(code) from None
    return claims


def _presented(request: web.Request) -> str:
    """Give the token of the Authorization header, "" if there is none (RFC 6750, 2.1; the scheme's case is free)."""
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.isascii() else ""
