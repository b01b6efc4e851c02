"""Mail and push services on this machine, which check what they are asked as the real ones do.

Owns: a real SMTP server with TLS and a login, and stand-ins for Expo's, Google's and Apple's services.
Must not know: what is told to whom.
Invariant: what is not as a service demands it is refused, and what is taken is kept.

The services by their documentation: exp.host (tickets), fcm.googleapis.com (HTTP v1, a token by RFC 7523), api.push.apple.com
(HTTP/2 with ALPN, a provider's token in ES256).
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import jwt
from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Make a certificate for 127.0.0.1; give a server's context, and the file that a client is to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "here")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "here.pem", folder / "here.key"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(pem_of(key))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(public, private)
    return context, public


def pem_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    """Write a private key."""
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


# --- Mail -----------------------------------------------------------------------------------------------------------------


@dataclass
class Postbox:
    """A real SMTP server with a login; `answers`: what it says to the next mails instead of taking them."""

    user: str = "cotton"
    password: str = "bales & more"
    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    logins: int = 0

    @property
    def url(self) -> str:
        return f"smtp://{self.user}:bales%20%26%20more@127.0.0.1:{self.port}"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if self.answers and (said := self.answers.pop(0)):
            if said == "hang up":
                assert isinstance(_server.transport, asyncio.Transport)
                _server.transport.abort()
            return said
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        assert envelope.rcpt_tos == [mail["To"]]
        self.mails.append(mail)
        return "250 taken"

    def check(self, _server: SMTP, _session: Session, _envelope: Envelope, _way: str, said: Any) -> AuthResult:
        assert isinstance(said, LoginPassword)
        self.logins += 1
        right = (said.login.decode(), said.password.decode()) == (self.user, self.password)
        return AuthResult(success=right)


@asynccontextmanager
async def postbox_here(tls: ssl.SSLContext) -> AsyncIterator[Postbox]:
    """Serve mail on this machine; it takes none without TLS and a login."""
    box = Postbox()

    def make() -> SMTP:
        return SMTP(
            box,
            hostname="here",
            tls_context=tls,
            require_starttls=True,
            auth_required=True,
            authenticator=box.check,
            loop=asyncio.get_running_loop(),
        )

    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        await server.wait_closed()


# --- Push -----------------------------------------------------------------------------------------------------------------


@dataclass
class Service:
    """A push service; `taken`: token -> what it was told, `refuse`: token -> the error it answers."""

    url: str = ""
    taken: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)
    tokens: int = 0
    down: bool = False
    breaks_after: int | None = None
    """So many more are taken, then connections are cut."""


async def _served(*routes: web.RouteDef) -> tuple[web.AppRunner, str]:
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


@asynccontextmanager
async def expo_here(token: str) -> AsyncIterator[Service]:
    """Serve as Expo's push service does, to who has the account's token."""
    service = Service()

    async def send(request: web.Request) -> web.Response:
        asked = await request.json()
        if service.down:
            return web.Response(status=503)
        if request.headers.get("Authorization") != f"Bearer {token}" or len(asked) > 100:
            return web.Response(status=400)
        tickets = []
        for one in asked:
            fault = service.refuse.get(one["to"])
            if fault is None:
                service.taken.append((one["to"], one))
            tickets.append(
                {"status": "ok", "id": "x"} if fault is None else {"status": "error", "details": {"error": fault}}
            )
        return web.json_response({"data": tickets})

    runner, service.url = await _served(web.post("/--/api/v2/push/send", send))
    try:
        yield service
    finally:
        await runner.cleanup()


@asynccontextmanager
async def fcm_here(folder: Path) -> AsyncIterator[tuple[Service, Path]]:
    """Serve as Firebase Cloud Messaging does; give the file with the key of its service account, too."""
    service, key = Service(), rsa.generate_private_key(65537, 2048)

    async def give_token(request: web.Request) -> web.Response:
        said = await request.post()
        assert said["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        claims = jwt.decode(str(said["assertion"]), key.public_key(), ["RS256"], audience=f"{service.url}/token")
        assert claims["scope"] == "https://www.googleapis.com/auth/firebase.messaging"
        service.tokens += 1
        return web.json_response({"access_token": f"token {service.tokens}", "expires_in": 3600})

    async def send(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer token {service.tokens}":
            return web.json_response({"error": {"status": "UNAUTHENTICATED"}}, status=401)
        asked = (await request.json())["message"]
        if service.breaks_after is not None and len(service.taken) >= service.breaks_after:
            assert request.transport is not None
            request.transport.close()
            return web.Response(status=500)
        if (fault := service.refuse.get(asked["token"])) is not None:
            return web.json_response({"error": {"details": [{"errorCode": fault}]}}, status=404)
        service.taken.append((asked["token"], asked))
        return web.json_response({"name": "projects/cotton/messages/1"})

    runner, service.url = await _served(
        web.post("/token", give_token), web.post("/v1/projects/cotton/messages:send", send)
    )
    account = {"project_id": "cotton", "client_email": "push@cotton", "token_uri": f"{service.url}/token"}
    file = folder / "account.json"
    file.write_text(json.dumps({**account, "private_key": pem_of(key).decode()}))
    try:
        yield service, file
    finally:
        await runner.cleanup()


@asynccontextmanager
async def apns_here(tls: ssl.SSLContext, folder: Path, topic: str) -> AsyncIterator[tuple[Service, Path]]:
    """Serve as Apple's push service does, over HTTP/2; give the file with the team's key, too."""
    service, key = Service(), ec.generate_private_key(ec.SECP256R1())
    file = folder / "team.p8"
    file.write_bytes(pem_of(key))
    tls.set_alpn_protocols(["h2"])

    def answer(headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        token = headers[":path"].removeprefix("/3/device/")
        claims = jwt.decode(headers["authorization"].removeprefix("bearer "), key.public_key(), ["ES256"])
        if headers["apns-topic"] != topic or headers["apns-push-type"] != "alert" or claims["iss"] != "TEAM000000":
            return 400, "BadTopic"
        if (fault := service.refuse.get(token)) is not None:
            return (410 if fault == "Unregistered" else 400), fault
        service.taken.append((token, json.loads(body)))
        return 200, ""

    working: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        working.add(task)
        await _speak_h2(reader, writer, answer)
        working.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    service.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield service, file
    finally:
        server.close()
        await asyncio.gather(*working)
        await server.wait_closed()


async def _speak_h2(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    answer: Callable[[Mapping[str, str], bytes], tuple[int, str]],
) -> None:
    """Answer the requests of one HTTP/2 connection until its client closes it."""
    speaker = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    speaker.initiate_connection()
    asked: dict[int, tuple[dict[str, str], bytearray]] = {}
    writer.write(speaker.data_to_send())
    while data := await reader.read(65_536):
        for event in speaker.receive_data(data):
            if isinstance(event, RequestReceived):
                asked[event.stream_id] = ({str(name): str(value) for name, value in event.headers}, bytearray())
            elif isinstance(event, DataReceived):
                asked[event.stream_id][1].extend(event.data)
            elif isinstance(event, StreamEnded):
                headers, body = asked.pop(event.stream_id)
                status, reason = answer(headers, bytes(body))
                said = json.dumps({"reason": reason}).encode() if reason else b""
                speaker.send_headers(event.stream_id, [(":status", str(status))], end_stream=not said)
                if said:
                    speaker.send_data(event.stream_id, said, end_stream=True)
        writer.write(speaker.data_to_send())
        await writer.drain()
    writer.close()
