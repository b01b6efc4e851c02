"""Which problems an operation answers with, and how the document says so.

Owns: the sets of codes that whole kinds of requests share, the schema of a problem, and the answers by status.
Must not know: any one route.
Invariant: a code is one of the registry, its status is the registry's (tests/contract/test_openapi.py); what a server process
really answers is among them (tests/acceptance/test_schemathesis.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Final

from sync_server.wire.openapi.shapes import Schema, camel, listed, ref, shape, text, whole
from sync_server.wire.problems import CONTENT_TYPE, REGISTRY, TYPE_PREFIX

ANYWHERE: Final = ("bad_request", "internal_error", "busy", "database_unavailable", "timed_out", "shutting_down")
"""What any request may come to."""

COUNTED: Final = ("too_many_requests",)
"""Of whatever the limits count: everything but the health routes."""

LOGGED_IN: Final = (
    *("unauthenticated", "token_refused", "token_expired", "session_ended", "device_wiped"),
    *("device_mismatch", "device_wiping", "enrolment_needed"),
)
"""Of whatever asks for a session."""

BODY: Final = (
    *("body_too_large", "body_too_expansive", "body_unreadable", "body_incomplete"),
    *("unsupported_media_type", "unsupported_coding", "malformed_json", "duplicate_key", "number_not_finite"),
    *("unsafe_text", "string_too_long", "too_deep", "too_many_keys", "wrong_type"),
)
"""Of whatever has a body."""

CURSOR: Final = ("bad_cursor", "cursor_from_future", "cursor_of_another", "device_forked")
PULL: Final = (*CURSOR, "bad_schema_version", "bad_migration", "malformed_json", "duplicate_key", "too_deep")
CHANGES: Final = (
    *("unknown_table", "unknown_column", "unknown_member", "unsafe_id", "duplicate_id", "too_many_records"),
    "bad_parameter",
)
GUESSED: Final = ("limits_unavailable", "missing_field", "invalid_value")
"""Of whatever somebody could guess at."""
WRITTEN: Final = ("rule_broken", "unknown_reference", "forbidden", "changed_meanwhile", "not_found")
"""Of whatever changes a record."""


def problem_schema() -> Schema:
    """The document of RFC 9457 that every refusal is."""
    members = {
        "type": text("A name, not a page.", examples=[TYPE_PREFIX + "not_found"]),
        "title": text("The kind of problem, for a person."),
        "status": whole("The HTTP status.", least=400, most=599),
        "detail": text("What to do about it, for a person."),
        "code": text("Stable; the answers of each operation name the codes that it may have.", examples=["not_found"]),
        "pointer": text("RFC 6901: where in the body that was sent the fault is."),
        "reasons": listed(ref("Reason"), "Each reason for which a record was refused."),
        "retry_after": whole("Seconds to wait, as in `Retry-After`.", least=0),
        "correlation_id": text("What to quote when asking for help; also in `X-Request-Id`."),
    }
    optional = ("pointer", "reasons", "retry_after")
    return shape(members, optional=optional, closed=False, help="Why a request was not done (RFC 9457).")


def reason_schema() -> Schema:
    """One reason of a refusal."""
    members = {
        "code": text("Stable; docs/PROTOCOL.md lists those of every record, the rules of the trade add their own."),
        "sentence": text("For a person."),
        "pointers": listed(text(), "RFC 6901, into the body that was sent."),
    }
    return shape(members, help="One reason for which a record was refused.")


def answers(codes: Iterable[str]) -> tuple[Mapping[str, Schema], Mapping[str, Schema]]:
    """Give (status -> reference, name -> component) of the answers with these problem codes, by status."""
    by_status: dict[int, list[str]] = {}
    for code in sorted(set(codes)):
        by_status.setdefault(REGISTRY[code].status, []).append(code)
    made = {status: (_name(status, named), _answer(status, named)) for status, named in sorted(by_status.items())}
    references = {str(status): {"$ref": f"#/components/responses/{name}"} for status, (name, _) in made.items()}
    return references, dict(made.values())


def _name(status: int, codes: list[str]) -> str:
    """Name an answer by what it says, so that two operations with the same codes share it, and no other change renames it."""
    if len(codes) == 1:
        return f"Problem{status}{camel(codes[0])}"
    return f"Problem{status}_{sha256(' '.join(codes).encode()).hexdigest()[:8]}"


def _answer(status: int, codes: list[str]) -> Schema:
    lines = (f"- `{code}`: {REGISTRY[code].title}. {REGISTRY[code].sentence}" for code in codes)
    headers: dict[str, Any] = {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}
    if status in (429, 503):
        headers["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
    examples = {code: {"summary": REGISTRY[code].title, "value": _example(code)} for code in codes}
    return {
        "description": "\n".join(lines),
        "headers": headers,
        "content": {CONTENT_TYPE: {"schema": ref("Problem"), "examples": examples}},
        "x-problem-codes": codes,
    }


def _example(code: str) -> Schema:
    fixed = REGISTRY[code]
    said = {"type": TYPE_PREFIX + code, "title": fixed.title, "status": fixed.status, "detail": fixed.sentence}
    return {**said, "code": code, "correlation_id": "0b8f2f6e5c2d4c0f9a3d1e7b6a5c4d3e"}
