"""The commands of the trade, described.

Owns: how a declared command becomes an operation.
Must not know: any one command.
Invariant: what is here is what wire/commanding.py reads (tests/contract/test_openapi.py,
tests/acceptance/test_schemathesis.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from erp_core.commands import COMMANDS, Command
from erp_core.makers import MAKERS, Maker
from sync_server.wire.commanding import Asked
from sync_server.wire.openapi import faults, fields
from sync_server.wire.openapi.entities import APPLIED, ETAG, IF_MATCH, KEY, KEYED, LOCATION, MINIMAL, written
from sync_server.wire.openapi.examples import example_of
from sync_server.wire.openapi.lists import a_title
from sync_server.wire.openapi.operations import Answer, Body, Operation, header, path
from sync_server.wire.openapi.shapes import Schema, anything, camel, id_of, listed, shape, text

TAG: Final = "Commands"
_MINIMAL: Final = header("Prefer", text(examples=["return=minimal"]), "`return=minimal`: answer without the record.")


def _body(command: Asked) -> Schema:
    needed = {f.name: f.required and f in command.parameters for f in command.fields()}
    members = {f.name: fields.sent(f, needed=needed[f.name]) for f in command.fields()}
    return shape(members, optional=[name for name, must in needed.items() if not must])


def _command(command: Command) -> Operation:
    entity, body = command.entity, _body(command)
    examples = {f.name: example_of(f) for f in command.parameters if f.required}
    return Operation(
        id=f"{camel(command.name)[:1].lower()}{camel(command.name)[1:]}{camel(entity.name)}",
        tag=entity.title,
        summary=f"{command.title}: {a_title(entity)}",
        help=f"From {', '.join(command.starts)} to `{command.to}` (`{command.machine}`).",
        parameters=(path("id", id_of(f"the {entity.title.lower()}")), IF_MATCH, _MINIMAL, KEY),
        body=Body(body, examples, needed=bool(examples)),
        answers={
            200: Answer("The record as it is now.", written(entity), headers={**ETAG, **APPLIED}),
            204: Answer(MINIMAL, headers={**ETAG, **APPLIED}),
        },
        codes=(*faults.WRITTEN, *KEYED, "unknown_member", "missing_field", "invalid_value", "fresh_login_needed"),
    )


def _made(maker: Maker) -> Mapping[int, Answer]:
    return {201: Answer("The record that was made.", written(maker.shows), headers={**LOCATION, **ETAG, **APPLIED})}


def _changed(maker: Maker) -> Mapping[int, Answer]:
    return {
        200: Answer(
            "The record that it started from, as it is now.", written(maker.shows), headers={**ETAG, **APPLIED}
        ),
        204: Answer(MINIMAL, headers={**ETAG, **APPLIED}),
    }


def _maker(maker: Maker) -> Operation:
    entity, body = maker.entity, _body(maker)
    examples = {f.name: example_of(f) for f in maker.parameters if f.required}
    when = f"While `{maker.machine}` is {' or '.join(maker.starts)}. " if maker.starts else ""
    return Operation(
        id=f"{camel(maker.name)[:1].lower()}{camel(maker.name)[1:]}{camel(entity.name)}",
        tag=entity.title,
        summary=f"{maker.title}: {a_title(entity)}",
        help=f"{when}Makes records of `{maker.makes.table}`, and what belongs to them, in one change.",
        parameters=(path("id", id_of(f"the {entity.title.lower()}")), _MINIMAL, KEY),
        body=Body(body, examples, needed=bool(examples)),
        answers=_changed(maker) if maker.changes else _made(maker),
        codes=(*faults.WRITTEN, *KEYED, "unknown_member", "missing_field", "invalid_value"),
    )


def _operations() -> Iterator[tuple[tuple[str, str], Operation]]:
    for command in COMMANDS:
        yield ("POST", f"/api/v1/{command.entity.table}/{{id}}/{command.name}"), _command(command)
    for maker in MAKERS:
        yield ("POST", f"/api/v1/{maker.entity.table}/{{id}}/{maker.name}"), _maker(maker)
    listing = shape({"commands": listed(anything("Its name, title, states, needs and parameters."))})
    yield (
        ("GET", "/api/v1/commands"),
        Operation("listCommands", TAG, "List the commands of the trade", {200: Answer("Every command.", listing)}),
    )


OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = dict(_operations())
