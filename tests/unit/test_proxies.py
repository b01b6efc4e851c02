"""Who really asks: only what trusted proxies add counts (sync_server/web/proxies.py)."""

from __future__ import annotations

import ssl
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp.test_utils import make_mocked_request

from sync_server.config_lists import read_networks
from sync_server.web import keys
from sync_server.web.proxies import HOPS_MAX, UNKNOWN, Proxies, client_network

TRUSTED = read_networks("10.0.0.0/8, 2001:db8:ffff::/48, 127.0.0.1")


def located(
    peer: str | None, *headers: tuple[str, str], header: str = "x-forwarded-for", tls: bool = False
) -> tuple[str, bool]:
    """Give address and security of a request from `peer` with `headers`."""
    given: dict[str, Any] = {"peername": None if peer is None else (peer, 51000), "sslcontext": None}
    if tls:
        given["sslcontext"] = ssl.create_default_context()
    transport = Mock()
    transport.get_extra_info.side_effect = lambda name, default=None: given.get(name, default)
    request = make_mocked_request("GET", "/", headers=list(headers), transport=transport)
    Proxies(TRUSTED, header).locate(request)
    return request[keys.ADDRESS], request[keys.SECURE]


XFF = "X-Forwarded-For"

CHAINS = {
    "no header": ("203.0.113.9", [], "203.0.113.9"),
    "a stranger's header": ("203.0.113.9", [(XFF, "1.2.3.4")], "203.0.113.9"),
    "one proxy": ("10.0.0.1", [(XFF, "198.51.100.7")], "198.51.100.7"),
    "what the client made up is left of what the proxy saw": (
        "10.0.0.1",
        [(XFF, "1.2.3.4, 198.51.100.7")],
        "198.51.100.7",
    ),
    "two proxies": ("10.0.0.1", [(XFF, "1.2.3.4, 198.51.100.7, 10.0.0.2")], "198.51.100.7"),
    "a client that names our proxy": ("10.0.0.1", [(XFF, "10.0.0.9, 198.51.100.7")], "198.51.100.7"),
    "several lines are one": ("10.0.0.1", [(XFF, "1.2.3.4"), (XFF, "198.51.100.7")], "198.51.100.7"),
    "only proxies": ("10.0.0.1", [(XFF, "10.0.0.3, 10.0.0.2")], "10.0.0.3"),
    "rubbish ends the way": ("10.0.0.1", [(XFF, "1.2.3.4, rubbish, 10.0.0.2")], "10.0.0.2"),
    "nothing but rubbish": ("10.0.0.1", [(XFF, "unknown")], "10.0.0.1"),
    "empty": ("10.0.0.1", [(XFF, "")], "10.0.0.1"),
    "with a port": ("10.0.0.1", [(XFF, "198.51.100.7:4711")], "198.51.100.7"),
    "ipv6": ("2001:db8:ffff::1", [(XFF, "2001:DB8:0:0::7")], "2001:db8::7"),
    "ipv6 with a port": ("127.0.0.1", [(XFF, "[2001:db8::7]:443")], "2001:db8::7"),
    "mapped": ("::ffff:10.0.0.1", [(XFF, "::ffff:198.51.100.7")], "198.51.100.7"),
    "the other header": ("10.0.0.1", [("Forwarded", "for=1.2.3.4")], "10.0.0.1"),
}


@pytest.mark.parametrize(("peer", "headers", "address"), CHAINS.values(), ids=CHAINS)
def test_only_what_a_trusted_proxy_added_counts(peer: str, headers: list[tuple[str, str]], address: str) -> None:
    assert located(peer, *headers)[0] == address


FORWARDED = {
    "plain": ("for=198.51.100.7", "198.51.100.7"),
    "quoted ipv6": ('proto=https;For="[2001:db8::7]:4711";by=10.0.0.1', "2001:db8::7"),
    "made up on the left": ('for=1.2.3.4, for="198.51.100.7"', "198.51.100.7"),
    "two proxies": ("for=1.2.3.4, for=198.51.100.7, for=10.0.0.2", "198.51.100.7"),
    "hidden": ("for=_secret", "10.0.0.1"),
    "unknown": ("for=unknown;proto=https", "10.0.0.1"),
    "no for": ("proto=https", "10.0.0.1"),
}


@pytest.mark.parametrize(("value", "address"), FORWARDED.values(), ids=FORWARDED)
def test_the_header_of_rfc_7239_is_read_where_it_is_set(value: str, address: str) -> None:
    assert located("10.0.0.1", ("Forwarded", value), header="forwarded")[0] == address
    assert located("10.0.0.1", ("Forwarded", value), (XFF, "1.2.3.4"), header="forwarded")[0] == address
    assert located("203.0.113.9", ("Forwarded", value), header="forwarded")[0] == "203.0.113.9"


def test_nobody_makes_us_walk_through_a_chain_without_end() -> None:
    chain = ", ".join(["198.51.100.7", *["10.0.0.2"] * 10_000])

    assert located("10.0.0.1", (XFF, chain))[0] == "10.0.0.2"
    assert located("10.0.0.1", (XFF, ", ".join(["198.51.100.7", *["10.0.0.2"] * (HOPS_MAX - 1)])))[0] == "198.51.100.7"


@pytest.mark.parametrize(
    ("peer", "headers", "secure"),
    [
        ("10.0.0.1", [("X-Forwarded-Proto", "https")], True),
        ("10.0.0.1", [("X-Forwarded-Proto", "http")], False),
        ("10.0.0.1", [("X-Forwarded-Proto", "https, http")], False),
        ("10.0.0.1", [("X-Forwarded-Proto", "http"), ("X-Forwarded-Proto", "https")], True),
        ("10.0.0.1", [], False),
        ("203.0.113.9", [("X-Forwarded-Proto", "https")], False),
    ],
)
def test_only_a_trusted_proxy_says_that_it_was_tls(peer: str, headers: list[tuple[str, str]], secure: bool) -> None:
    assert located(peer, *headers)[1] is secure


@pytest.mark.parametrize(("value", "secure"), [("for=1.2.3.4;proto=https", True), ("for=1.2.3.4;proto=http", False)])
def test_the_scheme_is_read_from_the_same_header(value: str, secure: bool) -> None:
    headers = [("Forwarded", value), ("X-Forwarded-Proto", "https")]

    assert located("10.0.0.1", *headers, header="forwarded")[1] is secure


def test_tls_of_our_own_is_seen() -> None:
    assert located("203.0.113.9", tls=True)[1] is True


def test_a_connection_that_is_gone_has_no_address() -> None:
    assert located(None) == (UNKNOWN, False)


def test_all_of_a_households_ipv6_is_one_client() -> None:
    assert client_network("2001:db8:1:2:aaaa::1") == client_network("2001:db8:1:2:bbbb::9")
    assert client_network("2001:db8:1:2::1") != client_network("2001:db8:1:3::1")
    assert client_network(UNKNOWN) == UNKNOWN
