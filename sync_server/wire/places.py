"""Where a page ended: the token that leads to the next one.

Owns: writing and reading it.
Must not know: engine, store, aiohttp.
Invariant: a token holds nothing that the last record of its page did not show, so it needs no seal; what was not written here,
or for another order, is refused (tests/integration/test_listing.py).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeAlias

import orjson

from erp_core.language import Field
from erp_core.values import SAFE_ID, Day, Flag, Instant, Integer, Number
from sync_server.wire.filters import field_of
from sync_server.wire.problems import Problem

TOKEN_MAX: Final = 6_000
"""Characters; a URL has room for no more."""

Place: TypeAlias = tuple[tuple[str | None, ...], str]
"""The sort keys of the last record of a page, as text, and its id."""


@dataclass(frozen=True, slots=True)
class SortKey:
    """A field to sort by."""

    field: str
    descending: bool


_READABLE: Final[Mapping[type, Callable[[str], object]]] = {
    Integer: lambda text: int(_matching("-?[0-9]{1,18}", text)),
    Instant: lambda text: int(_matching("[0-9]{1,15}", text)),
    Number: lambda text: _matching(r"-?[0-9]{1,20}(\.[0-9]{1,12})?", text),
    Day: date.fromisoformat,
    Flag: lambda text: _matching("true|false", text),
}
"""Type -> what raises ValueError of a text that PostgreSQL could not read as one; any text is a text."""


def _matching(pattern: str, text: str) -> str:
    if not re.fullmatch(pattern, text):
        raise ValueError
    return text


def write_next(sort: Sequence[SortKey], keys: Sequence[str | None], id: str) -> str:
    """Write where a page ended: the id where pages are sorted by ids, else a token of sort, keys and id."""
    if not sort:
        return id
    return base64.urlsafe_b64encode(orjson.dumps([_spelled(sort), list(keys), id])).decode().rstrip("=")


def read_after(table: str, sort: Sequence[SortKey], text: str) -> Place | None:
    """Read where the page before ended; None: there was none. Raises Problem."""
    if not text:
        return None
    if not sort:
        if not SAFE_ID.fullmatch(text):
            raise _no_place()
        return (), text
    try:
        if len(text) > TOKEN_MAX:
            raise ValueError
        spelled, keys, id = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True))
        if spelled != _spelled(sort) or not SAFE_ID.fullmatch(id):
            raise ValueError
        return tuple(_key(field_of(table, one.field), key) for one, key in zip(sort, keys, strict=True)), id
    except (ValueError, TypeError, binascii.Error, orjson.JSONDecodeError):
        raise _no_place() from None


def _key(field: Field, key: object) -> str | None:
    if key is None:
        return None
    if not isinstance(key, str) or "\0" in key:
        raise ValueError
    _READABLE.get(type(field.type), str)(key)
    return key


def _spelled(sort: Sequence[SortKey]) -> str:
    return ",".join(("-" if key.descending else "") + key.field for key in sort)


def _no_place() -> Problem:
    return Problem("bad_parameter", "after must be the `next` of the page before, asked with the same sort.")
