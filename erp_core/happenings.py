"""What can happen to records, by name: for whoever wants to be told of some of it and not of the rest.

Owns: the names (`trades.updated`, `trades.confirm`, `trades.*`, `*`) and what each of them stands for.
Must not know: who is told, or how.
Invariant: a step has the name of its command whoever took it and however: a phone's push, PATCH and the command are one change
(tests/unit/test_happenings.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from functools import cache
from typing import Any, Final

from erp_core.catalogue import BY_TABLE
from erp_core.commands import of_entity

OPERATIONS: Final = ("created", "updated", "deleted")
ANY: Final = "*"


@cache
def known_events() -> frozenset[str]:
    """Give every name that can be asked for."""
    names = {ANY}
    for table, entity in BY_TABLE.items():
        words = (*OPERATIONS, ANY, *(command.name for command in of_entity(entity)))
        names |= {f"{table}.{word}" for word in words}
    return frozenset(names)


@cache
def tables_with_steps(asked: frozenset[str]) -> frozenset[str]:
    """Name the tables of which steps are asked for.

    >>> tables_with_steps(frozenset({"trades.*", "availabilities.publish", "units.updated"}))
    frozenset({'availabilities'})
    """
    split = (name.partition(".") for name in asked if name != ANY)
    return frozenset(table for table, _, word in split if word not in (*OPERATIONS, ANY))


def steps_between(table: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Name the commands that bring a record from `before` to `after`, both in plain form.

    >>> steps_between("availabilities", {"state": "draft"}, {"state": "active"})
    ['publish']
    """
    return [
        command.name
        for command in of_entity(BY_TABLE[table])
        if after.get(command.machine) == command.to
        and before.get(command.machine) != command.to
        and before.get(command.machine) in command.starts
    ]


def is_asked(asked: Set[str], table: str, operation: str, steps: Collection[str] = ()) -> bool:
    """Say whether an event is among those that are asked for.

    >>> is_asked({"trades.*"}, "trades", "created"), is_asked({"trades.confirm"}, "trades", "updated", ["confirm"])
    (True, True)
    >>> is_asked({"trades.confirm"}, "trades", "updated"), is_asked({"units.*"}, "trades", "created")
    (False, False)
    """
    names = (ANY, f"{table}.{ANY}", f"{table}.{operation}", *(f"{table}.{step}" for step in steps))
    return any(name in asked for name in names)
