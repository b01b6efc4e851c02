"""Small words for JSON Schema (2020-12, what OpenAPI 3.1 uses), so that a group of shapes reads like its JSON.

Owns: their spelling.
Must not know: any route or entity.
Invariant: each gives a schema of its own, which the caller may change (tests/contract/test_openapi.py validates all of them).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from erp_core.values import SAFE_ID

Schema: TypeAlias = dict[str, Any]

ID_PATTERN: Final = f"^{SAFE_ID.pattern}$"


def text(help: str = "", *, most: int | None = None, least: int | None = None, **more: Any) -> Schema:
    """A string of `least` to `most` characters."""
    bounds = {"minLength": least, "maxLength": most}
    return {"type": "string", **_given(bounds), **_said(help), **more}


def id_of(what: str) -> Schema:
    """The id of something."""
    return {"type": "string", "pattern": ID_PATTERN, "description": f"Id of {what}.", "examples": ["Wx3fP0kqB7dYt2Zr"]}


def whole(help: str = "", *, least: int | None = None, most: int | None = None, **more: Any) -> Schema:
    """A whole number within bounds, both included."""
    return {"type": "integer", **_given({"minimum": least, "maximum": most}), **_said(help), **more}


def moment(help: str) -> Schema:
    """A moment: milliseconds since 1970."""
    return whole(f"{help} Milliseconds since 1970, UTC.", least=0, examples=[1_795_430_000_123])


def flag(help: str = "", **more: Any) -> Schema:
    """True or false."""
    return {"type": "boolean", **_said(help), **more}


def choice(*words: str, help: str = "") -> Schema:
    """One of some words."""
    return {"type": "string", "enum": list(words), **_said(help)}


def listed(items: Schema, help: str = "", **more: Any) -> Schema:
    """An array."""
    return {"type": "array", "items": items, **_said(help), **more}


def mapped(values: Schema, help: str = "") -> Schema:
    """An object whose members are all of one shape."""
    return {"type": "object", "additionalProperties": values, **_said(help)}


def anything(help: str = "") -> Schema:
    """An object of any members."""
    return {"type": "object", "additionalProperties": True, **_said(help)}


def shape(
    members: Mapping[str, Schema], *, optional: Sequence[str] = (), closed: bool = True, help: str = "", **more: Any
) -> Schema:
    """An object; `optional`: members that may be left out; `closed`: others are refused, or never sent."""
    required = [name for name in members if name not in optional]
    made: Schema = {"type": "object", "properties": dict(members), **_said(help), **more}
    if required:
        made["required"] = required
    if closed:
        made["additionalProperties"] = False
    return made


def or_null(schema: Schema) -> Schema:
    """The same, or null."""
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    made = {**schema, "type": [*kinds, "null"]}
    if "enum" in schema:
        made["enum"] = [*schema["enum"], None]
    return made


def ref(name: str) -> Schema:
    """A schema of the document's components."""
    return {"$ref": f"#/components/schemas/{name}"}


def camel(words: str) -> str:
    """Spell a name as a type.

    >>> camel("business_partner"), camel("short-close")
    ('BusinessPartner', 'ShortClose')
    """
    return "".join(word[:1].upper() + word[1:] for word in words.replace("-", "_").split("_"))


def _said(help: str) -> Schema:
    return {"description": help} if help else {}


def _given(bounds: Mapping[str, int | None]) -> Schema:
    return {name: bound for name, bound in bounds.items() if bound is not None}
