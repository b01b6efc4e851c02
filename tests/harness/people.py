"""People for tests of logins: two organisations with somebody of every kind, and clients that keep what a login gave.

Owns: who they are.
Must not know: how a login works.
Invariant: everybody has PASSWORD, and a role where it says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sync_server.identity.people import add_user
from sync_server.store.database import Database
from tests.harness.servers import Server

PASSWORD = "correct horse battery"
ORG, OTHER = "org.1", "org.2"
PEOPLE = {
    # login name -> organisation, id, role
    "asha": (ORG, "u1", "agent"),
    "bela": (ORG, "u2", "agent"),
    "mina": (ORG, "u3", "manager"),
    "rekha": (ORG, "u4", "administrator"),
    "ravi": (OTHER, "u1", "administrator"),
}

Answer = tuple[int, Any]


async def settle(database: Database) -> Database:
    """Insert everybody, with their roles over their whole organisation."""
    async with database.acquire_everywhere() as connection:
        for org_id in (ORG, OTHER):
            await connection.execute("SELECT found_roles($1)", org_id)
        for username, (org_id, user_id, role) in PEOPLE.items():
            await add_user(
                connection, org_id=org_id, user_id=user_id, username=username, name=username, password=PASSWORD
            )
            await connection.execute(
                "INSERT INTO grants (org_id, id, user_id, role_id) VALUES ($1, $2, $2, $3)", org_id, user_id, role
            )
    return database


@dataclass
class Client:
    """Somebody at a device: sends the access token of the last login or refresh."""

    server: Server
    username: str
    device: dict[str, Any] | None = None
    grant: dict[str, Any] = field(default_factory=dict)

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Ask; give the status and the parsed answer, None if there is no body."""
        token = self.grant.get("access_token")
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.server.session.request(
            method, f"/api/v1{path}", json=body, headers={**sent, **headers}
        ) as answer:
            text = await answer.text()
            return answer.status, await answer.json(content_type=None) if text else None

    async def login(self, password: str = PASSWORD, **device: Any) -> Answer:
        """Log in, with the device if there is one; keep what it gives."""
        if device or self.device is not None:
            self.device = {**(self.device or {}), **device}
        body = {"username": self.username, "password": password, "device": self.device}
        status, answer = await self.ask("POST", "/auth/login", body)
        if status == 200:
            self.grant = answer
        return status, answer

    async def refresh(self, token: str | None = None, **headers: str) -> Answer:
        """Refresh with the kept token, or another; keep what it gives."""
        body = {"refresh_token": token or self.grant["refresh_token"]}
        status, answer = await self.ask("POST", "/auth/refresh", body, **headers)
        if status == 200:
            self.grant = {**self.grant, **answer}
        return status, answer

    async def is_in(self) -> int:
        """Ask something that needs a login; give the status."""
        return (await self.ask("GET", "/sync/schema"))[0]


async def logged_in(server: Server, username: str, **device: Any) -> Client:
    """Make a client that has logged in."""
    client = Client(server, username)
    status, answer = await client.login(**device)
    assert status == 200, answer
    return client
