"""Payloads: a record's JSON as the log and the feed keep it, taken apart and put together.

Must not know: what the members mean.
Invariant: what is put together is read back as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson


def take_apart(payload: str | bytes) -> dict[str, Any]:
    """Read a payload: name -> value, as JSON has it.

    >>> take_apart(put_together({"id": "t1", "bales": 50}))
    {'id': 't1', 'bales': 50}
    """
    members: dict[str, Any] = orjson.loads(payload)
    return members


def put_together(members: Mapping[str, Any]) -> str:
    """Write a payload."""
    return orjson.dumps(members).decode()
