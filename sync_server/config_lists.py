"""Settings that are lists in one text: rates, networks, origins.

Owns: how such a text is written, and what is wrong with one that cannot be used.
Must not know: which setting it is of, or who uses the list.
Invariant: a text that passed here means exactly what it says: no wildcard, no network with stray bits, no rate of zero
(tests/unit/test_config.py).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from limits import RateLimitItem, parse_many

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Rates: TypeAlias = Mapping[str, tuple[RateLimitItem, ...]]
"""Whose requests are counted together (`KINDS`) -> how many there may be."""

KINDS: Final = ("address", "user", "device", "organisation")
NONE: Final = "none"
SECONDS_MAX: Final = 86_400
"""A longer window would be forgotten at the next restart anyway."""


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach a server that listens on `host`.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=64)
def read_rates(text: str) -> Rates:
    """Read `user=60/minute;1000/hour address=600/minute`; "none": nothing is limited. Raises ValueError.

    >>> {kind: list(rates) for kind, rates in read_rates("user=60/minute;1000/hour").items()}
    {'user': [60 per 1 minute, 1000 per 1 hour]}
    """
    rates: dict[str, tuple[RateLimitItem, ...]] = {}
    for part in () if text.strip() == NONE else text.split():
        kind, _, limits = part.partition("=")
        if kind not in KINDS or kind in rates:
            raise ValueError(f"{kind!r} must be one of {', '.join(KINDS)}, each at most once")
        rates[kind] = tuple(parse_many(limits))
        if any(rate.amount < 1 or rate.get_expiry() > SECONDS_MAX for rate in rates[kind]):
            raise ValueError(f"{limits!r} must allow at least 1 in at most a day")
        if len({rate.get_expiry() for rate in rates[kind]}) < len(rates[kind]):
            raise ValueError(f"{limits!r} must have one number for each length of time")
    return MappingProxyType(rates)


def read_networks(text: str | None) -> tuple[Network, ...]:
    """Read addresses and CIDR networks that commas or blanks separate. Raises ValueError.

    >>> read_networks("10.0.0.0/8, ::1")
    (IPv4Network('10.0.0.0/8'), IPv6Network('::1/128'))
    """
    return tuple(ipaddress.ip_network(part) for part in (text or "").replace(",", " ").split())


def read_origins(text: str | None) -> frozenset[str]:
    """Read origins that commas or blanks separate, as browsers write them in `Origin`. Raises ValueError.

    Only https, as what is behind plain http can be rewritten by whoever carries it; on this machine http will do.

    >>> sorted(read_origins("https://console.example.com, http://localhost:3000"))
    ['http://localhost:3000', 'https://console.example.com']
    """
    return frozenset(_read_origin(part) for part in (text or "").replace(",", " ").split())


def _read_origin(text: str) -> str:
    parts = urlsplit(text)
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if not secure or not parts.hostname or text != f"{parts.scheme}://{parts.netloc}" or {"*", "@"} & set(text):
        raise ValueError(f"{text!r} must be an origin such as https://console.example.com: no path, no wildcard")
    if text != text.lower():
        raise ValueError(f"{text!r} must be in small letters, as browsers send it")
    return text
