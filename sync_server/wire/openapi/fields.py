"""The fields of an entity as JSON Schema: as they are given, as they are sent, and as they are asked for in a list.

Owns: for each value type, its plain form in words of JSON Schema, with bounds, words, units and who may see and write it.
Must not know: any one entity.
Invariant: what the schema of something sent refuses, the server refuses (tests/acceptance/test_schemathesis.py,
negative_data_rejection); what it admits may still break a rule of the trade.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from erp_core.access import GUEST, MEMBER, OWN
from erp_core.language import Entity, Field, Fixed, Kind
from erp_core.values import Choice, Day, Document, Flag, Instant, Integer, Number, Reference, Text, Words
from sync_server.wire.openapi.shapes import ID_PATTERN, Schema, or_null

KINDS: Final[Mapping[Kind, str]] = {
    Kind.ONCE: "Set once.",
    Kind.TALLY: "A count to which both sides of a clash add.",
    Kind.GUARDED: "A state; which may follow which, the rules say.",
    Kind.LOCKED: "Fixed once the record is no draft any more.",
    Kind.DERIVED: "The server's own; what is sent back is left as it was.",
}
"""What is said of how a field changes, where a client has to know (docs/MERGE.md has all)."""

DAY: Final = r"(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
SPELLED: Final = 'A JSON array in a string, as WatermelonDB keeps it: `"[\\"a\\",\\"b\\"]"`.'
WRAPPED: Final = "A JSON object in a string, as WatermelonDB keeps it."

WHO: Final[Mapping[str, str]] = {
    MEMBER: "everybody of the house",
    GUEST: "everybody, external partners included",
    OWN: "whose it is",
}


def title_of(name: str) -> str:
    """Spell a name for people.

    >>> title_of("price_per_candy")
    'Price per candy'
    """
    return name.replace("_", " ").capitalize()


def codes_in_words(codes: Sequence[str]) -> str:
    """Name permissions in a sentence.

    >>> codes_in_words(("desk.read", "own"))
    '`desk.read` or whose it is'
    """
    return " or ".join(WHO.get(code, f"`{code}`") for code in codes)


# --- As it is given -----------------------------------------------------------------------------------------------------


def given(field: Field) -> Schema:
    """Describe a field of a record that is given."""
    made = {**_plain(field), **_about(field)}
    if field.derived:
        made["readOnly"] = True
    return made if field.required else or_null(made)


def _plain(field: Field) -> Schema:
    match field.type:
        case Text(longest=longest, pattern=pattern, example=example):
            made: Schema = {"type": "string", "maxLength": longest}
            if pattern is not None:
                made |= {"pattern": f"^(?:{pattern.pattern})$", "examples": [example]}
            return made
        case Reference():
            return {"type": "string", "pattern": ID_PATTERN}
        case Choice(words=words):
            return {"type": "string", "enum": list(words)}
        case Integer(least=least, most=most):
            return {"type": "integer", "minimum": least, "maximum": most}
        case Number() as number:
            return _number(number)
        case Words(allowed=allowed, most=most, longest=longest):
            items = {"type": "string", "maxLength": longest} if allowed is None else {"enum": list(allowed)}
            return _wrapped({"type": "array", "items": items, "maxItems": most, "uniqueItems": True})
        case Document(longest=longest):
            return {**_wrapped({"type": "object"}), "maxLength": longest}
        case Flag() | Day() | Instant() as kind:
            return dict(_SIMPLE[type(kind)])


_SIMPLE: Final[Mapping[type, Schema]] = {
    Flag: {"type": "boolean"},
    Day: {"type": "string", "format": "date"},
    Instant: {"type": "integer", "minimum": 0},
}


def _number(number: Number) -> Schema:
    if number.plain_kind == "string":
        return {"type": "string", "pattern": rf"^-?[0-9]+\.[0-9]{{{number.places}}}$"}
    return {"type": "number", "minimum": _exact(number.least), "maximum": _exact(number.ceiling)}


def _exact(bound: Decimal) -> int | float:
    return int(bound) if bound == bound.to_integral_value() else float(bound)


def _wrapped(schema: Schema) -> Schema:
    return {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}


# --- As it is sent ------------------------------------------------------------------------------------------------------


def sent(field: Field, *, needed: bool) -> Schema:
    """Describe a field of a record that is sent; `needed`: it may not be empty. An empty string is as good as null."""
    about = _about(field)
    if field.derived:
        return {"type": _kinds(field), "readOnly": True, **about}
    made: Schema = {**_plain(field), **about}
    match field.type:
        case Text(pattern=pattern) if pattern is not None:
            made["pattern"] = f"^(?:{pattern.pattern}){'' if needed else '?'}$"
        case Reference():
            made["pattern"] = ID_PATTERN if needed else f"^({ID_PATTERN[1:-1]})?$"
        case Day():
            del made["format"]
            made["pattern"] = f"^{DAY}$" if needed else f"^({DAY})?$"
        case Instant():
            made["type"] = "number"
        case Number(plain_kind="string"):
            made = {**about, "type": ["string", "number"]}
        case Choice(words=words) if not needed:
            made["enum"] = [*words, ""]
        case Text():
            made |= {"minLength": 1} if needed else {}
    return made if needed else or_null(made)


def _kinds(field: Field) -> list[str]:
    names = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"}
    return sorted({names[accepted] for accepted in field.type.accepts})


# --- As it is asked for -------------------------------------------------------------------------------------------------


def asked(field: Field, most: int) -> Schema:
    """Describe a field as a parameter of a list; `most`: characters of a value."""
    made = _plain(field)
    match field.type:
        case Words() | Document() | Day():
            return {"type": "string", "maxLength": most, **({"format": "date"} if isinstance(field.type, Day) else {})}
        case Text(longest=longest):
            made["maxLength"] = min(longest, most)
        case Number(plain_kind="string") | Instant():
            return {"type": "number"}
    return made


# --- What is said of it -------------------------------------------------------------------------------------------------


def _about(field: Field) -> Schema:
    said = [_sentence(field.help), _sentence(_unit(field)), KINDS.get(field.change.kind, "")]
    if isinstance(field.type, Words):
        said.append(SPELLED)
    if isinstance(field.type, Document):
        said.append(WRAPPED)
    if isinstance(field.type, Instant):
        said.append("Milliseconds since 1970, UTC.")
    if field.unique:
        said.append("No two records of an organisation share a value.")
    said += [f"Seen with {codes_in_words(field.read)} only."] if field.read else []
    said += [f"Changed with {codes_in_words(field.write)} only."] if field.write else []
    made: Schema = {"title": title_of(field.name), "x-merge": field.change.kind.value}
    if text := " ".join(filter(None, said)):
        made["description"] = text
    if isinstance(field.type, Reference):
        made["x-refers-to"] = field.type.entity
    if field.change.when is not None:
        made["x-fixed-when"] = _fixed(field.change.when)
    made |= {name: list(codes) for name, codes in (("x-read", field.read), ("x-write", field.write)) if codes}
    return made


def _fixed(when: Fixed) -> Schema:
    return {"field": when.field, "not_one_of" if when.unless else "one_of": list(when.words)}


def _unit(field: Field) -> str:
    if not isinstance(field.type, Number):
        return ""
    unit = f"in {field.type.unit}, " if field.type.unit else ""
    return f"{unit}{field.type.places} decimal places; more are rounded half to even"


def _sentence(text: str) -> str:
    return text and text[0].upper() + text[1:].rstrip(".") + "."


def must_be_given(entity: Entity, field: Field) -> bool:
    """Say whether a new record is refused without the field."""
    return field.required and not field.derived and entity.empty()[field.name] is None
