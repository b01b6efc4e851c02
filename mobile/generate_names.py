"""How names of the catalogue are written in TypeScript.

Must not know: files, WatermelonDB. Invariant: a name depends on the declaration alone (tests/unit/test_generate_mobile.py).
"""

from __future__ import annotations

import json

from erp_core.language import Entity, Field


def pascal(name: str) -> str:
    """
    >>> pascal("business_partner")
    'BusinessPartner'
    """
    return "".join(part.capitalize() for part in name.split("_"))


def camel(name: str) -> str:
    """
    >>> camel("created_at")
    'createdAt'
    """
    whole = pascal(name)
    return whole[:1].lower() + whole[1:]


def choice_name(entity: Entity, field: Field) -> str:
    """Name the type of a closed list: entity and field."""
    return pascal(entity.name) + pascal(field.name)


def quoted(word: str) -> str:
    """Write a word as a TypeScript string."""
    return "'" + json.dumps(word, ensure_ascii=False)[1:-1].replace("'", "\\'").replace('\\"', '"') + "'"
