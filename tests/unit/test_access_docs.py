"""docs/ACCESS.md says who may do what, as the declarations do: nothing by hand, nothing out of date."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from erp_core.access import CODES, ROLES, Access
from erp_core.catalogue import BY_NAME, ENTITIES
from erp_core.language import Entity
from sync_server.operate.access_docs import DESTINATION, drift, generate, text


def section(entity: Entity, of: str | None = None) -> str:
    return (of or text()).split(f"## {entity.title}\n")[1].split("\n## ")[0]


def test_the_committed_document_is_what_the_catalogue_says() -> None:
    assert drift() == [], "run `cotton-sync generate docs`"


def test_a_document_that_is_missing_or_edited_is_noticed_and_mended(tmp_path: Path) -> None:
    path = tmp_path / "ACCESS.md"
    assert drift(path) == ["ACCESS.md"]

    assert generate(path) == [path]
    assert drift(path) == []

    path.write_text(path.read_text().replace("| delete | nobody | the server does |", "| delete | `user.update` | |"))
    assert drift(path) == ["ACCESS.md"]


def test_a_document_that_is_right_is_not_touched() -> None:
    before = DESTINATION.stat().st_mtime_ns
    generate()

    assert DESTINATION.stat().st_mtime_ns == before


@pytest.mark.parametrize("entity", ENTITIES, ids=[entity.name for entity in ENTITIES])
def test_every_entity_has_its_operations_fields_and_moves(entity: Entity) -> None:
    said = section(entity)

    assert f"Table `{entity.table}`" in said
    for operation in ("read", "create", "update", "delete"):
        codes = getattr(entity.access, operation)
        assert f"| {operation} | {' '.join(f'`{code}`' for code in codes) or 'nobody'} |" in said
    fields = said.split("These states ask")[0]
    for field in entity.all_fields:
        assert (f"| `{field.name}` | " in fields) == bool(field.read or field.write)
    for machine in entity.machines.values():
        assert all(f"| `{machine.field}` | {state} |" in said for state in machine.needs)


def test_every_role_and_every_code_is_there() -> None:
    document = text()

    assert all(f"| `{role.id}` | {role.title} |" in document for role in ROLES.values())
    assert all(f"| `{code}` |" in document for code in CODES)


def test_a_changed_declaration_changes_the_document() -> None:
    trade = BY_NAME["trade"]
    opened = dataclasses.replace(trade, access=Access(read=("desk.read",), create=("dispatch.write",)))

    said = section(opened, text([opened]))
    assert "| create | `dispatch.write` | administrator, manager, trader, agent, dispatcher |" in said
    assert "| delete | nobody | the server does |" in said
