"""The wall, with a real name server that changes its mind: nothing is sent to an address that is not public."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import aiohttp
import pytest

from sync_server.operate import webhook_wall
from sync_server.operate.webhook_sender import Message, Outcome, open_webhook_sender
from sync_server.operate.webhook_wall import Wall
from tests.harness.endpoints import Endpoint, NameServer, endpoint_here, name_server_here

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
TIMES = aiohttp.ClientTimeout(total=3, connect=2)

INSIDE = [
    *("127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "100.127.255.254", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.7"),
    *("203.0.113.9", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "::127.0.0.1", "::a9fe:a9fe"),
    *("64:ff9b::169.254.169.254", "64:ff9b::a00:1", "64:ff9b:1::a00:1", "2002:7f00:1::1", "2002:a9fe:a9fe::"),
    *("2002:0a00:0001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "fc00::1", "fd12:3456::1"),
    *("fe80::1", "fe80::1%1", "fec0::1", "ff02::1", "100::1", "2001:10::1"),
]
OUTSIDE = ["8.8.8.8", "93.184.216.34", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e"]
NO_ADDRESS = [
    *("0x7f000001", "2130706433", "0177.0.0.1", "127.1", "0x7f.1", "0", "017700000001", "127.0.0.1.", "①②⑦.⓪.⓪.①"),
    *("[::1]", "::ffff:127.0.0.1%25eth0%00", "", "localhost", "169.254.169.254.nip.io"),
]


@pytest.mark.parametrize("text", INSIDE)
def test_what_is_not_public_is_refused_in_every_form(text: str) -> None:
    assert not Wall().admits(text)


@pytest.mark.parametrize("text", OUTSIDE)
def test_what_is_public_is_admitted(text: str) -> None:
    assert Wall().admits(text)


@pytest.mark.parametrize("text", NO_ADDRESS)
def test_what_is_no_address_is_refused(text: str) -> None:
    assert not Wall().admits(text)
    assert not Wall(loopback=True).admits(text)


def test_the_setting_for_development_opens_this_machine_and_nothing_else() -> None:
    opened = Wall(loopback=True)
    admitted = {text for text in INSIDE if opened.admits(text)}

    assert admitted <= {"127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"}
    assert {"127.0.0.1", "::1"} <= admitted


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.com/", "ftp://example.com/", "https://example.com:8443/", "https://example.com:80/"),
        *("https://u:p@example.com/", "https://u@example.com/", "https://example.com/#x", "https://", "https:///x"),
        *(f"https://{text}/" for text in NO_ADDRESS if text != "169.254.169.254.nip.io"),
        *(f"https://[{text}]/" if ":" in text else f"https://{text}/" for text in INSIDE if "%" not in text),
        *("https://example.com\\@127.0.0.1/", "https://exa mple.com/", "https://example.com/\r\nX: y", "//example.com"),
        *(
            "https://example.com:99999/",
            "https://exämple.com/",
            "https://intranet/",
            "https://example.com/" + "x" * 2_000,
        ),
    ],
)
def test_a_url_that_leads_inside_or_tries_to_is_refused_when_it_is_written(url: str) -> None:
    assert Wall().fault_of(url)


@pytest.mark.parametrize("url", ["https://example.com/in?x=1", "https://hooks.example.co.in:443/a", "https://8.8.8.8/"])
def test_a_url_that_leads_outside_is_taken(url: str) -> None:
    assert Wall().fault_of(url) == ""


# --- Where the connection is made -----------------------------------------------------------------------------------------


@pytest.fixture
async def names() -> AsyncIterator[tuple[NameServer, str]]:
    async with name_server_here() as running:
        yield running


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with endpoint_here() as here:
        yield here


class Loose(Wall):
    """A wall that takes any URL, so that what is behind it is asked; it judges addresses as ever."""

    def fault_of(self, url: str) -> str:
        return ""


async def send(wall: Wall, server: str, url: str) -> Outcome:
    async with open_webhook_sender(wall, [server], times=TIMES) as sender:
        return await sender.send(url, Message("msg_1", b"{}"), [SECRET], 1_700_000_000)


def at(endpoint: Endpoint, host: str) -> str:
    return f"http://{host}:{endpoint.url.rpartition(':')[2]}"


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["169.254.169.254"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"], ["::1"]],
)
async def test_a_name_with_one_address_inside_is_not_reached_at_all(
    names: tuple[NameServer, str], endpoint: Endpoint, addresses: list[str]
) -> None:
    server, place = names
    server.addresses["rebind.example.com"] = [addresses]

    outcome = await send(Loose(), place, at(endpoint, "rebind.example.com"))

    assert (outcome.error, outcome.status) == ("walled", None)
    assert endpoint.taken == []
    assert ("rebind.example.com", "A") in server.asked


async def test_a_name_that_turns_inside_after_it_was_looked_at_is_not_followed_there(
    names: tuple[NameServer, str], endpoint: Endpoint
) -> None:
    """Public for the first question, this machine for every later one: whoever asked twice would be here."""
    server, place = names
    server.addresses["rebind.example.com"] = [["192.88.99.77", "8.8.4.4"], ["127.0.0.1"]]
    tried: list[str] = []

    class Noted(Loose):
        def open_socket(self, found: tuple[int, int, int, str, tuple[object, ...]]) -> socket.socket:
            tried.append(str(found[4][0]))
            raise webhook_wall.Walled("far enough for a test")

    await send(Noted(), place, at(endpoint, "rebind.example.com"))
    second = await send(Loose(), place, at(endpoint, "rebind.example.com"))

    assert set(tried) <= {"192.88.99.77", "8.8.4.4"}
    assert tried
    assert second.error == "walled"
    assert endpoint.taken == []


async def test_the_connection_goes_to_the_address_that_was_looked_at(
    names: tuple[NameServer, str], endpoint: Endpoint
) -> None:
    """Each attempt asks once, and reaches what it was told: 127.0.0.1 first, 127.0.0.2 then."""
    server, place = names
    server.addresses["rebind.example.com"] = [["127.0.0.1"], ["127.0.0.2"]]
    port = int(endpoint.url.rpartition(":")[2].partition("/")[0])
    async with endpoint_here("127.0.0.2", port) as second:

        class Open(Loose):
            def admits(self, text: str) -> bool:
                return text in ("127.0.0.1", "127.0.0.2")

        for _ in range(2):
            assert (await send(Open(), place, at(endpoint, "rebind.example.com"))).error == ""

    assert (len(endpoint.taken), len(second.taken)) == (1, 1)
    assert endpoint.taken[0].headers["host"].startswith("rebind.example.com")
    assert sorted(kind for _, kind in server.asked) == ["A", "A", "AAAA", "AAAA"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0x7f.1", "localhost"]
)
async def test_a_host_that_is_written_as_an_address_meets_the_wall_too(
    names: tuple[NameServer, str], endpoint: Endpoint, host: str
) -> None:
    outcome = await send(Loose(), names[1], at(endpoint, host))

    assert outcome.error in {"walled", "unresolved", "unreadable"}
    assert endpoint.taken == []


async def test_a_name_that_nobody_knows_is_unresolved(names: tuple[NameServer, str], endpoint: Endpoint) -> None:
    assert (await send(Loose(), names[1], at(endpoint, "nowhere.example.com"))).error == "unresolved"


async def test_a_url_that_the_wall_refuses_is_not_even_looked_up(
    names: tuple[NameServer, str], endpoint: Endpoint
) -> None:
    server, place = names
    assert (await send(Wall(), place, at(endpoint, "rebind.example.com"))).error == "walled"
    assert server.asked == []


# --- Planted holes ----------------------------------------------------------------------------------------------------------


def _not_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_wall, "_inside", lambda address: ())


def _only_global(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_wall, "is_public", lambda address: address.is_global)


@pytest.mark.parametrize("hole", [_not_inside, _only_global])
def test_planted_holes_in_the_forms_are_found(
    hole: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not any(Wall().admits(text) for text in INSIDE)
    hole(monkeypatch)
    assert any(Wall().admits(text) for text in INSIDE)


async def test_planted_look_that_is_not_where_the_connection_is_made_is_found(
    names: tuple[NameServer, str], endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unseen(self: Wall, found: Sequence[Any]) -> socket.socket:
        return socket.socket(found[0], found[1], found[2])

    monkeypatch.setattr(Wall, "open_socket", unseen)
    with pytest.raises(AssertionError):
        await test_a_host_that_is_written_as_an_address_meets_the_wall_too(names, endpoint, "127.0.0.1")
