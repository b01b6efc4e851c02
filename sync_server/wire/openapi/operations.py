"""An operation as data, and how it is written into the document.

Owns: the members of an OpenAPI operation, parameter, body and answer.
Must not know: which operations there are.
Invariant: what a whole kind of request shares (a login, a body, a limit) is added here, so that no description can forget it
(tests/contract/test_openapi.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sync_server.wire.openapi import faults
from sync_server.wire.openapi.shapes import Schema

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the path, the query or the header. `several`: values of an array, with commas between them."""

    name: str
    place: str
    schema: Schema
    help: str = ""
    required: bool = False
    example: Any = None
    may_be_empty: bool = False
    several: bool = False

    def written(self) -> Schema:
        made: Schema = {"name": self.name, "in": self.place, "schema": self.schema}
        if self.help:
            made["description"] = self.help
        if self.required or self.place == "path":
            made["required"] = True
        if self.example is not None:
            made["example"] = self.example
        if self.may_be_empty:
            made["allowEmptyValue"] = True
        if self.several:
            made |= {"style": "form", "explode": False}
        return made


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent. `needed`: a request without it is refused."""

    schema: Schema
    example: Any = None
    needed: bool = True
    types: tuple[str, ...] = (JSON,)

    def written(self) -> Schema:
        content: Schema = {"schema": self.schema}
        if self.example is not None:
            content["example"] = self.example
        return {"required": self.needed, "content": dict.fromkeys(self.types, content)}


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back if all is well; `schema` None: nothing but a head. `links`: operationId -> its parameters.

    `types`: if it is of one of several.
    """

    help: str
    schema: Schema | None = None
    type: str = JSON
    headers: Mapping[str, Schema] = field(default_factory=dict)
    links: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    example: Any = None
    types: tuple[str, ...] = ()

    def written(self) -> Schema:
        request_id = {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}
        made: Schema = {"description": self.help, "headers": {**request_id, **self.headers}}
        if self.schema is not None:
            content: Schema = {"schema": self.schema}
            if self.example is not None:
                content["example"] = self.example
            made["content"] = dict.fromkeys(self.types or (self.type,), content)
        if self.links:
            made["links"] = {id: {"operationId": id, "parameters": dict(said)} for id, said in self.links.items()}
        return made


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `codes`: the problems that it has beyond those of every request of its kind."""

    id: str
    tag: str
    summary: str
    answers: Mapping[int, Answer]
    help: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    codes: tuple[str, ...] = ()
    counted: bool = True

    def problems(self, *, public: bool, asked: bool) -> tuple[str, ...]:
        """Give every problem code of the operation; `asked`: it asks for a permission."""
        kinds = (
            *faults.ANYWHERE,
            *(faults.COUNTED if self.counted else ()),
            *(() if public else faults.LOGGED_IN),
            *(("forbidden",) if asked else ()),
            *(faults.BODY if self.body is not None else ()),
        )
        return (*kinds, *self.codes)


def path(name: str, schema: Schema, help: str = "") -> Parameter:
    """A part of the path."""
    return Parameter(name, "path", schema, help)


def query(name: str, schema: Schema, help: str = "", *, required: bool = False, **more: Any) -> Parameter:
    """A parameter of the query."""
    return Parameter(name, "query", schema, help, required, **more)


def header(name: str, schema: Schema, help: str = "", **more: Any) -> Parameter:
    """A header of the request."""
    return Parameter(name, "header", schema, help, **more)
