"""What can happen, by name."""

from __future__ import annotations

from erp_core.catalogue import BY_TABLE, ENTITIES
from erp_core.commands import COMMANDS
from erp_core.happenings import is_asked, known_events, steps_between, tables_with_steps


def test_every_entity_and_every_command_can_be_asked_for() -> None:
    for entity in ENTITIES:
        assert {f"{entity.table}.{word}" for word in ("created", "updated", "deleted", "*")} <= known_events()
    for command in COMMANDS:
        assert f"{command.entity.table}.{command.name}" in known_events()
    assert "trades.nonsense" not in known_events()


def test_every_command_is_known_by_the_move_that_it_makes() -> None:
    for command in COMMANDS:
        starts = [start for start in command.starts if start != command.to]
        for start in starts:
            before, after = {command.machine: start}, {command.machine: command.to}
            assert command.name in steps_between(command.entity.table, before, after), command


def test_staying_in_a_state_is_no_step() -> None:
    for table in BY_TABLE:
        assert steps_between(table, {"state": "draft"}, {"state": "draft"}) == []


def test_steps_are_looked_for_only_where_one_is_asked_for() -> None:
    assert tables_with_steps(frozenset({"*", "trades.*", "units.updated"})) == frozenset()
    assert tables_with_steps(frozenset({"trades.confirm", "trades.updated"})) == {"trades"}


def test_everything_includes_every_event() -> None:
    for table in BY_TABLE:
        for operation in ("created", "updated", "deleted"):
            assert is_asked(frozenset({"*"}), table, operation)
            assert not is_asked(frozenset({"nothing.*"}), table, operation)
