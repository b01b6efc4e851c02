"""Records over REST: one record, or a page of a table, as JSON; and the bodies, parameters and tags that ask for them.

Owns: the shape of a record that is sent or given, of a page, the query of a list, and entity tags.
Must not know: engine, store, aiohttp; what the values mean.
Invariant: what passes has only columns of the table and values of the declared JSON type, as in a push
(wire/changes.py; tests/integration/test_mass_assignment.py), and no field that is hidden is in what is given.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson

from conflict.mutation import Mutation, Operation
from erp_core.catalogue import BY_TABLE
from erp_core.language import Field, Violation
from erp_core.values import SAFE_ID, Plain, Unreadable
from sync_server.wire.problems import Problem, pointer, shown

PAGE_MAX: Final = 200
PAGE_DEFAULT: Final = 50
MATCHES_MAX: Final = 8
"""Fields that one list may be asked for."""

VALUE_MAX: Final = 200
"""Characters of a value that is asked for."""

_JSON_NAMES: Final[Mapping[type, str]] = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    type(None): "null",
    dict: "object",
    list: "array",
}


# --- What is sent -------------------------------------------------------------------------------------------------------


def read_new(table: str, body: Any) -> Mutation:
    """Read the body of a creation; `id` may be left out and is then made here. Raises Problem."""
    id = body.get("id") if isinstance(body, dict) else None
    if id is None:
        id = secrets.token_hex(8)
    elif not isinstance(id, str) or not SAFE_ID.fullmatch(id):
        raise Problem("unsafe_id", pointer=pointer("id"))
    return Mutation(table, id, Operation.CREATED, read_values(table, body))


def read_patch(table: str, id: str, body: Any) -> Mutation:
    """Read a merge patch (RFC 7396): null empties a field, what is left out stays. Raises Problem."""
    values = read_values(table, body)
    if body.get("id", id) != id:
        raise Problem("invalid_value", "The id of a record cannot be changed.", pointer=pointer("id"))
    return Mutation(table, id, Operation.UPDATED, values)


def deletion(table: str, id: str) -> Mutation:
    """Make the mutation that deletes a record."""
    return Mutation(table, id, Operation.DELETED, {})


def read_values(table: str, body: Any, *place: str) -> dict[str, Plain]:
    """Read the columns of a record, but for its id; `place`: where in the body they are. Raises Problem."""
    if not isinstance(body, dict):
        raise Problem("wrong_type", "The body must be an object with the fields of the record.", pointer="")
    fields = BY_TABLE[table].by_name
    values: dict[str, Plain] = {}
    for name, value in body.items():
        if name == "id":
            continue
        if name not in fields:
            raise Problem("unknown_column", f"{table} has no column {shown(name)}.", pointer=pointer(*place, name))
        if type(value) not in fields[name].type.accepts:
            wanted = " or ".join(sorted({_JSON_NAMES[t] for t in fields[name].type.accepts} - {"null"}))
            sentence = f"{name} is a JSON {_JSON_NAMES.get(type(value), 'value')}; {wanted} is needed."
            raise Problem("wrong_type", sentence, pointer=pointer(*place, name))
        values[name] = value
    return values


# --- What is asked for --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The query of a list: `equal` has (field, value in JSON)."""

    limit: int
    after: str
    equal: tuple[tuple[str, str], ...]


def read_list(table: str, query: Sequence[tuple[str, str]]) -> ListQuery:
    """Read `?limit=&after=&field=value`. Raises Problem: an unknown parameter would give what nobody asked for."""
    names = [name for name, _ in query]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise Problem("bad_parameter", f"{shown(twice)} is there twice.")
    given = dict(query)
    limit, after = _limit(given.pop("limit", str(PAGE_DEFAULT))), given.pop("after", "")
    if after and not SAFE_ID.fullmatch(after):
        raise Problem("bad_parameter", "after must be the id with which the page before ended: its `next`.")
    if len(given) > MATCHES_MAX:
        raise Problem("bad_parameter", f"At most {MATCHES_MAX} fields can be asked for at once.")
    return ListQuery(limit, after, tuple((name, _value(table, name, text)) for name, text in given.items()))


def unknown_field(table: str, name: str) -> Problem:
    """Make the refusal of a parameter that is no field, or none that the asker ever sees: both the same."""
    return Problem("bad_parameter", f"{shown(name)} is none of limit, after and the fields of {table} that you see.")


