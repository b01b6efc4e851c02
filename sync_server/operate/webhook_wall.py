"""The wall before what webhooks reach: public addresses, over TLS, and nothing inside (OWASP ASVS 5.0, V1.3.6).

Owns: which addresses and URLs are refused, and that an address is judged where the connection is made.
Must not know: webhooks, what is sent.
Invariant: whatever a name server answers, and however often it changes its mind, no connection is made to an address that is
not public; one private address among several refuses all of them (tests/integration/test_webhook_wall.py).

A name is looked up once for each connection, here, and its addresses go to the connection as they were judged: there is no
second look-up that could answer otherwise. A socket is made only after its very address has been judged again, which holds for
hosts that are written as addresses, too: those are never looked up.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import aiodns
from aiohttp.abc import AbstractResolver, ResolveResult

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

LOOKUP_SECONDS: Final = 3.0
"""For one try of a name server; there are two."""

ADDRESSES_MAX: Final = 16
"""Of one name that are looked at; whoever has more is refused with the rest."""

URL_MAX: Final = 2_000

_HOST: Final = re.compile(
    r"(?=.{4,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]", re.ASCII
)
"""Names with a dot whose last part begins with a letter: neither `localhost`, nor 127.1, nor 0x7f000001."""


class Walled(OSError):
    """The address is not one that webhooks may reach; nothing was sent."""


class Unresolved(OSError):
    """The name has no address."""


def is_public(address: Address) -> bool:
    """Say whether an address is on the public internet, and so is any IPv4 address inside it.

    >>> [is_public(ipaddress.ip_address(text)) for text in ("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946")]
    [True, True]
    >>> [is_public(ipaddress.ip_address(text)) for text in ("169.254.169.254", "::ffff:10.0.0.1", "64:ff9b::a00:1")]
    [False, False, False]
    """
    if not address.is_global or address.is_multicast or address.is_reserved:
        return (
            False  # reserved is ::/8, too: addresses that hold an IPv4 address in the old way, or for NAT64 (RFC 6052)
        )
    if isinstance(address, ipaddress.IPv4Address):
        return True
    return address.scope_id is None and not address.is_site_local and all(map(is_public, _inside(address)))


def _inside(address: ipaddress.IPv6Address) -> Sequence[ipaddress.IPv4Address]:
    """Give the IPv4 addresses that an IPv6 address carries: mapped, 6to4, Teredo."""
    found = (address.ipv4_mapped, address.sixtofour, *(address.teredo or ()))
    return [one for one in found if one is not None]


class Wall:
    """What may be reached. `loopback`: this machine too, over plain HTTP and at any port, for development."""

    def __init__(self, *, loopback: bool = False) -> None:
        self._loopback = loopback

    def admits(self, text: str) -> bool:
        """Say whether a connection to an address may be made."""
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return is_public(address) or (self._loopback and address.is_loopback)

    def fault_of(self, url: str) -> str:
        """Say what is wrong with a URL, in words for a person; "": nothing. Names are not looked up."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return "This is not a URL."
        if len(url) > URL_MAX or not url.isascii() or re.search(r"[\s\\<>\"^`{|}\x00-\x1f\x7f]", url):
            return f"A URL has at most {URL_MAX} characters, all of them ASCII and none of them a blank."
        if parts.username is not None or parts.password is not None or parts.fragment:
            return "Leave user, password and fragment out of the URL."
        if self._loopback and parts.scheme in ("http", "https") and (host == "localhost" or self._is_loopback(host)):
            return ""
        if parts.scheme != "https" or port not in (None, 443):
            return "It must begin with https://, and port 443 is the only one."
        return "" if self._is_public_host(host) else "Its host must be a public name or address."

    @staticmethod
    def _is_loopback(host: str) -> bool:
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    @staticmethod
    def _is_public_host(host: str) -> bool:
        try:
            return is_public(ipaddress.ip_address(host))
        except ValueError:
            return _HOST.fullmatch(host.lower()) is not None

    def open_socket(self, found: tuple[int, int, int, str, tuple[object, ...]]) -> socket.socket:
        """Make the socket of a connection to the address in `found`. Raises `Walled`: there is no connection without one."""
        family, kind, protocol, _, place = found
        if not self.admits(str(place[0])):
            raise Walled("not a public address")
        return socket.socket(family, kind, protocol)


class WalledResolver(AbstractResolver):
    """Looks names up, once for each connection, and gives addresses only if the wall admits all of them.

    `name_servers`: "address" or "address:port"; none: those of the machine. It keeps no thread waiting, as the machine's own
    look-up would: whoever owns a slow name server must not hold up what else the process does.
    """

    def __init__(self, wall: Wall, name_servers: Sequence[str] = ()) -> None:
        self._wall = wall
        self._resolver = aiodns.DNSResolver(list(name_servers) or None, timeout=LOOKUP_SECONDS, tries=2)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Give the addresses of a name. Raises `Unresolved`, `Walled`."""
        try:
            answer = await self._resolver.getaddrinfo(host, family=family, port=port, type=socket.SOCK_STREAM)
        except aiodns.error.DNSError as fault:
            raise Unresolved("no address") from fault
        found = [_result(host, port, node.family, node.addr[0]) for node in answer.nodes]
        if not found:
            raise Unresolved("no address")
        if len(found) > ADDRESSES_MAX or not all(self._wall.admits(one["host"]) for one in found):
            raise Walled("not a public address")
        return found

    async def close(self) -> None:
        """Give up look-ups under way."""
        await self._resolver.close()


def _result(host: str, port: int, family: int, address: bytes | str) -> ResolveResult:
    text = address.decode() if isinstance(address, bytes) else address
    return ResolveResult(
        hostname=host, host=text, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    )
