"""Records over REST: one record, or a page of a table, as JSON; and the bodies and tags that ask for them.

Owns: the shape of a record that is sent or given, of a page, and entity tags. The query of a list: listing.py.
Must not know: engine, store, aiohttp; what the values mean.
Invariant: what passes has only columns of the table and values of the declared JSON type, as in a push
(wire/changes.py; tests/integration/test_mass_assignment.py), and no field that is hidden is in what is given.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

import orjson

from conflict.mutation import Mutation, Operation
from erp_core.catalogue import BY_TABLE
from erp_core.language import Field, Violation
from erp_core.values import SAFE_ID, Plain
from sync_server.wire.problems import Problem, pointer, shown

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
        check_type(fields[name], value, *place)
        values[name] = value
    return values


def check_type(field: Field, value: Any, *place: str) -> None:
    """Refuse a value of a JSON type that the field is not sent in; `place`: where the record is. Raises Problem."""
    if type(value) not in field.type.accepts:
        wanted = " or ".join(sorted({_JSON_NAMES[t] for t in field.type.accepts} - {"null"}))
        sentence = f"{field.name} is a JSON {_JSON_NAMES.get(type(value), 'value')}; {wanted} is needed."
        raise Problem("wrong_type", sentence, pointer=pointer(*place, field.name))


# --- Entity tags --------------------------------------------------------------------------------------------------------

_TAG: Final = re.compile(r'"([0-9]{1,16})"')


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


def write_record(record: ShownRecord, fields: Collection[str] = ()) -> bytes:
    """Write a record without what is hidden; `fields`: nothing but these and the id."""
    if not record.hidden and not fields:
        return record.payload.encode()
    document = orjson.loads(record.payload)
    wanted = {"id", *fields} if fields else document.keys()
    return orjson.dumps({n: value for n, value in document.items() if n in wanted and n not in record.hidden})


def write_page(
    records: Sequence[ShownRecord],
    following: str | None,
    *,
    fields: Collection[str] = (),
    included: Mapping[str, Sequence[ShownRecord]] | None = None,
    count: tuple[int, bool] | None = None,
) -> bytes:
    """Write a page: the records, and `next`, from which the page behind it follows; null at the end.

    `included`: table -> records that these name. `count`: how many all pages hold, and whether that is all of them.
    """
    listed = b",".join(write_record(one, fields) for one in records)
    parts = [b'"records":[' + listed + b"]", b'"next":' + orjson.dumps(following)]
    if included is not None:
        tables = (
            orjson.dumps(t) + b":[" + b",".join(map(write_record, several)) + b"]" for t, several in included.items()
        )
        parts.append(b'"included":{' + b",".join(tables) + b"}")
    if count is not None:
        parts.append(b'"count":%d,"count_is":"%b"' % (count[0], b"exact" if count[1] else b"at_least"))
    return b"{" + b",".join(parts) + b"}"


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
