"""Rate limits: how many requests there may be of an address, a user, a device and an organisation.

Owns: which request belongs to which bucket, whose it is, when one is refused, and when its sender is told to come back.
Must not know: what is counted how (counting.py, shared_counts.py), what a handler does.
Invariant: a request over a limit costs no signature, no database and no body; what may be guessed at is never admitted
unless it was counted (tests/integration/test_rate_limits.py).

The address is asked before anything else, so that a flood of strangers stays cheap; user, device and organisation after the
token is verified, as before it they are only claims. One refusal says when to come back, drawn so that phones which were
refused together do not return together.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from limits import RateLimitItem

from sync_server.config import BUCKETS, Settings
from sync_server.web import keys
from sync_server.web.counting import Counts, is_over
from sync_server.web.headers import come_back
from sync_server.web.proxies import client_network
from sync_server.web.shared_counts import SharedCounts, Unreachable
from sync_server.wire.problems import Problem

EXACT: Final = frozenset({"login", "codes", "export"})
"""Buckets that ask Redis each time: rare, and a few too many matter."""

CLOSED: Final = frozenset({"login", "codes"})
"""Buckets that admit nobody while Redis is away: there is something to guess. Not refresh: 256 random bits are not guessed,
and it keeps agents logged in."""

PREFIXES: Final[tuple[tuple[str, str, str], ...]] = (
    ("POST", "/api/v1/auth/code", "codes"),
    ("POST", "/api/v1/auth/phone", "codes"),
    ("POST", "/api/v1/auth/refresh", "refresh"),
    ("POST", "/api/v1/auth/", "login"),
    ("GET", "/api/v1/export", "export"),
    ("POST", "/api/v1/export", "export"),
)
"""Method and beginning of a path -> bucket, the first that fits; a new POST of auth is strict until somebody says otherwise."""

EXACT_PATHS: Final[Mapping[tuple[str, str], str | None]] = {
    ("GET", "/api/v1/sync"): "pull",
    ("POST", "/api/v1/sync"): "push",
    ("POST", "/api/v1/sync/exchange"): "push",
    ("POST", "/api/v1/auth/logout"): "rest",
    ("GET", "/healthz"): None,
    ("GET", "/readyz"): None,
}

BUCKET: Final = web.RequestKey("bucket", str)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rate of one bucket for one kind of name."""

    bucket: str
    kind: str
    rate: RateLimitItem
    counts: Counts


class Limits:
    """The limits of one process, shared with others where there is a Redis."""

    def __init__(self, settings: Settings) -> None:
        self._by_seconds: dict[int, Counts] = {}
        self._rules: dict[tuple[str, str], tuple[Rule, ...]] = {}
        listed = settings.redis_url is not None
        for bucket in BUCKETS:
            for kind, rates in settings.rates(bucket).items():
                self._rules[bucket, kind] = tuple(self._rule(bucket, kind, rate, listed) for rate in rates)
        self._shared: SharedCounts | None = None
        self._url = settings.redis_url

    def _rule(self, bucket: str, kind: str, rate: RateLimitItem, listed: bool) -> Rule:
        seconds = rate.get_expiry()
        if seconds not in self._by_seconds:
            self._by_seconds[seconds] = Counts(seconds, listed=listed)
        return Rule(bucket, kind, rate, self._by_seconds[seconds])

    def all_counts(self) -> Collection[Counts]:
        """Give the counts of this process, one for each length of window."""
        return self._by_seconds.values()

    async def open(self, _app: web.Application) -> AsyncIterator[None]:
        """Share the counts while the application runs; one for `app.cleanup_ctx`."""
        if self._url is None:
            yield
            return
        async with SharedCounts(self._url, tuple(self.all_counts())) as self._shared:
            yield
        self._shared = None

    async def spend(self, bucket: str, kind: str, who: str) -> None:
        """Count one request of `who`. Raises `Problem`: too_many_requests, limits_unavailable.

        Cost: 2 µs for each rate; with Redis, a trip for each in EXACT.
        """
        for rule in self._rules.get((bucket, kind), ()):
            if self._shared is not None and bucket in EXACT:
                wait = await self._hit(self._shared, rule, who)
            else:
                wait = _count(rule, who)
            if wait > 0:
                raise too_many(bucket, wait)

    async def _hit(self, shared: SharedCounts, rule: Rule, who: str) -> float:
        try:
            return await shared.hit(rule.rate, f"{rule.bucket}/{rule.kind}/{who}")
        except Unreachable:
            if rule.bucket in CLOSED:
                raise Problem("limits_unavailable", retry_after=come_back(5)) from None
            return _count(rule, who)


LIMITS: Final = web.AppKey("limits", Limits)


def _count(rule: Rule, who: str) -> float:
    window = rule.counts.count(f"{rule.bucket}/{rule.kind}/{who}", rule.rate.amount)
    if not is_over(window):
        return 0
    if window.ours + window.theirs == rule.rate.amount + 1:  # once in a window, or a flood would flood the log
        log.warning("limited", bucket=rule.bucket, kind=rule.kind, who=who, rate=str(rule.rate))
    return rule.counts.left(window)


def too_many(bucket: str, wait: float) -> Problem:
    """Make the refusal of a request that can be repeated after `wait` seconds."""
    return Problem("too_many_requests", limit=bucket, retry_after=come_back(wait))


def bucket_of(method: str, path: str) -> str | None:
    """Say in which bucket a request is counted; None: in none.

    >>> bucket_of("GET", "/api/v1/sync"), bucket_of("POST", "/api/v1/auth/login"), bucket_of("GET", "/healthz")
    ('pull', 'login', None)
    """
    if (method, path) in EXACT_PATHS:
        return EXACT_PATHS[method, path]
    return next((bucket for verb, prefix, bucket in PREFIXES if method == verb and path.startswith(prefix)), "rest")


@web.middleware
async def limited_by_address(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count the request for its address; before the token is looked at."""
    bucket = bucket_of(request.method, request.path)
    if bucket is not None:
        request[BUCKET] = bucket
        await request.app[LIMITS].spend(bucket, "address", client_network(request[keys.ADDRESS]))
    return await handler(request)


@web.middleware
async def limited_by_actor(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count the request for its user, device and organisation; after the token is verified."""
    actor = request.get(keys.ACTOR)
    bucket = request.get(BUCKET)
    if actor is not None and bucket is not None:
        limits = request.app[LIMITS]
        await limits.spend(bucket, "user", f"{actor.org_id}/{actor.user_id}")
        if actor.device_id:
            await limits.spend(bucket, "device", f"{actor.org_id}/{actor.device_id}")
        await limits.spend(bucket, "organisation", actor.org_id)
    return await handler(request)
