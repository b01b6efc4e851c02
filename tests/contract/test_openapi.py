"""The OpenAPI document: valid, of every route, of nothing else, and true of what handlers look at."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from erp_core.access import CODES, GUEST, MEMBER, OWN
from erp_core.catalogue import ENTITIES
from sync_server.web.openapi import described
from sync_server.web.permissions import PUBLIC
from sync_server.web.routes import ROUTES
from sync_server.wire.listing import PARAMETERS, read_list
from sync_server.wire.openapi import document as wire
from sync_server.wire.openapi.operations import query
from sync_server.wire.openapi.shapes import text
from sync_server.wire.problems import REGISTRY, Problem
from tests.contract.freeze import FROZEN, operations
from tests.harness.office import Clerk, at_desk
from tests.harness.recording import Looked
from tests.harness.servers import Server
from tests.harness.world import House

DOCUMENT: Mapping[str, Any] = json.loads(json.dumps(wire.document(described(ROUTES))))
OPERATIONS = {
    (method.upper(), path): operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
SCHEMAS = DOCUMENT["components"]["schemas"]


# --- The document itself ------------------------------------------------------------------------------------------------


def test_the_document_is_valid() -> None:
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []


def test_every_route_is_described_and_nothing_else() -> None:
    """Describe a new route in a group of sync_server/wire/openapi/; an entity's follow from its declaration."""
    assert wire.undescribed(described(ROUTES)) == []
    assert wire.described().keys() == {(route.method, route.path) for route in ROUTES} == OPERATIONS.keys()


def test_a_route_that_nobody_described_is_found_and_told_all_the_same() -> None:
    route = wire.Route("GET", "/api/v1/secrets/{id}", summary="Do something.")
    document = wire.document([route])

    assert wire.undescribed([route]) == ["GET /api/v1/secrets/{id}"]
    assert document["paths"][route.path]["get"]["summary"] == "Do something."
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_operation_has_an_id_of_its_own_that_makes_a_name_in_any_language() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]

    assert len({id.lower() for id in ids}) == len(ids)
    assert all(re.fullmatch("[a-z][A-Za-z0-9]*", id) for id in ids)


def test_no_operation_that_clients_were_generated_from_is_taken_away_or_renamed() -> None:
    """One that was added is frozen by python -m tests.contract.freeze."""
    frozen = json.loads((FROZEN / "operations.json").read_text())

    assert frozen.items() <= operations().items()


def test_an_operation_tells_who_may_ask() -> None:
    for route in ROUTES:
        said = OPERATIONS[route.method, route.path]
        needs = list(route.needs) if isinstance(route.needs, tuple) else None
        assert said["x-permissions"] == (needs or (["public"] if route.needs is PUBLIC else ["logged in"]))
        assert (said.get("security") == []) is (route.needs is PUBLIC)
        assert all(code in CODES | {MEMBER, GUEST, OWN} for code in needs or ())


def test_an_operation_names_the_parts_of_its_path() -> None:
    for (method, path), operation in OPERATIONS.items():
        named = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path)), (method, path)


def test_nothing_is_described_that_no_operation_uses() -> None:
    used = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(DOCUMENT)))

    assert SCHEMAS.keys() - used == set()


def test_problems_are_those_of_the_registry_under_their_status() -> None:
    for name, answer in DOCUMENT["components"]["responses"].items():
        assert {REGISTRY[code].status for code in answer["x-problem-codes"]} == {int(name[7:10])}


def test_an_entity_says_all_of_its_fields() -> None:
    for entity in ENTITIES:
        members = SCHEMAS["".join(part.capitalize() for part in entity.name.split("_"))]["properties"]
        assert list(members) == ["id", *(field.name for field in entity.all_fields)]
        assert {name for name, said in members.items() if said.get("readOnly")} == {
            field.name for field in entity.all_fields if field.derived
        }


# --- Examples -----------------------------------------------------------------------------------------------------------


def _examples() -> Iterator[tuple[str, Any, Any]]:
    for (method, path), operation in OPERATIONS.items():
        sent = operation.get("requestBody", {"content": {}})["content"]
        given = {k: v for answer in operation["responses"].values() for k, v in answer.get("content", {}).items()}
        for content in (*sent.values(), *given.values()):
            if "example" in content:
                yield f"{method} {path}", content["schema"], content["example"]


def test_examples_are_what_their_schemas_say() -> None:
    examples = list(_examples())

    assert len(examples) > 2 * len(ENTITIES)
    for where, schema, example in examples:
        validator = Draft202012Validator({**schema, "components": DOCUMENT["components"]})
        assert [error.message for error in validator.iter_errors(example)] == [], where


