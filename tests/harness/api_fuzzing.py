"""What schemathesis needs to know of this server: how to log in, and two promises that no check of its own looks at.

Owns: the hooks that `st run` loads (SCHEMATHESIS_HOOKS=tests.harness.api_fuzzing), in a process of its own.
Must not know: any one operation.
Invariant: every refusal has a code that the document names for this operation and status, and what is valid by its schema is
refused only for what no schema can say (BEYOND_SCHEMAS; tests/acceptance/test_schemathesis.py).
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import requests
import schemathesis
from schemathesis import Case, CheckContext, GenerationMode, Response

BEYOND_SCHEMAS: Final = {
    "rule_broken": "a rule of the trade",
    "idempotency_key_reused": "a key is one request's",
    "bulk_refused": "one of its records is refused, and all were to be written or none",
    "bad_schema_version": "1.0 is whole to JSON Schema (2020-12, 4.2.1), and no version to us",
    "unknown_reference": "the record that a field names must be there",
    "duplicate_id": "an id comes once in a table, over three lists",
    "bad_parameter": "at most eight fields of a list at once; an author who is not the user",
    "bad_request": "an address of at most 8 kB, however many parameters",
    "bad_cursor": "null written as JavaScript does",
    "invalid_value": "an id that is not that of the path; a password of the commonest; a number that no message can go to",
    "missing_field": "what one member says of another: values only of what is edited",
    "bad_migration": "names of tables and columns in a text",
    "malformed_json": "a text that is JSON",
    "wrong_type": "a text that is JSON",
    "push_id_reused": "a push_id names one push",
    "read_only": "columns of the table that the issue is about",
    "unknown_column": "the same",
    "device_state": "what became of the device",
}
"""Problem code -> what it asks for that JSON Schema cannot say."""

SAFE: Final = frozenset({"unsafe_text", "string_too_long"})
"""Of any string: half a surrogate pair, a megabyte."""


def _document() -> Any:
    return json.loads(Path(os.environ["FUZZ_DOCUMENT"]).read_text())


DOCUMENT: Final = _document()


@schemathesis.auth(refresh_interval=60)
class Login:
    """A login, anew after a minute and whenever a session has ended: some operations end it."""

    device: dict[str, str]

    def __init__(self) -> None:
        self.device = {}

    def get(self, _case: Case[Any], _context: Any) -> str:
        """Log in; give the access token."""
        asked: Any = {
            "username": os.environ["FUZZ_USER"],
            "password": os.environ["FUZZ_PASSWORD"],
            "device": self.device,
        }
        answer = requests.post(f"{os.environ['FUZZ_URL']}/api/v1/auth/login", json=asked, timeout=30)
        assert answer.status_code == 200, answer.text
        grant = answer.json()
        # Wrong passwords are tried all the time; who is on a device that has logged in before does not wait for it.
        self.device = {"id": grant["device_id"], "token": grant["device_token"]}
        return str(grant["access_token"])

    def set(self, case: Case[Any], data: str, _context: Any) -> None:
        """Put the token on a request."""
        case.headers["Authorization"] = f"Bearer {data}"


def codes_of(path: str, method: str, status: int) -> Collection[str]:
    """Give the problem codes that the document names for an answer."""
    answer = DOCUMENT["paths"][path][method.lower()]["responses"].get(str(status), {})
    if "$ref" in answer:
        answer = DOCUMENT["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]]
    codes: list[str] = answer.get("x-problem-codes", [])
    return codes


def _code(response: Response) -> str | None:
    if response.headers.get("content-type", [""])[0] != "application/problem+json":
        return None
    return str(json.loads(response.content)["code"])


@schemathesis.check
def every_refusal_has_a_code_that_is_documented(_context: CheckContext, response: Response, case: Case[Any]) -> None:
    """Compare the code of a problem with those of the document."""
    code = _code(response)
    if code is None or response.status_code == 405:  # another method than any that is described
        return
    known = codes_of(case.operation.path, case.operation.method, response.status_code)
    assert code in known, f"{response.status_code} {code} is not among {sorted(known)}"


@schemathesis.check
def only_what_a_schema_cannot_say_refuses_valid_data(
    _context: CheckContext, response: Response, case: Case[Any]
) -> None:
    """Let nothing that is valid be refused as malformed."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    code = _code(response)
    if response.status_code in (400, 422):
        assert code in BEYOND_SCHEMAS.keys() | SAFE, f"{code} refuses what is valid by its schema"
