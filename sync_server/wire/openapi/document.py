"""The document: everything that is described, put together for the routes that the server has.

Owns: info, servers, tags, components, and how permissions are told.
Must not know: handlers; a route is its method, its path and who may ask.
Invariant: every route is in it once, under an operationId of its own; one that nobody described is told by its handler's first
line only, which a test refuses (tests/contract/test_openapi.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from erp_core.catalogue import ENTITIES
from sync_server.wire.openapi import (
    attachments,
    bulk,
    commands,
    consents,
    console,
    desk,
    devices,
    entities,
    faults,
    histories,
    inspecting,
    jobs,
    logins,
    notices,
    numbers,
    people,
    privacy,
    service,
    settlement,
    syncing,
    table_files,
    webhooks,
)
from sync_server.wire.openapi.fields import codes_in_words
from sync_server.wire.openapi.operations import Answer, Operation
from sync_server.wire.openapi.operations import path as path_part
from sync_server.wire.openapi.shapes import Schema, camel, text, whole

VERSION: Final = "1.0.0"
"""Of the protocol: its first number moves if something that clients rely on is taken away."""

GROUPS: Final = (
    logins,
    people,
    notices,
    privacy,
    consents,
    devices,
    syncing,
    inspecting,
    bulk,
    commands,
    desk,
    histories,
    jobs,
    console,
    service,
    settlement,
    table_files,
    webhooks,
    attachments,
    numbers,
)

INTRODUCTION: Final = """\
The REST side and the sync endpoints of Cotton Sync. docs/PROTOCOL.md says in words what a schema cannot.

Values cross the wire as WatermelonDB keeps them: moments are milliseconds since 1970, sets and documents are JSON in a string,
an empty string is as good as null. Every refusal is a problem (RFC 9457) with a stable `code`. HEAD answers wherever GET does,
but for a pull. Bodies may be compressed with gzip, deflate, br or zstd."""

TAGS: Final = (
    {"name": logins.TAG, "description": "Tokens, one-time codes, second factors, passwords."},
    {"name": people.TAG, "description": "Sessions, one's own and others'; who one is."},
    {"name": notices.TAG, "description": "How one wants to be told of things outside of the app."},
    {"name": privacy.TAG, "description": "What is known of a person: given to them, and forgotten."},
    {"name": devices.TAG, "description": "Installations: their names, their end, and what they left."},
    {"name": syncing.TAG, "description": "WatermelonDB's protocol, the exchange, and what is asked about them."},
    {"name": commands.TAG, "description": "The steps of the trade, by their names; each stands with its entity."},
    {"name": desk.TAG, "description": "Positions, exposure, pending deliveries and ageing, kept from the log."},
    {"name": console.TAG, "description": "The page for the office, and what it draws from."},
    {"name": histories.TAG, "description": "What happened in the organisation."},
    {"name": attachments.TAG, "description": "Resumable uploads by tus 1.0.0, and links to what is kept."},
    {"name": numbers.TAG, "description": "Leased to devices, taken back, and accounted for."},
    {"name": jobs.TAG, "description": "What is done later: what waits, and what failed for good."},
    {"name": webhooks.TAG, "description": "Who is told of changes over HTTP, and what came of it."},
    {"name": service.TAG, "description": "Its health, its live connections, and this document."},
)


@dataclass(frozen=True, slots=True)
class Route:
    """A route to describe. `needs`: the codes of which one is asked for; `public`: it takes no login.

    `without`: parameters that this one does not take, unlike others of its kind.
    """

    method: str
    path: str
    needs: tuple[str, ...] = ()
    public: bool = False
    summary: str = ""
    without: frozenset[str] = frozenset()


@cache
def described() -> Mapping[tuple[str, str], Operation]:
    """Give every operation that is described: (method, path) -> operation."""
    made: dict[tuple[str, str], Operation] = {}
    for group in GROUPS:
        made |= group.OPERATIONS
    for entity in ENTITIES:
        made |= {(method, path): operation for method, path, operation in entities.operations(entity)}
    return made


def document(routes: Sequence[Route]) -> Schema:
    """Make the document of these routes. Cost: some hundredths of a second; the caller keeps it."""
    paths: dict[str, Schema] = {}
    answers: dict[str, Schema] = {}
    for route in routes:
        operation = described().get((route.method, route.path)) or _bare(route)
        written, needed = _operation(route, operation)
        answers |= needed
        paths.setdefault(route.path, {})[route.method.lower()] = written
    return {
        "openapi": "3.1.0",
        "info": {"title": "Cotton Sync", "version": VERSION, "description": INTRODUCTION},
        "servers": [{"url": "/"}],
        "tags": _tags(paths),
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(_schemas())),
            "responses": dict(sorted(answers.items())),
            "headers": HEADERS,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


HEADERS: Final[Mapping[str, Schema]] = {
    "RequestId": {"description": "The correlation id.", "schema": text(), "required": True},
    "RetryAfter": {"description": "Seconds to wait.", "schema": whole(least=0), "required": True},
    "ETag": {"description": "The version of what is answered.", "schema": text()},
}


def _schemas() -> Iterator[tuple[str, Schema]]:
    yield "Problem", faults.problem_schema()
    yield "Reason", faults.reason_schema()
    yield "OutOfSight", entities.out_of_sight()
    for group in (
        logins,
        people,
        notices,
        privacy,
        consents,
        devices,
        inspecting,
        desk,
        histories,
        service,
        settlement,
        webhooks,
        numbers,
    ):
        yield from group.SCHEMAS.items()
    yield from syncing.schemas()
    for entity in ENTITIES:
        yield from entities.schemas(entity)


def _operation(route: Route, operation: Operation) -> tuple[Schema, Mapping[str, Schema]]:
    codes = operation.problems(public=route.public, asked=bool(route.needs))
    problems, components = faults.answers(codes)
    written: Schema = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": " ".join(filter(None, (operation.help, _permission(route)))),
        "x-permissions": ["public"] if route.public else list(route.needs) or ["logged in"],
    }
    if taken := [parameter for parameter in operation.parameters if parameter.name not in route.without]:
        written["parameters"] = [parameter.written() for parameter in taken]
    if operation.body is not None:
        written["requestBody"] = operation.body.written()
    answers = {str(status): answer.written() for status, answer in operation.answers.items()}
    written["responses"] = {**answers, **problems}
    if route.public:
        written["security"] = []
    return written, components


def _permission(route: Route) -> str:
    if route.public:
        return "Takes no login."
    return f"For {codes_in_words(route.needs)}." if route.needs else "For whoever is logged in."


def _bare(route: Route) -> Operation:
    """Describe a route that nobody described, so that the document says at least that it is there."""
    name = camel("_".join(part.strip("{}").replace(".", "_") for part in route.path.split("/") if part))
    id = f"undescribed{route.method.capitalize()}{name}"
    parts = tuple(path_part(part, text()) for part in re.findall(r"{(\w+)}", route.path))
    return Operation(id, service.TAG, route.summary, {200: Answer("Done.")}, parameters=parts)


def _tags(paths: Mapping[str, Any]) -> list[Schema]:
    used = {tag for methods in paths.values() for operation in methods.values() for tag in operation["tags"]}
    return [tag for tag in (*TAGS, *entities.entity_tags()) if tag["name"] in used]


def undescribed(routes: Iterable[Route]) -> list[str]:
    """Name the routes that nobody described."""
    return [f"{route.method} {route.path}" for route in routes if (route.method, route.path) not in described()]
