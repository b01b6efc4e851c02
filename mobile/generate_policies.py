"""The policies in TypeScript: what decides a clash on a phone that has not asked the server yet.

Owns: how plain data is written in TypeScript.
Must not know: files; what a policy decides.
Invariant: the object is what GET /api/v1/sync/policies answers (tests/integration/test_policies.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from erp_core.language import Entity
from mobile.generate_names import quoted
from sync_server.engine.exporting import exported
from sync_server.wire.policies import etag_of

_IDENTIFIER: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def policies(entities: tuple[Entity, ...], version: int) -> Iterator[str]:
    """Give the lines of policies.ts."""
    document = exported(entities, version)
    yield "import type { Policies } from '../merge'"
    yield ""
    yield "/** What decides a clash: as GET /api/v1/sync/policies answers it. */"
    yield "export const POLICIES: Policies & { readonly etag: string } = {"
    yield f"  version: {document['version']},"
    yield f"  etag: {quoted(etag_of(document))},"
    yield "  tables: {"
    for name, table in document["tables"].items():
        yield f"    {name}: {{"
        yield "      columns: {"
        yield from (f"        {column}: {literal(policy)}," for column, policy in table["columns"].items())
        yield "      },"
        yield from (f"      {key}: {literal(value)}," for key, value in table.items() if key != "columns")
        yield "    },"
    yield "  },"
    yield "}"


def literal(value: Any) -> str:
    """Write plain data as TypeScript.

    >>> literal({"policy": "locked", "when": {"column": "state", "values": ["draft"], "unless": True}})
    "{ policy: 'locked', when: { column: 'state', values: ['draft'], unless: true } }"
    >>> literal([None, 0, "it's", {}, {"a b": 1}])
    "[null, 0, 'it\\\\'s', {}, { 'a b': 1 }]"
    """
    match value:
        case str():
            return quoted(value)
        case dict():
            members = ", ".join(f"{_key(key)}: {literal(member)}" for key, member in value.items())
            return f"{{ {members} }}" if members else "{}"
        case list():
            return f"[{', '.join(map(literal, value))}]"
        case _:
            return json.dumps(value)


def _key(name: str) -> str:
    return name if _IDENTIFIER.fullmatch(name) else quoted(name)
