"""Commands over HTTP: what is sent with one, and the list of all.

Owns: reading the body of a command, and the JSON of the catalogue of commands.
Must not know: engine, store, aiohttp.
Invariant: what passes is what the command declares, read as its fields read it (tests/integration/test_commands.py).
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import orjson

from erp_core.commands import COMMANDS, Command
from erp_core.language import Field
from erp_core.makers import MAKERS, Maker
from erp_core.values import Choice, Unreadable, Value
from sync_server.wire.problems import Problem, pointer, shown
from sync_server.wire.records import check_type

Asked: TypeAlias = Command | Maker


def read_given(command: Asked, body: Any) -> dict[str, Value]:
    """Read what is sent with a command; nothing is as good as {}. Raises Problem, which points at the fault."""
    if body is None:
        body = {}
    if not isinstance(body, dict):
        raise Problem("wrong_type", "The body must be an object with the parameters of the command.", pointer="")
    fields = {field.name: field for field in command.fields()}
    for name in body:
        if name not in fields:
            taken = f"It takes {', '.join(fields)}." if fields else "It takes nothing."
            raise Problem("unknown_member", f"{command.name} has no {shown(name)}. {taken}", pointer=pointer(name))
    missing = next((f.name for f in command.parameters if f.required and body.get(f.name) is None), None)
    if missing is not None:
        raise Problem("missing_field", f"{missing} is needed to {command.name} it.", pointer=pointer(missing))
    return {name: _read(fields[name], value) for name, value in body.items()}


def _read(field: Field, plain: Any) -> Value:
    check_type(field, plain)
    if plain is None or plain == "":
        return None
    try:
        return field.type.read(plain)
    except Unreadable as unreadable:
        raise Problem("invalid_value", f"{field.name} {unreadable}.", pointer=pointer(field.name)) from None


def _described(command: Asked) -> dict[str, Any]:
    makes = command.makes.table if isinstance(command, Maker) else None
    return {
        "table": command.entity.table,
        "name": command.name,
        "title": command.title,
        "field": command.machine if command.starts else None,
        "from": list(command.starts),
        "to": None if isinstance(command, Maker) else command.to,
        "makes": makes,
        "needs": list(command.needs),
        "parameters": [_parameter(field, command) for field in command.fields()],
    }


def _parameter(field: Field, command: Asked) -> dict[str, Any]:
    words = {"words": list(field.type.words)} if isinstance(field.type, Choice) else {}
    needed = field.required and field in command.parameters
    return {"name": field.name, "type": field.type.plain_kind, "required": needed, "help": field.help, **words}


CATALOGUE: Final = orjson.dumps({"commands": [*map(_described, COMMANDS), *map(_described, MAKERS)]})
"""Every command, with what it takes and what it asks for; those that make records come last."""
