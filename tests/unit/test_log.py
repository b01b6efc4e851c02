"""Logs: whatever is logged, by whom ever, no secret and no second line comes of it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import orjson
import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import ec

from sync_server import log
from sync_server.identity.tokens import RefreshToken, Tokens
from sync_server.store.actor import Actor

ACCESS = Tokens(ec.generate_private_key(ec.SECP256R1()), access_seconds=600).issue(Actor("org", "user", "session"))
REFRESH = str(RefreshToken.make("org.1", "0" * 32))


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    written = io.StringIO()
    log.configure("info", written)
    yield written
    root.handlers[:], root.level = before
    structlog.reset_defaults()


@pytest.mark.parametrize("name", sorted(log.SECRET_NAMES))
def test_a_value_with_a_secret_name_is_never_written(lines: io.StringIO, name: str) -> None:
    structlog.get_logger().info("asked", **{name: "canary"}, more={"deep": [{name.upper(): "canary"}]})

    assert "canary" not in lines.getvalue()
    assert log.REDACTED in lines.getvalue()


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


def test_anything_can_be_logged(lines: io.StringIO) -> None:
    structlog.get_logger().info("odd", thing=object(), key={1: {2, 3}}, text="\ud800", big=2**70)

    assert json.loads(lines.getvalue())["event"] == "odd"
