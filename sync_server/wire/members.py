"""The members of a body: an object of those that are known, and of those that are needed.

Owns: what a body is told that is none.
Must not know: what a member means.
Invariant: a member that nobody reads is refused with its name, never passed over (tests/integration/test_notices_api.py,
tests/integration/test_privacy_api.py, tests/integration/test_webhooks.py, tests/integration/test_numbers.py).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sync_server.wire.problems import Problem, pointer


def read_members(body: Any, known: Collection[str], needed: Collection[str] = ()) -> dict[str, Any]:
    """Give the members of a body: those of `known` that it has, all of `needed` among them. Raises Problem."""
    if not isinstance(body, dict):
        raise Problem("wrong_type", "A JSON object is needed.", pointer="")
    for name in body:
        if name not in known:
            raise Problem("unknown_member", pointer=pointer(name))
    for name in needed:
        if name not in body:
            raise Problem("missing_field", f"{name} is needed.", pointer=pointer(name))
    return body
