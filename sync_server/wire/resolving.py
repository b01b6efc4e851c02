"""Resolutions on the wire: how an issue is settled.

Owns: the members of the request and of the answer.
Must not know: engine, store, aiohttp.
Invariant: an unknown member, column or word is answered with a pointer and without any effect
(tests/integration/test_resolving.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from erp_core.catalogue import BY_TABLE
from erp_core.language import Violation
from erp_core.values import Plain
from sync_server.wire.problems import Problem, pointer, shown
from sync_server.wire.records import ShownRecord, read_values, refusal, write_record

HOW: Final = ("mine", "theirs", "edited", "discard")
_MEMBERS: Final = ("how", "values")


@dataclass(frozen=True, slots=True)
class Resolution:
    """A resolution as asked; `sent`: the columns to write otherwise, not looked at yet."""

    how: str
    sent: Mapping[str, Any]

    def values(self, table: str) -> Mapping[str, Plain]:
        """Read the columns for the table that the issue is about. Raises Problem."""
        values = read_values(table, self.sent, "values")
        for name in values:
            if BY_TABLE[table].by_name[name].derived:
                raise Problem("read_only", f"{name} is the server's own.", pointer=pointer("values", name))
        return values

    def refusal(self, reasons: Iterable[Violation]) -> Problem:
        """Make the problem of a resolution that the rules refuse, with pointers to those fields that were sent."""
        return refusal(reasons, lambda name: pointer("values", name) if name in self.sent else None)


def read_resolution(body: Any) -> Resolution:
    """Read a resolution (parsed JSON). Raises Problem."""
    if not isinstance(body, dict):
        raise Problem("wrong_type", "A resolution is a JSON object.", pointer="")
    for name in body:
        if name not in _MEMBERS:
            raise Problem("unknown_member", f"{shown(name)} is none of {', '.join(_MEMBERS)}.", pointer=pointer(name))
    if "how" not in body:
        raise Problem("missing_field", "how says what becomes of the issue.", pointer="/how")
    how, values = body["how"], body.get("values", {})
    if how not in HOW:
        raise Problem("invalid_value", f"how must be one of {', '.join(HOW)}.", pointer="/how")
    if not isinstance(values, dict):
        raise Problem("wrong_type", "values must be an object with columns of the record.", pointer="/values")
    if how == "edited" and not values:
        raise Problem("missing_field", "values must say what is to be written.", pointer="/values")
    if how != "edited" and values:
        raise Problem("invalid_value", "Only what is edited has values.", pointer="/values")
    return Resolution(how, values)


def write_settled(issue: ShownRecord | None, record: ShownRecord | None) -> bytes:
    """Write the issue and its record; null for what is gone, or out of sight."""
    said = [(b'"issue"', issue), (b'"record"', record)]
    members = (name + b":" + (orjson.dumps(None) if one is None else write_record(one)) for name, one in said)
    return b"{" + b",".join(members) + b"}"
