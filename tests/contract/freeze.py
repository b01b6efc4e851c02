"""What phones and clients rely on, written down: the schema of each version, the problem codes, the operations of REST.

Owns: the frozen files beside it. `python -m tests.contract.freeze` writes them anew.
Must not know: why something changed; the commit that changes a frozen file says it.
Invariant: what a released version promised never changes (tests/contract/test_frozen.py).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from erp_core.catalogue import SCHEMA_VERSION, synced_at
from sync_server.wire.openapi import document as wire
from sync_server.wire.problems import REGISTRY
from sync_server.wire.schema import column

FROZEN = Path(__file__).parent / "frozen"


def schema_at(version: int) -> dict[str, Any]:
    """Describe the tables and columns that an app at `version` knows: table -> column -> type and flags."""
    return {
        entity.table: {
            field.name: {name: value for name, value in column(field).items() if name != "name"}
            for field in entity.all_fields
            if field.since <= version
        }
        for entity in synced_at(version)
    }


def promises() -> dict[str, Any]:
    """Give every frozen file's name and what must be in it."""
    schemas = {f"schema-{version}.json": schema_at(version) for version in range(1, SCHEMA_VERSION + 1)}
    problems = {code: fixed.status for code, fixed in sorted(REGISTRY.items())}
    return {**schemas, "problems.json": problems}


def operations() -> dict[str, str]:
    """Give what generated clients call: operationId -> method and path. Operations may be added, none may go."""
    described = wire.described().items()
    return {operation.id: f"{method} {path}" for (method, path), operation in sorted(described)}


def main() -> None:
    FROZEN.mkdir(exist_ok=True)
    for name, promised in {**promises(), "operations.json": operations()}.items():
        (FROZEN / name).write_text(json.dumps(promised, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
