"""Redaction: secrets by name and by form, wherever they stand (sync_server/redaction.py)."""

from __future__ import annotations

import io
import secrets

import asyncpg
import orjson
import pydantic
import pytest
import structlog

from sync_server.redaction import REDACTED, SECRET_NAMES, clean, redacted

JWT = ".".join(secrets.token_urlsafe(n) for n in (30, 90, 64))
OPAQUE = f"org.1.{secrets.token_hex(16)}.{secrets.token_urlsafe(32)}"

SECRETS = {
    "access token": JWT,
    "proof of a device": f"DPoP: {JWT}",
    "refresh token": OPAQUE,
    "bearer of any form": "Bearer abcdefgh-1234",
    "basic": "Authorization: Basic YXNoYTpzZWNyZXQ=",
    "url of a database": "postgresql://cotton:hunter2@db/cotton",
    "url of redis": "rediss://:hunter2@cache:6379/0",
    "e-mail": "asha.patil+x@vidarbha.example.com",
    "e164": "+919822012345",
    "e164 with blanks": "+91 98220 12345",
    "another country": "+4915112345678",
    "ten digits": "9822012345",
    "ten digits with a gap": "98220 12345",
    "with 91": "919822012345",
    "with 0": "09822012345",
    "with dashes": "+91-98220-12345",
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("around", ["{}", "sent to {}", "({})", '"{}"', "x={}, y", "{}.", "{}\n", "\t{};"])
def test_a_secret_is_found_wherever_it_stands(secret: str, around: str) -> None:
    telling = max(secret.removeprefix("DPoP: ").removeprefix("Authorization: ").split("@")[0].split(" "), key=len)

    assert telling.split("//:")[-1].split(":")[-1] not in clean(around.format(secret))


PLAIN = [
    "/api/v1/sync",
    "/api/v1/auth/sessions/6f1d3b0c5e6f4c53a9f0b1c2d3e4f506",
    "2026-11-23T06:20:42.123456Z",
    "203.0.113.7",
    "2001:db8::/64",
    "1099511628043",
    "0003_pre_people",
    "the schema is 0006, 48 codes",
    "http://127.0.0.1:8080",
    "0123456789abcdef0123456789abcdef",
]


@pytest.mark.parametrize("text", PLAIN)
def test_what_an_operator_needs_is_left(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize("name", [*sorted(SECRET_NAMES), "new_password", "Refresh_Token", "totp_secret", "user_phone"])
def test_a_value_under_a_telling_name_is_lost_however_deep(name: str) -> None:
    event = {"a": [{"b": ({name: "canary"},)}], name.upper(): {"x": "canary"}}

    assert "canary" not in str(redacted("event", event))


@pytest.mark.parametrize(
    ("value", "kept"), [("104233", False), (104233, False), ("busy", True), ("unknown_column", True)]
)
def test_a_code_is_kept_when_it_names_a_problem(value: object, kept: bool) -> None:
    assert (redacted("code", value) == value) is kept


def test_bytes_are_looked_through_too() -> None:
    assert "98220" not in str(redacted("payload", [b"to +919822012345"]))


class _Shape(pydantic.BaseModel):
    amount: int


def _detailed() -> Exception:
    fault = asyncpg.UniqueViolationError('duplicate key value violates unique constraint "partners_pan_key"')
    fault.detail = "Key (org_id, pan)=(vidarbha, ABCDE1234F) already exists."
    known: Exception = fault
    return known


def _pydantic() -> Exception:
    remark = "the remark's canary"
    try:
        _Shape.model_validate({"amount": remark})
    except pydantic.ValidationError as fault:
        return fault
    raise AssertionError


FAULTS = {
    "detail of PostgreSQL": _detailed(),
    "a row over two lines": asyncpg.CheckViolationError(
        "new row violates\nDETAIL:  Failing row contains (1, canary\ncanary, 2)."
    ),
    "argument of asyncpg": asyncpg.DataError(
        "invalid input for query argument $3: 'its canary' ('str' object is no date)"
    ),
    "bare argument of asyncpg": asyncpg.DataError("invalid input for query argument $3: [canary, 1] (no)"),
    "input of PostgreSQL": asyncpg.InvalidTextRepresentationError(
        'invalid input syntax for type date: "Canary canary"'
    ),
    "pydantic": _pydantic(),
    "python": ValueError("invalid literal for int() with base 10: 'a canary'"),
    "escaped": ValueError(repr('it\'s a "canary"')),
    "key": KeyError("Canary canary"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_traceback_tells_the_place_and_not_the_values(lines: io.StringIO, fault: Exception) -> None:
    try:
        try:
            raise fault
        except Exception as first:
            raise RuntimeError("second") from first
    except RuntimeError:
        structlog.get_logger("test").exception("failed")

    written = orjson.loads(lines.getvalue())["exception"]
    assert "canary" not in written.lower()
    assert "ABCDE1234F" not in written
    assert type(fault).__name__ in written
    assert "raise fault" in written
    assert REDACTED in written


def test_names_of_ours_stay_in_a_traceback(lines: io.StringIO) -> None:
    try:
        raise asyncpg.UndefinedTableError('relation "sync_issues" does not exist')
    except asyncpg.UndefinedTableError:
        structlog.get_logger("test").exception("failed")

    assert '"sync_issues" does not exist' in orjson.loads(lines.getvalue())["exception"]
