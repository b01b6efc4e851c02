"""Exchanges on the wire: the request of our own clients, and verdicts in the answer.

Owns: the members of the request and of a verdict.
Must not know: engine, store. Changes and pulls have their shapes from changes.py and pulling.py.
Invariant: an unknown member, or a wrong one, is answered with a pointer and without any effect
(tests/integration/test_exchange.py).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson

from conflict.mutation import Mutation
from erp_core.values import SAFE_ID
from sync_server.wire.changes import read_changes
from sync_server.wire.problems import Problem, pointer, shown
from sync_server.wire.pulling import PullParameters, read_pull
from sync_server.wire.slicing import read_budget

PUSH_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MEMBERS: Final = frozenset(
    {"push_id", "last_pulled_at", "schema_version", "migration", "changes", "sent_at", "budget_bytes", "author"}
)
_LATEST_MS: Final = 2**53


@dataclass(frozen=True, slots=True)
class ExchangeParameters:
    """An exchange as asked. `sent_at`: the device's clock in milliseconds since 1970; `budget`: bytes of a slice.

    `author`: whose changes these are; None: the session's user's.
    """

    push_id: str
    asked: PullParameters
    mutations: Sequence[Mutation]
    holds_issues: bool
    sent_at: int | None = None
    budget: int | None = None
    author: str | None = None


class Verdict(Protocol):
    """What became of a record; what is None or empty is left out."""

    @property
    def table(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def verdict(self) -> str: ...
    @property
    def set(self) -> Mapping[str, Any]: ...
    @property
    def issue(self) -> str | None: ...
    @property
    def code(self) -> str | None: ...
    @property
    def sentence(self) -> str | None: ...
    @property
    def fields(self) -> Sequence[str]: ...
    @property
    def outcomes(self) -> Sequence[Mapping[str, Any]]: ...


def read_exchange(body: Any, *, records_max: int) -> ExchangeParameters:
    """Read an exchange (parsed JSON). Raises Problem."""
    if not isinstance(body, dict):
        raise Problem("wrong_type", "An exchange is a JSON object.", pointer="")
    for name in body:
        if name not in _MEMBERS:
            known = ", ".join(sorted(_MEMBERS))
            raise Problem("unknown_member", f"{shown(name)} is none of {known}.", pointer=pointer(name))
    changes = {} if body.get("changes") is None else body["changes"]
    try:
        mutations = read_changes(changes, records_max=records_max)
    except Problem as problem:
        raise problem.under("changes") from None
    push_id = body.get("push_id")
    if not isinstance(push_id, str) or not PUSH_ID.fullmatch(push_id):
        sentence = "push_id must name this push on this device: 1 to 64 letters, digits, '_', '.' or '-'."
        raise Problem("bad_parameter", sentence, pointer="/push_id")
    return ExchangeParameters(
        push_id,
        _asked(body),
        mutations,
        "sync_issues" in changes or not mutations,
        _whole(body, "sent_at", 0, _LATEST_MS),
        read_budget(body),
        _author(body),
    )


def _author(body: Mapping[str, Any]) -> str | None:
    author = body.get("author")
    if author is not None and (not isinstance(author, str) or not SAFE_ID.fullmatch(author)):
        raise Problem("unsafe_id", "author must be the id of a user.", pointer="/author")
    return author


def _asked(body: Mapping[str, Any]) -> PullParameters:
    """Read the half that is a pull, by the rules of its query."""
    texts = {}
    for name in ("last_pulled_at", "schema_version"):
        value = body.get(name)
        if value is not None and type(value) is not int:
            raise Problem("wrong_type", f"{name} must be a whole number or null.", pointer=pointer(name))
        texts[name] = "null" if value is None else str(value)
    texts["migration"] = orjson.dumps(body.get("migration")).decode()
    return read_pull(texts)


def _whole(body: Mapping[str, Any], name: str, least: int, most: int) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if type(value) is not int or not least <= value < most:
        raise Problem("bad_parameter", f"{name} must be a whole number from {least} up.", pointer=pointer(name))
    return value


# --- Answers ----------------------------------------------------------------------------------------------------------


def write_verdicts(told: Iterable[Verdict]) -> bytes:
    """Write verdicts as a JSON array."""
    return orjson.dumps([_verdict(one) for one in told])


def _verdict(one: Verdict) -> dict[str, Any]:
    also = {"set": one.set, "issue": one.issue, "code": one.code, "sentence": one.sentence}
    lists = {"fields": list(one.fields), "outcomes": list(one.outcomes)}
    told = {name: value for name, value in (also | lists).items() if value}
    return {"table": one.table, "id": one.id, "verdict": one.verdict, **told}


def only_verdicts(told: Iterable[Verdict]) -> bytes:
    """Write an answer that is nothing but verdicts: to who handed in another's changes."""
    return b'{"verdicts":' + write_verdicts(told) + b"}"


def with_verdicts(answer: bytes, verdicts: bytes) -> bytes:
    """Put verdicts in front of the members of an answer (the JSON object of a pull)."""
    return b'{"verdicts":' + verdicts + b"," + answer[1:]


async def stream_with_verdicts(answer: AsyncIterator[bytes], verdicts: bytes) -> AsyncIterator[bytes]:
    """Do the same with an answer that comes piece by piece."""
    first = True
    async for piece in answer:
        yield with_verdicts(piece, verdicts) if first else piece
        first = False
