"""One attempt: what an endpoint can do to us, and what of it is told."""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from sync_server.operate.webhook_sender import Message, Outcome, WebhookSender, open_webhook_sender
from sync_server.operate.webhook_wall import Wall
from tests.harness.endpoints import Endpoint, endpoint_here, name_server_here

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
HERE = Wall(loopback=True)
MESSAGE = Message("msg_1", b'{"type":"x"}')


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with endpoint_here() as here:
        yield here


@pytest.fixture
async def sender() -> AsyncIterator[WebhookSender]:
    async with open_webhook_sender(HERE, times=aiohttp.ClientTimeout(total=2, connect=1)) as opened:
        yield opened


async def send(sender: WebhookSender, url: str) -> Outcome:
    return await sender.send(url, MESSAGE, [SECRET], 1_700_000_000.9)


@pytest.mark.parametrize(
    ("status", "error"), [(200, ""), (204, ""), (299, ""), (400, "refused"), (410, "gone"), (500, "refused")]
)
async def test_an_answer_is_told_by_its_status(
    sender: WebhookSender, endpoint: Endpoint, status: int, error: str
) -> None:
    endpoint.status = status
    outcome = await send(sender, endpoint.url)
    assert (outcome.status, outcome.error) == (status, error)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(sender: WebhookSender, endpoint: Endpoint, status: int) -> None:
    async with endpoint_here() as inside:
        for target in (inside.url, "http://169.254.169.254/latest/meta-data/", "//169.254.169.254/"):
            endpoint.status, endpoint.headers = status, {"Location": target}
            outcome = await send(sender, endpoint.url)
            assert (outcome.status, outcome.error) == (status, "redirected")

    assert inside.taken == []
    assert len(endpoint.taken) == 3


async def test_an_answer_without_end_is_not_read(sender: WebhookSender, endpoint: Endpoint) -> None:
    endpoint.floods, endpoint.status = True, 200
    outcome = await send(sender, endpoint.url)

    assert (outcome.status, outcome.error) == (200, "")
    assert outcome.ms < 1_500


async def test_an_endpoint_that_does_not_answer_is_left_when_the_time_is_up(
    sender: WebhookSender, endpoint: Endpoint
) -> None:
    endpoint.stalls = True
    outcome = await send(sender, endpoint.url)

    assert (outcome.status, outcome.error) == (None, "timed_out")
    assert outcome.ms < 4_000


async def raw(answer: bytes) -> tuple[asyncio.Server, str]:
    """Serve the same bytes to everybody."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/in"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X%d: y\r\n" % n for n in range(200_000)) + b"\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
    ],
)
async def test_whatever_an_endpoint_sends_is_a_failure_and_no_more(sender: WebhookSender, answer: bytes) -> None:
    server, url = await raw(answer)
    outcome = await send(sender, url)
    server.close()

    assert outcome.error in {"unreadable", "timed_out", "unreachable"}


async def test_cookies_and_proxies_of_the_environment_are_not_used(
    sender: WebhookSender, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    endpoint.headers = {"Set-Cookie": "a=b; Path=/"}
    for _ in range(2):
        assert (await send(sender, endpoint.url)).error == ""

    assert all("cookie" not in taken.headers for taken in endpoint.taken)


async def test_nobody_there_is_unreachable(sender: WebhookSender) -> None:
    server, url = await raw(b"")
    server.close()
    await server.wait_closed()

    assert (await send(sender, url)).error == "unreachable"


async def test_an_endpoint_may_ask_for_time(sender: WebhookSender, endpoint: Endpoint) -> None:
    endpoint.status, endpoint.headers = 503, {"Retry-After": "120"}
    assert (await send(sender, endpoint.url)).retry_after == 120


async def test_nothing_of_url_or_secret_is_logged(
    sender: WebhookSender, endpoint: Endpoint, lines: io.StringIO
) -> None:
    endpoint.stalls = True
    outcomes = [await send(sender, f"{endpoint.url}?key=canary-url-key"), await send(sender, "http://127.0.0.1:1/x")]

    assert "canary" not in lines.getvalue() + str(outcomes)
    assert SECRET not in lines.getvalue() + str(outcomes)


# --- TLS ----------------------------------------------------------------------------------------------------------------


@dataclass
class Sealed:
    """An endpoint over TLS: `trusted` vouches for it, `named` are the names that it was asked for."""

    endpoint: Endpoint
    trusted: ssl.SSLContext
    named: list[str | None] = field(default_factory=list)


@pytest.fixture
async def sealed(tmp_path: Path) -> AsyncIterator[Sealed]:
    """An endpoint with a certificate for `hooks.example.com` that nobody but itself has signed."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subject = ("-subj", "/CN=hooks.example.com", "-addext", "subjectAltName=DNS:hooks.example.com")
    made = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    places = ("-keyout", str(key), "-out", str(certificate))
    openssl = await asyncio.create_subprocess_exec(
        *("openssl", "req", *made, *places, *subject), stderr=asyncio.subprocess.DEVNULL
    )
    assert await openssl.wait() == 0
    sealed = Sealed(Endpoint(), ssl.create_default_context(cafile=str(certificate)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.sni_callback = lambda _socket, name, _context: sealed.named.append(name)
    app = web.Application()
    app.router.add_post("/in", sealed.endpoint.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    sealed.endpoint.url = f"https://127.0.0.1:{runner.addresses[0][1]}/in"
    yield sealed
    await runner.cleanup()


async def test_a_certificate_that_nobody_vouches_for_is_refused(sender: WebhookSender, sealed: Sealed) -> None:
    assert (await send(sender, sealed.endpoint.url)).error == "tls"
    assert sealed.endpoint.taken == []


class Named(Wall):
    """A wall that takes any URL; it judges addresses as ever."""

    def fault_of(self, url: str) -> str:
        return ""


@pytest.mark.parametrize(("name", "error"), [("hooks.example.com", ""), ("other.example.com", "tls")])
async def test_the_name_of_the_url_is_asked_for_and_vouched_for_at_the_address_that_was_looked_up(
    sealed: Sealed, name: str, error: str
) -> None:
    port = sealed.endpoint.url.rpartition(":")[2]
    async with (
        name_server_here() as (names, place),
        open_webhook_sender(Named(loopback=True), [place], trusted=sealed.trusted) as sender,
    ):
        names.addresses[name] = [["127.0.0.1"]]
        outcome = await send(sender, f"https://{name}:{port}")

    assert outcome.error == error
    assert sealed.named == [name]
    assert [taken.headers["host"].partition(":")[0] for taken in sealed.endpoint.taken] == ([name] if not error else [])
