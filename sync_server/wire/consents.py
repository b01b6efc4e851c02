"""Consents and periods on the wire.

Owns: the members of bodies and answers.
Must not know: engine, store, what follows from a consent.
Invariant: a person is shown the very words that they agree to (tests/integration/test_consents.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from erp_core.consents import PURPOSES
from sync_server.wire.members import read_members
from sync_server.wire.moments import milliseconds
from sync_server.wire.problems import Problem, pointer


def write_consents(said: Sequence[Any], language: str) -> bytes:
    """Write the purposes, each with its words and what was said of it, and all that was ever said (store.consents.Said)."""
    newest = {one.purpose: one for one in reversed(said)}
    purposes = [
        {
            "purpose": one.name,
            "version": one.version,
            "words": one.words.get(language, one.words["en"]),
            "given": newest[one.name].given if one.name in newest else None,
            "at": milliseconds(newest[one.name].at) if one.name in newest else None,
        }
        for one in PURPOSES.values()
    ]
    history = [
        {"purpose": one.purpose, "given": one.given, "version": one.version, "at": milliseconds(one.at)} for one in said
    ]
    return orjson.dumps({"purposes": purposes, "history": history})


def read_consent(purpose: str, body: Any) -> tuple[bool, int]:
    """Read `{given, version}`: the words that were shown must be those that count now. Raises Problem."""
    said = read_members(body, ("given", "version"))
    given, version = said.get("given"), said.get("version")
    if not isinstance(given, bool):
        raise Problem("wrong_type", "given must be true or false.", pointer=pointer("given"))
    if given and version != PURPOSES[purpose].version:
        current = PURPOSES[purpose].version
        raise Problem(
            "invalid_value",
            f"The words are those of version {current}: show them, and ask.",
            pointer=pointer("version"),
        )
    return given, PURPOSES[purpose].version


def write_periods(periods: Sequence[Any]) -> bytes:
    """Write for how long things are kept (operate.retention.Period)."""
    return orjson.dumps({"kept": [{"what": one.what, "days": one.days, "why": one.why} for one in periods]})