def _limit(text: str) -> int:
    if not re.fullmatch("[0-9]{1,3}", text) or not 1 <= int(text) <= PAGE_MAX:
        raise Problem("bad_parameter", f"limit must be a whole number from 1 to {PAGE_MAX}.")
    return int(text)


def _value(table: str, name: str, text: str) -> str:
    """Turn the text of a parameter into the JSON that a record has in this field; empty: the field is empty."""
    field = BY_TABLE[table].by_name.get(name)
    if field is None:
        raise unknown_field(table, name)
    if len(text) > VALUE_MAX or "\0" in text:
        raise Problem("bad_parameter", f"{name} cannot be asked for by this value.")
    if not text:
        return "null"
    try:
        return orjson.dumps(field.type.plain(field.type.read(_plain(field, text)))).decode()
    except (Unreadable, ValueError):
        raise Problem("bad_parameter", f"No record has this value in {name}.") from None


def _plain(field: Field, text: str) -> Plain:
    """Give the plain form of a text. Raises ValueError."""
    if field.type.plain_kind == "boolean":
        if text not in ("true", "false"):
            raise ValueError
        return text == "true"
    if field.type.plain_kind == "number":
        return int(text) if re.fullmatch("[0-9]{1,15}", text) else float(text)
    return text


# --- Entity tags --------------------------------------------------------------------------------------------------------

_TAG: Final = re.compile(r'"([0-9]{1,16})"')


def prefers_merge(headers: Mapping[str, str]) -> bool:
    """Say whether the client prefers a merge to being told of a clash (RFC 7240: a preference of our own)."""
    return "merge" in (said.partition(";")[0].strip().lower() for said in headers.get("Prefer", "").split(","))


def tag_of(position: int) -> str:
    """Write a record's position as its entity tag (RFC 9110, 8.8.3)."""
    return f'"{position}"'


def read_if_match(header: str | None) -> int | None:
    """Read `If-Match`: the position of the record that the client has; None: any. Raises Problem for a tag of nobody's.

    Of several tags the newest counts: the client holds one of them.
    """
    if header is None or header.strip() == "*":
        return None
    found = [int(tag) for tag in _TAG.findall(header)]
    if not found:
        raise Problem("changed_meanwhile", "If-Match has no tag of this record; send the ETag with which it came.")
    return max(found)


# --- What is given ------------------------------------------------------------------------------------------------------


class ShownRecord(Protocol):
    """A record to give: its JSON, and the fields that are to be left out."""

    @property
    def id(self) -> str: ...
    @property
    def payload(self) -> str: ...
    @property
    def hidden(self) -> Collection[str]: ...


def write_record(record: ShownRecord) -> bytes:
    """Write a record without what is hidden."""
    if not record.hidden:
        return record.payload.encode()
    document = orjson.loads(record.payload)
    return orjson.dumps({name: value for name, value in document.items() if name not in record.hidden})


def write_page(records: Sequence[ShownRecord], *, more: bool) -> bytes:
    """Write a page: the records, and `next`, the id to go on after; null at the end."""
    following = orjson.dumps(records[-1].id if more else None)
    return b'{"records":[' + b",".join(map(write_record, records)) + b'],"next":' + following + b"}"


# --- Refusals -----------------------------------------------------------------------------------------------------------

_FORBIDDEN: Final = frozenset({"not_allowed", "out_of_scope", "own_rights", "more_than_had", "out_of_reach"})


def refusal(reasons: Iterable[Violation], place: Callable[[str], str | None] = pointer) -> Problem:
    """Make the problem of a change that was refused, with every reason: code, sentence, and pointers to the fields.

    `place`: where in the body a field is; None: it was not sent.
    """
    listed = [
        {
            "code": r.code,
            "sentence": r.sentence,
            "pointers": [at for name in r.fields if (at := place(name)) is not None],
        }
        for r in reasons
    ]
    codes = {reason["code"] for reason in listed}
    code = "unknown_reference" if codes == {"unknown_reference"} else "rule_broken"
    if codes & _FORBIDDEN:
        code = "forbidden"
    first = listed[0]
    where = first["pointers"][0] if first["pointers"] else None
    return Problem(code, str(first["sentence"]), pointer=where, reasons=listed)