def test_every_body_that_is_needed_has_an_example() -> None:
    bodies = {key: operation["requestBody"] for key, operation in OPERATIONS.items() if "requestBody" in operation}
    bare = [
        key
        for key, body in bodies.items()
        if body["required"] and key[0] == "POST" and not all("example" in c for c in body["content"].values())
    ]

    assert bare == []


# --- What handlers look at ----------------------------------------------------------------------------------------------


async def test_every_parameter_that_is_described_is_looked_at(
    server: Server, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = Looked()
    looked.watch(monkeypatch)
    unread = {}
    for (method, path), operation in OPERATIONS.items():
        if names := _parameters(operation):
            clerk = await at_desk(server, house, "agent1", f"for-{operation['operationId']}")  # one of them ends it
            looked.query.clear()
            looked.headers.clear()
            await _ask(clerk, method, path, operation)
            if looked.query and method == "GET":  # an empty one may have been refused before all were looked at
                await _ask(clerk, method, path, {**operation, "parameters": ()})
            unread[method, path] = names - looked.query - looked.headers

    del unread["GET", "/api/v1/files"]  # without a link nothing is; tests/integration/test_downloads.py follows some
    assert {key: names for key, names in unread.items() if names} == {}


def test_a_parameter_that_no_handler_looks_at_would_be_found() -> None:
    invented = query("colour", text()).written()

    assert _parameters({"parameters": [invented]}) == {"colour"}


def _parameters(operation: Mapping[str, Any], *places: str) -> set[str]:
    """Name the parameters in `places`; if it says none: those of query and header."""
    return {p["name"].lower() for p in operation.get("parameters", ()) if p["in"] in (places or ("query", "header"))}


async def _ask(clerk: Clerk, method: str, path: str, operation: Mapping[str, Any]) -> None:
    """Ask with a body that is read, and nothing that could be found."""
    content = operation.get("requestBody", {"content": {}})["content"]
    example: Any = next((c["example"] for c in content.values() if "example" in c), {} if content else None)
    sought = (p for p in operation.get("parameters", ()) if p["in"] == "query")
    names = {p["name"]: p["schema"].get("default", "") for p in sought}
    needed = {"table": "trades", "id": "nobody"} if path.endswith("/explain") else {}
    asked = "&".join(f"{name}={str(value).lower()}" for name, value in {**names, **needed}.items())
    url = f"{re.sub(r'{[a-z_]+}', 'nobody', path)}?{asked}"
    heads = [p for p in operation.get("parameters", ()) if p["in"] == "header" and p.get("required")]
    headers = {**clerk.headers, **{p["name"]: p["schema"].get("enum", ["0"])[0] for p in heads}}
    async with clerk.server.session.request(method, url, json=example, headers=headers) as answer:
        await answer.read()


def test_every_condition_of_a_list_is_read() -> None:
    refused = []
    for entity in ENTITIES:
        for parameter in _parameters(OPERATIONS["GET", f"/api/v1/{entity.table}"], "query"):
            try:
                read_list(entity.table, [(parameter, "")])
            except Problem as problem:
                if " is none of " in problem.detail:
                    refused.append((entity.table, parameter))

    assert refused == []


async def test_every_parameter_of_a_list_that_is_no_condition_is_taken(clerk: Clerk) -> None:
    refused = []
    for entity in ENTITIES:
        for parameter in _parameters(OPERATIONS["GET", f"/api/v1/{entity.table}"], "query") & PARAMETERS.keys():
            answer = await clerk.ask("GET", f"/{entity.table}?{parameter}=50")
            if answer.status != 200 and " is none of " in answer.json["detail"] and "'50'" not in answer.json["detail"]:
                refused.append((entity.table, parameter))

    assert refused == []


# --- Over HTTP ----------------------------------------------------------------------------------------------------------


async def test_whoever_is_logged_in_gets_the_document_and_nobody_else(clerk: Clerk) -> None:
    got = await clerk.ask("GET", "/openapi.json")
    stranger = await Clerk(clerk.server, clerk.actor).ask("GET", "/openapi.json")

    assert (got.status, got.json["openapi"], got.json["paths"].keys()) == (200, "3.1.0", DOCUMENT["paths"].keys())
    assert stranger.status == 401


async def test_who_has_the_newest_document_is_not_sent_it_again(clerk: Clerk) -> None:
    got = await clerk.ask("GET", "/openapi.json")
    again = await clerk.ask("GET", "/openapi.json", If_None_Match=got.headers["ETag"])

    assert (again.status, again.json, again.headers["ETag"]) == (304, None, got.headers["ETag"])
