"""Logs: whatever is logged, by whom ever, no secret and no second line comes of it."""

from __future__ import annotations

import io
import json
import logging
import secrets
from pathlib import Path

import jwt
import orjson
import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import ec

from sync_server.redaction import REDACTED, SECRET_NAMES

ACCESS = jwt.encode({"sub": "user"}, ec.generate_private_key(ec.SECP256R1()), "ES256")
REFRESH = f"org.1.{secrets.token_hex(16)}.{secrets.token_urlsafe(32)}"


@pytest.mark.parametrize("name", sorted(SECRET_NAMES))
def test_a_value_with_a_secret_name_is_never_written(lines: io.StringIO, name: str) -> None:
    structlog.get_logger().info("asked", **{name: "canary"}, more={"deep": [{name.upper(): "canary"}]})

    assert "canary" not in lines.getvalue()
    assert REDACTED in lines.getvalue()


@pytest.mark.parametrize(
    "text",
    [f"Bearer {ACCESS}", f"got {REFRESH}.", "postgresql://user:canary@host/db", f"{ACCESS} {REFRESH}"],
    ids=["access", "refresh", "url", "both"],
)
def test_a_secret_inside_a_text_is_never_written(lines: io.StringIO, text: str) -> None:
    structlog.get_logger().warning(text, note=[text])
    logging.getLogger("some.library").warning("it said %s", text)
    try:
        raise ValueError(text)
    except ValueError:
        structlog.get_logger().exception("failed")

    written = lines.getvalue()
    assert len(written.splitlines()) == 3
    for secret in (ACCESS, REFRESH, "canary"):
        assert secret not in written


def test_the_standard_library_logs_in_the_same_form(lines: io.StringIO) -> None:
    logging.getLogger("some.library").warning("two\nlines of %s", {"a": 1})
    logging.getLogger("some.library").debug("unseen")

    (line,) = lines.getvalue().splitlines()
    parsed = orjson.loads(line)
    assert parsed["event"] == "two\nlines of {'a': 1}"
    assert (parsed["level"], parsed["logger"]) == ("warning", "some.library")
    assert parsed["timestamp"].endswith("Z")


@pytest.mark.parametrize("harm", ["\n", "\r\n", "\x1b[2J", "\x7f", "\x9b2J", "\x85", "\u2028", "\u202e", "\x00"])
def test_nothing_in_a_text_begins_a_line_or_moves_a_terminal(lines: io.StringIO, harm: str) -> None:
    forged = f'fine{harm}{{"event":"forged"}}'
    structlog.get_logger().info("asked", path=forged, deep={"of": [forged]})
    logging.getLogger("some.library").warning(forged)

    written = lines.getvalue()
    assert harm not in written.replace("\n", "") or harm == "\n"
    parsed = [json.loads(line) for line in written.split("\n")[:-1]]
    assert [line["event"] for line in parsed] == ["asked", forged]
    assert parsed[0]["path"] == forged


def test_what_is_redacted_when_python_writes_the_line_itself(lines: io.StringIO) -> None:
    structlog.get_logger().info("odd", big=2**70, thing=Path("/of/asha@example.com"), phone="+919822012345")

    assert "asha" not in lines.getvalue()
    assert "98220" not in lines.getvalue()


def test_anything_can_be_logged(lines: io.StringIO) -> None:
    structlog.get_logger().info("odd", thing=object(), key={1: {2, 3}}, text="\ud800", big=2**70)

    assert json.loads(lines.getvalue())["event"] == "odd"
