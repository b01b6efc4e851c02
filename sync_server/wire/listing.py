"""The query of a list: what is asked for, read from the parameters; and the token of the place where a page ended.

Owns: the parameters of a list, as the table `PARAMETERS`, which documents are made from too; its conditions: filters.py.
Must not know: engine, store, aiohttp; what the asker may see.
Invariant: what passes names only fields of the table and values that such a field can have; the rest is refused, as a parameter
that were ignored would give what nobody asked for (tests/integration/test_listing.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from erp_core.catalogue import BY_TABLE
from erp_core.values import Reference
from sync_server.wire.filters import VALUE_MAX, Filter, UnknownParameter, field_of, is_sortable, read_filter
from sync_server.wire.places import Place, SortKey, read_after
from sync_server.wire.problems import Problem, shown

PAGE_MAX: Final = 200
PAGE_DEFAULT: Final = 50
FILTERS_MAX: Final = 8
SORT_MAX: Final = 3
INCLUDE_MAX: Final = 4
WORDS_MAX: Final = 5
PARAMETERS: Final[Mapping[str, str]] = {
    "limit": f"Records of a page, at most: 1 to {PAGE_MAX}.",
    "after": "The `next` of the page before, asked with the same `sort`.",
    "sort": f"Up to {SORT_MAX} fields, the first counting most; `-` before one: downwards. Empty values come last.",
    "fields": "The fields to give, beside `id`; else all that you see.",
    "q": f"Up to {WORDS_MAX} words, all of which the names of a record contain, in any case of letters.",
    "include": f"Up to {INCLUDE_MAX} fields that name a record: those records come along, as far as you see them.",
}
"""Parameters that are no fields; none of a field's name or of a field and an operator."""

# --- What is asked ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The query of a list. `after`: the sort keys and the id of the last record of the page before."""

    limit: int = PAGE_DEFAULT
    after: Place | None = None
    filters: tuple[Filter, ...] = ()
    sort: tuple[SortKey, ...] = ()
    fields: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    include: tuple[str, ...] = ()


def read_list(table: str, query: Sequence[tuple[str, str]]) -> ListQuery:
    """Read the parameters of a list. Raises Problem."""
    try:
        return _read_list(table, query)
    except UnknownParameter as unknown:
        raise unknown_field(table, str(unknown)) from None


def _read_list(table: str, query: Sequence[tuple[str, str]]) -> ListQuery:
    names = [name for name, _ in query]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise Problem("bad_parameter", f"{shown(twice)} is there twice.")
    given = dict(query)
    asked = {name: given.pop(name) for name in PARAMETERS if name in given}
    if len(given) > FILTERS_MAX:
        raise Problem("bad_parameter", f"At most {FILTERS_MAX} conditions can be asked for at once.")
    sort = _sort(table, asked.get("sort", ""))
    return ListQuery(
        read_limit(asked.get("limit", str(PAGE_DEFAULT))),
        read_after(table, sort, asked.get("after", "")),
        tuple(read_filter(table, name, text) for name, text in given.items()),
        sort,
        _names(table, "fields", asked.get("fields", ""), len(BY_TABLE[table].all_fields)),
        _words(asked.get("q", "")),
        read_include(table, asked.get("include", "")),
    )


def unknown_field(table: str, name: str) -> Problem:
    """Make the refusal of a parameter that is no field, or none that the asker ever sees: both the same."""
    others = ", ".join(PARAMETERS)
    return Problem("bad_parameter", f"{shown(name)} is none of {others} and the fields of {table} that you see.")


def read_limit(text: str, most: int = PAGE_MAX) -> int:
    """Read how many a page may hold. Raises Problem."""
    if not re.fullmatch(f"[0-9]{{1,{len(str(most))}}}", text) or not 1 <= int(text) <= most:
        raise Problem("bad_parameter", f"limit must be a whole number from 1 to {most}.")
    return int(text)


def read_include(table: str, text: str) -> tuple[str, ...]:
    """Read which references are to bring their records along. Raises Problem."""
    try:
        names = _names(table, "include", text, INCLUDE_MAX)
    except UnknownParameter as unknown:
        raise unknown_field(table, str(unknown)) from None
    for name in names:
        if name == "id" or not isinstance(BY_TABLE[table].by_name[name].type, Reference):
            raise Problem("bad_parameter", f"{name} names no record that could be included.")
    return names


def _names(table: str, parameter: str, text: str, most: int) -> tuple[str, ...]:
    names = text.split(",") if text else []
    if len(names) > most or len(set(names)) < len(names):
        raise Problem("bad_parameter", f"{parameter} takes at most {most} fields, each once.")
    for name in names:
        field_of(table, name)
    return tuple(names)


def _sort(table: str, text: str) -> tuple[SortKey, ...]:
    keys = tuple(SortKey(name.removeprefix("-"), name.startswith("-")) for name in text.split(",")) if text else ()
    if len(keys) > SORT_MAX or len({key.field for key in keys}) < len(keys):
        raise Problem("bad_parameter", f"sort takes at most {SORT_MAX} fields, each once.")
    for key in keys:
        if not is_sortable(field_of(table, key.field)):
            raise Problem("bad_parameter", f"A list cannot be sorted by {key.field}.")
    return keys


def _words(text: str) -> tuple[str, ...]:
    words = tuple(text.split())
    if len(text) > VALUE_MAX or "\0" in text or len(words) > WORDS_MAX or (text and not words):
        raise Problem("bad_parameter", f"q takes 1 to {WORDS_MAX} words of {VALUE_MAX} characters together.")
    return words


# --- Preferences --------------------------------------------------------------------------------------------------------

_PREFERENCE: Final = re.compile(r'\s*([A-Za-z-]+)\s*(?:=\s*"?([A-Za-z]*)"?)?\s*')


def preferences(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Read `Prefer` (RFC 7240): preference -> its value, "" without one; the first of a name counts.

    >>> dict(preferences({"Prefer": 'respond-async, count=exact; x=1, return="minimal"'}))
    {'respond-async': '', 'count': 'exact', 'return': 'minimal'}
    """
    found: dict[str, str] = {}
    for said in headers.get("Prefer", "").split(","):
        read = _PREFERENCE.fullmatch(said.partition(";")[0])
        if read is not None:
            found.setdefault(read[1].lower(), (read[2] or "").lower())
    return found
