"""Payloads: a record's JSON as the log and the feed keep it, taken apart and put together.

Must not know: what the members mean.
Invariant: what is put together is read back as it was.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
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


def scrub(body: bytes, fields: Mapping[str, Collection[str]], copied: Collection[str]) -> bytes:
    """Empty fields (id -> names) of records wherever they are in a JSON document, and `copied` of what is about one of them.

    What is no JSON is emptied whole.

    >>> scrub(b'{"updated": [{"id": "p1", "name": "Asha", "kind": "owner"}]}', {"p1": {"name"}}, ())
    b'{"updated":[{"id":"p1","name":null,"kind":"owner"}]}'
    """
    try:
        return orjson.dumps(_scrubbed(orjson.loads(body), fields, copied))
    except orjson.JSONDecodeError:
        return b"{}"


def _scrubbed(value: Any, fields: Mapping[str, Collection[str]], copied: Collection[str]) -> Any:
    if isinstance(value, list):
        return [_scrubbed(one, fields, copied) for one in value]
    if not isinstance(value, dict):
        return value
    names = set(fields.get(str(value.get("id")), ()))
    if str(value.get("record_id")) in fields:
        names |= set(copied)
    return {name: None if name in names else _scrubbed(one, fields, copied) for name, one in value.items()}
