"""Canaries: secrets of every kind go through a real server, succeeding and failing, and are looked for in all that it puts out.

Looked through: standard output and error at the level debug, the log of the embedded PostgreSQL, every header of every answer,
and the body of every refusal. Where each secret went is told when it is found.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from aiohttp import web

from erp_core.demo.people import PEOPLE
from sync_server.operate.postgres import Cluster
from tests.conftest import MakeServerProcess
from tests.harness.endpoints import endpoint_here
from tests.harness.servers import ServerProcess, free_port
from tests.harness.valkeys import Valkey

PASSWORD = "cotton-demo"
"""Known to everybody, and printed at the start: no secret."""


ADMINISTRATOR = {"username": "admin", "password": PASSWORD}

BRANCH = next(person.branch_id for person in PEOPLE if person.username == "agent1")


@dataclass
class Canaries:
    """The secrets that were planted: what -> text."""

    planted: dict[str, str] = field(default_factory=dict)

    def plant(self, what: str, text: str) -> str:
        """Remember a secret under a name; give it."""
        self.planted[what] = text
        return text

    def found_in(self, output: str) -> dict[str, str]:
        """Give what was found -> the line that it was found in."""
        found = {}
        for what, text in self.planted.items():
            for line in output.splitlines():
                if text in line:
                    found[what] = line[:1_000]
        return found


@dataclass
class Visitor:
    """Somebody who asks the server, and keeps what must not hold a secret: headers, and bodies of refusals."""

    server: ServerProcess
    session: aiohttp.ClientSession
    seen: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    async def ask(self, method: str, path: str, body: Any = None, **given: Any) -> Any:
        """Ask; give the parsed answer, None if it is a refusal."""
        data = json.dumps(body) if body is not None and not isinstance(body, (str, bytes)) else body
        headers = {"Content-Type": "application/json", **given.pop("headers", {})}
        async with self.session.request(method, self.server.url + path, data=data, headers=headers, **given) as answer:
            text = await answer.text()
            self.statuses.append(answer.status)
            self.seen.append(f"{path.partition('?')[0][:20]} {answer.status} {dict(answer.headers)}")
            if answer.status < 400:
                return json.loads(text) if text else {}
            self.seen.append(text)
            return None


@pytest.fixture
async def gateway() -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """A gateway for text messages: its URL, and what it was given."""
    sent: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        sent.append({**await request.json(), "authorization": request.headers.get("Authorization")})
        return web.Response()

    app = web.Application()
    app.router.add_post("/send", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/send", sent
    await runner.cleanup()


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[Valkey]:
    running = await Valkey.run(tmp_path / "valkey", password="canary-redis-password")
    yield running
    await running.stop()


async def test_no_secret_leaves_but_to_whom_it_belongs(
    server_process: MakeServerProcess, valkey: Valkey, gateway: tuple[str, list[dict[str, Any]]]
) -> None:
    canaries = Canaries()
    canaries.plant("password of Redis", valkey.password)
    gateway_url, sent = gateway
    server = await server_process(
        demo=True,
        log_level="debug",
        webhook_loopback="true",
        redis_url=valkey.url,
        limit_login="address=1000/minute",
        sms_url=f"{gateway_url}?key={canaries.plant('key of the gateway', 'canary-sms-key')}",
        sms_token=canaries.plant("token of the gateway", "canary-sms-token"),
    )
    async with aiohttp.ClientSession() as session:
        visitor = Visitor(server, session)
        bearer = await log_in_and_out(visitor, canaries)
        await codes(visitor, canaries, sent)
        await webhooks(visitor, canaries)
        await records(visitor, canaries, bearer)
        await break_rows(server, visitor, canaries, bearer)
        await knock(visitor, canaries, bearer)
        await take_away(server, valkey, visitor, bearer)
    await server.terminate()

    postgres = (server.data / "postgres" / "postgres.log").read_text(errors="replace")
    outputs = {"log": server.output(), "postgres": postgres, "answers": "\n".join(visitor.seen)}
    found = {name: canaries.found_in(output) for name, output in outputs.items()}
    assert found == {"log": {}, "postgres": {}, "answers": {}}
    assert len(canaries.planted) >= 20
    assert {200, 204, 400, 401, 404, 409, 422, 503} <= set(visitor.statuses), sorted(set(visitor.statuses))
    assert 500 in visitor.statuses or "record_quarantined" in outputs["log"], "no failure of ours was provoked"
    assert outputs["log"].count('"event":"request"') >= 30


async def log_in_and_out(visitor: Visitor, canaries: Canaries) -> dict[str, str]:
    """Log in, change the password, refresh, reuse, reset; give the headers of a live session of agent1."""
    login = "/api/v1/auth/login"
    grant = await visitor.ask("POST", login, {"username": "agent1", "password": PASSWORD})
    new = canaries.plant("password", "canary-Rajkot-lint-7")
    headers = keep(canaries, "first", grant)
    await visitor.ask("POST", "/api/v1/auth/password", {"old_password": PASSWORD, "new_password": new}, headers=headers)
    wrong = canaries.plant("wrong password", "canary-wrong-password")
    await visitor.ask("POST", login, {"username": "agent1", "password": wrong})
    in_name = canaries.plant("password typed as a name", "canary-typed-as-name")
    await visitor.ask("POST", login, {"username": in_name, "password": "x"})
    await visitor.ask(
        "POST", login, {"username": "agent1", "password": {"a": canaries.plant("odd", "canary-in-object")}}
    )
    grant = await visitor.ask("POST", login, {"username": "agent1", "password": new})
    headers = keep(canaries, "second", grant)
    for n in range(3):  # refreshed, repeated, and found to be reused
        refreshed = await visitor.ask("POST", "/api/v1/auth/refresh", {"refresh_token": grant["refresh_token"]})
        if refreshed is not None:
            keep(canaries, f"refreshed {n}", refreshed)
    await visitor.ask("POST", f"/api/v1/auth/refresh/{grant['refresh_token']}?t={grant['access_token']}")
    await resets(visitor, canaries)
    final = await visitor.ask("POST", login, {"username": "agent1", "password": new})
    return keep(canaries, "last", final)


def keep(canaries: Canaries, which: str, grant: dict[str, Any]) -> dict[str, str]:
    """Plant the tokens of a grant, whole and their secret parts; give the headers of a request with it."""
    access = canaries.plant(f"access token, {which}", grant["access_token"])
    canaries.plant(f"signature, {which}", access.rpartition(".")[2])
    refresh = canaries.plant(f"refresh token, {which}", grant["refresh_token"])
    canaries.plant(f"secret of refresh, {which}", refresh.rpartition(".")[2])
    return {"Authorization": f"Bearer {access}"}


async def resets(visitor: Visitor, canaries: Canaries) -> None:
    """Have an administrator reset a password, and set up a second factor."""
    admin = await visitor.ask("POST", "/api/v1/auth/login", {"username": "admin", "password": PASSWORD})
    headers = keep(canaries, "administrator", admin)
    reset = await visitor.ask("POST", "/api/v1/users/agent2/password", {}, headers=headers)
    token = canaries.plant("reset", reset["token"])
    weak = canaries.plant("weak password", "canary7")
    await visitor.ask("POST", "/api/v1/auth/password/reset", {"token": token, "password": weak})
    await visitor.ask("POST", f"/api/v1/auth/password/reset/{token}", {})
    good = canaries.plant("password after a reset", "canary-Akola-kapas-9")
    await visitor.ask("POST", "/api/v1/auth/password/reset", {"token": token, "password": good})
    await visitor.ask("POST", "/api/v1/auth/password/reset", {"token": token, "password": good})
    totp = await visitor.ask("POST", "/api/v1/auth/totp", {}, headers=headers)
    canaries.plant("secret of TOTP", totp["secret"])
    await visitor.ask(
        "POST", "/api/v1/auth/totp/confirm", {"code": canaries.plant("code of TOTP", "907213")}, headers=headers
    )


async def codes(visitor: Visitor, canaries: Canaries, sent: list[dict[str, Any]]) -> None:
    """Ask for a code by phone; try a wrong one, and the right one twice."""
    number = canaries.plant("phone", "+919822099881")
    canaries.plant("phone without the country", "9822099881")
    async with inside(visitor.server) as connection:  # the demo's own numbers are nobody's, and nothing is sent to them
        await connection.execute("UPDATE users SET phone = $1 WHERE username = 'agent4'", number)
    ticket = await visitor.ask("POST", "/api/v1/auth/code", {"phone": number})
    for _ in range(200):
        if sent:
            break
        await asyncio.sleep(0.05)
    code = canaries.plant("code", re.search(r"\d{6}", sent[0]["text"])[0])  # type: ignore[index]
    request = {"request_id": ticket["request_id"]}
    wrong = canaries.plant("wrong code", "908172" if code != "908172" else "908173")
    await visitor.ask("POST", "/api/v1/auth/code/verify", {**request, "code": wrong})
    grant = await visitor.ask("POST", "/api/v1/auth/code/verify", {**request, "code": code})
    keep(canaries, "by code", grant)
    await visitor.ask("POST", "/api/v1/auth/code/verify", {**request, "code": code})
    stranger = canaries.plant("phone of a stranger", "9822014477")
    await visitor.ask("POST", "/api/v1/auth/code", {"phone": f"+91{stranger}"})
    await visitor.ask("POST", "/api/v1/auth/code", {"phone": f"{stranger} or so"})
    await visitor.ask("GET", f"/api/v1/users/+91{stranger}/sessions")


async def webhooks(visitor: Visitor, canaries: Canaries) -> None:
    """Have endpoints told that take it, fail, lead elsewhere and are not there; and ask for one that cannot be."""
    headers = keep(canaries, "of webhooks", await visitor.ask("POST", "/api/v1/auth/login", ADMINISTRATOR))
    key = canaries.plant("key in a webhook's URL", "canary-webhook-key")
    async with endpoint_here() as endpoint:
        endpoint.answers, endpoint.headers = [500, 302], {"Location": f"http://169.254.169.254/?{key}"}
        for url in (f"{endpoint.url}?key={key}", f"http://127.0.0.1:{free_port()}/in?key={key}"):
            asked = {"url": url, "events": ["*"]}
            made = await visitor.ask("POST", "/api/v1/webhooks", asked, headers=headers)
            rotated = await visitor.ask("POST", f"/api/v1/webhooks/{made['id']}/secret", headers=headers)
            for which, secret in (("first", made["secret"]), ("second", rotated["secret"])):
                canaries.plant(f"{which} secret of a webhook to {url[:21]}", secret.removeprefix("whsec_"))
            for _ in range(3):
                await visitor.ask("POST", f"/api/v1/webhooks/{made['id']}/ping", headers=headers)
        async with asyncio.timeout(30):
            while len(endpoint.taken) < 3:
                await asyncio.sleep(0.05)
        for n, taken in enumerate(endpoint.taken):
            canaries.plant(f"signature {n}", taken.headers["webhook-signature"].split(",")[1].split(" ")[0])
    password = canaries.plant("password in a webhook's URL", "canary-url-password")
    refused: list[Any] = [f"https://u:{password}@example.com/", f"https://10.0.0.1/{password}", {"x": password}]
    for one in refused:
        await visitor.ask("POST", "/api/v1/webhooks", {"url": one, "events": ["*"]}, headers=headers)


async def records(visitor: Visitor, canaries: Canaries, bearer: dict[str, str]) -> None:
    """Push what is in order, what breaks rules, what clashes, and what cannot be read."""
    partner = {
        "legal_name": canaries.plant("name of a partner", "Canary Ginning Kadi"),
        "kind": '["buyer","seller"]',
        "pan": canaries.plant("PAN", "CNRPX4821K"),
        "branch_id": BRANCH,
    }
    path = "/api/v1/sync?last_pulled_at={}"

    async def push(cursor: Any, **lists: Any) -> Any:
        return await visitor.ask("POST", path.format(cursor), {"business_partners": lists}, headers=bearer)

    pulled = await visitor.ask("GET", "/api/v1/sync?last_pulled_at=null&schema_version=1", headers=bearer)
    cursor = pulled["timestamp"]
    kept = await push(cursor, created=[{"id": "canaryPartner001", **partner}])
    assert kept == {}, "the record with the canaries is stored"
    await push(cursor, created=[{"id": "canaryPartner002", **partner}])  # the PAN is taken
    await push(cursor, created=[{"id": "canaryPartner003", **partner, "pan": "not a PAN: CNRPX4821K"}])
    await push(cursor, created=[{"id": "canaryPartner004", **partner, "legal_name": {"CNRPX4821K": 1}}])
    await push(9_007_199_254_740_000, updated=[{"id": "canaryPartner001", **partner}])
    remark = canaries.plant("remark", "canary remark on moisture")
    for body in (
        f'{{"trades": {{"created": [{{"id": "x", "remarks": "{remark}" ',
        f'["{remark}"]',
        f'{{"trades": "{remark}", "trades": "{remark}"}}',
        f'{{"trades": {{"created": [{{"id": "{remark}"}}]}}}}',
        f'{{"trades": {{"created": "{remark}", "updated": "{remark}"}}}}',
        f'{{"trades": "\\u0000{remark}"}}',
        base64.b64encode(remark.encode()).decode(),
    ):
        await visitor.ask("POST", path.format("null"), body, headers=bearer)
    await visitor.ask("POST", path.format("null"), remark.encode(), headers={**bearer, "Content-Encoding": "gzip"})


async def break_rows(server: ServerProcess, visitor: Visitor, canaries: Canaries, bearer: dict[str, str]) -> None:
    """Have PostgreSQL refuse a row in its own words, which have the row in them."""
    async with inside(server) as connection:
        await connection.execute(
            "ALTER TABLE business_partners ADD CONSTRAINT canary CHECK (legal_name NOT LIKE '%Unlucky%') NOT VALID"
        )
        name = canaries.plant("name in a failing row", "Unlucky Canary Mills")
        row = {"id": "canaryPartner009", "legal_name": name, "kind": '["buyer","seller"]', "branch_id": BRANCH}
        body = {"business_partners": {"created": [row]}}
        await visitor.ask("POST", "/api/v1/sync?last_pulled_at=null", body, headers=bearer)
        await connection.execute("ALTER TABLE business_partners DROP CONSTRAINT canary")


@asynccontextmanager
async def inside(server: ServerProcess) -> AsyncIterator[asyncpg.Connection]:
    """Connect to the embedded PostgreSQL of the server."""
    connection = await asyncpg.connect(Cluster(server.data / "postgres").url())
    try:
        yield connection
    finally:
        await connection.close()


async def knock(visitor: Visitor, canaries: Canaries, bearer: dict[str, str]) -> None:
    """Ask for what is not there, with secrets wherever one can be put."""
    access = bearer["Authorization"].partition(" ")[2]
    proof = canaries.plant("proof", ".".join((access.split(".")[0], "Y2FuYXJ5LXByb29m" * 3, "c2lnbmF0dXJl" * 8)))
    headers = {
        "Cookie": f"__Host-cotton={canaries.plant('cookie', 'canary-cookie')}",
        "DPoP": proof,
        "X-Api-Key": canaries.plant("header", "canary-header"),
        "Proxy-Authorization": f"Basic {canaries.plant('basic', 'Y2FuYXJ5OmNhbmFyeS1wYXNz')}",
        "User-Agent": canaries.plant("user agent", "canary-agent/1.0"),
        "Referer": f"https://a.example/?t={canaries.plant('referrer', 'canary-referrer')}",
    }
    query = canaries.plant("query", "canary-query")
    e_mail = canaries.plant("e-mail", "canary.asha@vidarbha.example")
    for path in (
        f"/api/v1/sync?last_pulled_at={query}&schema_version=1",
        f"/api/v1/sync?migration={query}",
        f"/nothing?token={access}",
        f"/nothing/{access}",
        f"/users/{e_mail}",
        f"/healthz?{query}={query}",
        f"/api/v1/auth/sessions/{access}",
    ):
        for sent in (headers, {**headers, **bearer}, {**headers, "Authorization": f"Bearer {access}x"}):
            await visitor.ask("GET", path, headers=sent)
    await visitor.ask("GET", "/api/v1/sync", headers={"Authorization": f"Basic {headers['Proxy-Authorization'][6:]}"})
    broken = (
        b"GET / HTTP/1.1\r\nAuthorization Bearer " + canaries.plant("broken", "canary-broken").encode() + b"\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", visitor.server.port)
    writer.write(broken)
    visitor.seen.append((await reader.read()).decode())
    writer.close()
    await writer.wait_closed()


async def take_away(server: ServerProcess, valkey: Valkey, visitor: Visitor, bearer: dict[str, str]) -> None:
    """Kill Redis and then the database while requests with secrets are under way."""
    await valkey.stop()
    await visitor.ask("POST", "/api/v1/auth/login", {"username": "agent1", "password": "canary-wrong-password"})
    postmaster = Cluster(server.data / "postgres").postmaster()
    assert postmaster is not None
    os.kill(postmaster.pid, signal.SIGKILL)
    body = {"business_partners": {"updated": [{"id": "canaryPartner001", "legal_name": "Canary Ginning Kadi"}]}}
    for _ in range(10):
        await visitor.ask("POST", "/api/v1/sync?last_pulled_at=null", body, headers=bearer)
        await asyncio.sleep(0.05)


async def test_no_password_of_a_setting_is_told_when_the_server_cannot_start(server_process: MakeServerProcess) -> None:
    canaries = Canaries()
    url = (
        f"postgresql://cotton:{canaries.plant('password of the database', 'canary-database')}@127.0.0.1:{free_port()}/x"
    )
    redis = f"redis://:{canaries.plant('password of Redis', 'canary-redis')}@127.0.0.1:1/0"
    outputs = []
    for settings in (
        {"database_url": url, "redis_url": redis, "log_level": "debug"},
        {"database_url": url.replace("postgresql", "mysql"), "redis_url": redis},
        {"database_url": url, "redis_url": redis.replace("redis:", "http:")},
        {"database_url": url, "redis_url": redis, "workers": 2},
    ):
        server = await server_process(start=False, **settings)
        await server.start(wait=False)
        assert server.process is not None
        assert await asyncio.wait_for(server.process.wait(), 60) != 0
        outputs.append(server.output())

    assert all(outputs)
    assert [canaries.found_in(output) for output in outputs] == [{}] * len(outputs)
