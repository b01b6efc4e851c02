"""Who really asks: the client's address and whether it came over TLS, as far as proxies we trust can tell.

Owns: the way from a connection and forwarding headers to request[keys.ADDRESS] and request[keys.SECURE].
Must not know: what the address is used for.
Invariant: a client decides nothing of its own address: only hops added by a trusted proxy count, read from the right, and
only in the one header that those proxies write (tests/unit/test_proxies.py, tests/integration/test_proxies.py).

A proxy that writes X-Forwarded-For lets a `Forwarded` of the client through unread, and the other way round: whoever
believes both believes the client. So the header is a setting.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from aiohttp import web

from sync_server.config import Settings
from sync_server.config_lists import Network, read_networks
from sync_server.web import keys

UNKNOWN: Final = "unknown"
"""The address of a connection that is already gone."""

HOPS_MAX: Final = 16
"""Proxies in a row; what is further left was written by strangers in any case."""

IPV6_CLIENT_BITS: Final = 64
"""RFC 6177: the least that one household or phone gets, so all of it is one client."""

_QUOTED_FOR: Final = re.compile(r'(?:^|;)\s*for\s*=\s*(?:"([^"]*)"|([^;\s]*))', re.IGNORECASE)
_PROTO: Final = re.compile(r'(?:^|;)\s*proto\s*=\s*"?(https?)"?\s*(?:;|$)', re.IGNORECASE)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Proxies:
    """The reverse proxies that are believed, and the header in which they name the client."""

    def __init__(self, trusted: Sequence[Network] = (), header: str = "x-forwarded-for") -> None:
        self._trusted = tuple(trusted)
        self._header = header
        self._trusts = lru_cache(maxsize=4096)(self._look_up)

    @classmethod
    def of(cls, settings: Settings) -> Proxies:
        """Read which proxies the settings name."""
        return cls(read_networks(settings.trusted_proxies), settings.forwarded_header)

    def locate(self, request: web.Request) -> None:
        """Set ADDRESS, in one form however it was written, and SECURE of `request`."""
        transport = request.transport
        request[keys.SECURE] = transport is not None and transport.get_extra_info("sslcontext") is not None
        request[keys.ADDRESS] = _canonical(request.remote or "")
        if not self._trusted:
            return
        peer = read_address(request.remote or "")
        if peer is not None and self._trusts(peer):
            hops = self._hops(request)
            request[keys.ADDRESS] = str(self._client(peer, hops))
            request[keys.SECURE] = self._proto(request, hops) == "https"

    def _look_up(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)

    def _hops(self, request: web.Request) -> list[str]:
        """Give what each proxy added, the nearest first."""
        line = ",".join(request.headers.getall(self._header, []))
        return [hop.strip() for hop in reversed(line.rsplit(",", HOPS_MAX)[-HOPS_MAX:])]

    def _client(self, peer: Address, hops: Sequence[str]) -> Address:
        """Walk towards the client as long as a trusted proxy speaks; what cannot be read ends the way."""
        found = peer
        for hop in hops:
            if not self._trusts(found):
                break
            told = read_address(_for(hop) if self._header == "forwarded" else hop)
            if told is None:
                break
            found = told
        return found

    def _proto(self, request: web.Request, hops: Sequence[str]) -> str:
        """Give the scheme that the nearest proxy told."""
        if self._header == "forwarded":
            told = _PROTO.search(hops[0]) if hops else None
            return told[1].lower() if told else ""
        return ",".join(request.headers.getall("X-Forwarded-Proto", [])).rsplit(",", 1)[-1].strip().lower()


PROXIES: Final = web.AppKey("proxies", Proxies)


def _for(hop: str) -> str:
    told = _QUOTED_FOR.search(hop)
    return "" if told is None else told[1] or told[2] or ""


@lru_cache(maxsize=4096)
def read_address(text: str) -> Address | None:
    """Read an address as proxies write it, with or without brackets and port; None if it is none.

    >>> str(read_address("[2001:db8::1]:443")), str(read_address("203.0.113.7:51000")), str(read_address("::ffff:10.0.0.1"))
    ('2001:db8::1', '203.0.113.7', '10.0.0.1')
    >>> read_address("_hidden"), read_address("unknown"), read_address("")
    (None, None, None)
    """
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped) or address


@lru_cache(maxsize=4096)
def _canonical(peer: str) -> str:
    address = read_address(peer)
    return UNKNOWN if address is None else str(address)


@lru_cache(maxsize=4096)
def client_network(address: str) -> str:
    """Give what counts as one client: an IPv4 address, or the /64 of an IPv6 one.

    >>> client_network("203.0.113.7"), client_network("2001:db8::1:2:3:4"), client_network("unknown")
    ('203.0.113.7', '2001:db8::/64', 'unknown')
    """
    if ":" not in address:
        return address
    return str(ipaddress.ip_network(f"{address}/{IPV6_CLIENT_BITS}", strict=False))
