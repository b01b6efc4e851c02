"""Somebody at a desk, for tests of REST: asks over HTTP as a user of a house, and keeps every byte of the answers.

Owns: opening the session, and the requests.
Must not know: what an answer should be.
Invariant: nothing is asked without a live session of that user.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sync_server.store.actor import Actor
from sync_server.web import keys
from tests.harness.servers import Server
from tests.harness.stock import open_session
from tests.harness.world import House


@dataclass(frozen=True)
class Answer:
    """An answer: its status, its JSON (None: no body), its headers."""

    status: int
    json: Any
    headers: Mapping[str, str]

    @property
    def reasons(self) -> list[str]:
        """The reason codes of a refusal."""
        return [reason["code"] for reason in self.json.get("reasons", ())]


@dataclass
class Clerk:
    """A user of a house at a desk; `seen` has the headers and bodies of all answers."""

    server: Server
    actor: Actor
    headers: Mapping[str, str] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Ask below /api/v1; a header's underscores stand for hyphens."""
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with self.server.session.request(method, f"/api/v1{path}", json=body, headers=sent) as answer:
            text = await answer.text()
            self.seen += [str(answer.headers), text]
            return Answer(answer.status, json.loads(text) if text else None, answer.headers)


async def at_desk(server: Server, house: House, user: str, session: str = "") -> Clerk:
    """Open a session for `user` and seat them."""
    actor = house.actor(user, session or f"desk-of-{user}")
    await open_session(server, actor)
    assert server.app is not None
    return Clerk(server, actor, {"Authorization": f"Bearer {server.app[keys.TOKENS].issue(actor)}"})
