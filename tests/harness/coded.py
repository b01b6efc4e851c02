"""People who log in with codes, and the way from a test to a server that sends them.

Owns: two organisations whose people have numbers, and the requests of an app that logs in with a code.
Must not know: how codes are counted or kept.
Invariant: `ask` and `verify` give the answer as it is; `log_in` fails unless it succeeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import asyncpg

from sync_server.identity.passwords import hash_password
from sync_server.store.people import insert_person
from tests.harness.gateway import Gateway, all_sent
from tests.harness.servers import Server

ASHA, RAVI, GONE, NOBODY = "+919825012345", "+919825012346", "+919825012347", "+919825012399"
"""Asha works for org.1, Ravi for both, Gone has left org.1, and nobody has the last."""

PASSWORD = "correct horse battery"
Answer = tuple[int, dict[str, Any]]


async def settle(url: str) -> None:
    """Insert the organisations, their roles and people; all have PASSWORD."""
    hashed = await hash_password(PASSWORD)
    connection = await asyncpg.connect(url)
    try:
        for org_id in ("org.1", "org.2"):
            await connection.execute(
                "INSERT INTO organisations (org_id, id, legal_name) VALUES ($1, $1, 'House ' || $1)", org_id
            )
            await connection.execute("SELECT found_roles($1)", org_id)
        for org_id, user_id, phone in (
            ("org.1", "asha", ASHA),
            ("org.1", "ravi", RAVI),
            ("org.2", "ravi2", RAVI),
            ("org.1", "gone", GONE),
            ("org.1", "boss", None),
        ):
            await insert_person(
                connection,
                org_id=org_id,
                user_id=user_id,
                username=user_id,
                name=user_id,
                password_hash=hashed,
                phone=phone,
            )
        await connection.execute("UPDATE users SET is_active = false WHERE id = 'gone'")
        await connection.execute(
            "INSERT INTO grants (org_id, id, user_id, role_id) VALUES ('org.1', 'g1', 'boss', 'manager')"
        )
    finally:
        await connection.close()


@dataclass
class App:
    """An app on a device, and the server and gateway that it deals with."""

    server: Server
    gateway: Gateway
    url: str
    device: str = "device-1"

    async def post(self, path: str, body: Any, token: str = "") -> Answer:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.server.session.post(f"/api/v1/auth/{path}", json=body, headers=headers) as answer:
            return answer.status, (await answer.json(content_type=None)) if answer.status != 204 else {}

    async def ask(self, number: str, device: str | None = None) -> Answer:
        """Ask for a code, and wait until it is sent, if it is."""
        answer = await self.post("code", {"phone": number, "device": {"id": device or self.device}})
        await all_sent(self.server)
        return answer

    async def verify(self, request_id: str, code: str, device: str | None = None, **more: Any) -> Answer:
        body = {"request_id": request_id, "code": code, "device": {"id": device or self.device}, **more}
        return await self.post("code/verify", body)

    async def code(self, number: str) -> tuple[str, str]:
        """Ask for a code; give request id and code."""
        status, asked = await self.ask(number)
        assert status == 202, asked
        return asked["request_id"], self.gateway.code_to(number)

    async def log_in(self, number: str, **more: Any) -> dict[str, Any]:
        status, grant = await self.verify(*await self.code(number), **more)
        assert status == 200, grant
        return grant

    async def password_login(self, username: str, code: str = "") -> Answer:
        return await self.post("login", {"username": username, "password": PASSWORD, "code": code})

    async def sql(self, statement: str, *arguments: Any) -> Any:
        """Run a statement beside the server; give its rows."""
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetch(statement, *arguments)
        finally:
            await connection.close()

    async def pass_time(self, interval: str) -> None:
        """Let all codes be older by so much."""
        await self.sql(
            "UPDATE code_request SET asked_at = asked_at - $1::text::interval, expires_at = expires_at - $1::text::interval",
            interval,
        )


def other(code: str) -> str:
    """Give a code that is not this one."""
    return f"{(int(code) + 1) % 10**6:06}"
