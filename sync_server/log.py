"""Logs: one JSON object a line, on standard error.

Owns: the set-up of structlog and of the standard library's loggers, and what may never be in a line.
Must not know: what is logged.
Invariant: no line holds a secret, a body or a raw line break, whoever logs it (tests/unit/test_log.py).
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, Final, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor

SECRET_NAMES: Final = frozenset(
    {"password", "access_token", "refresh_token", "token", "authorization", "secret", "cookie", "body", "database_url"}
)
"""Keys whose values never reach a line, however deep they are."""

REDACTED: Final = "(redacted)"

TOKEN_MIN: Final = 60
"""Characters; the shortest token has more, so shorter texts are not searched: a line of the access log costs 25 µs."""

_SECRETS: Final = (
    (re.compile(r"[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{43,}"), REDACTED),  # a JWT
    (
        re.compile(r"(?<![A-Za-z0-9_.-])[A-Za-z0-9_.-]{1,64}\.[0-9a-f]{32}\.[A-Za-z0-9_-]{43}"),
        REDACTED,
    ),  # a refresh token
    (re.compile(r"(://[^:/@\s]*:)[^@/\s]+@"), rf"\1{REDACTED}@"),  # the password in a URL
)


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Send everything at `level` and above to `stream` (standard error) as JSON lines; may be called again."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.PositionalArgumentsFormatter()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact,
                structlog.processors.JSONRenderer(serializer=_json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def redact(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Take secrets out of an event: by name, and by form wherever a text holds one."""
    return {key: _redacted(key, value) for key, value in event.items()}


def _redacted(name: object, value: Any) -> Any:
    if isinstance(name, str) and name.lower() in SECRET_NAMES:
        return REDACTED
    if isinstance(value, str):
        if len(value) >= TOKEN_MIN or "://" in value:
            for pattern, instead in _SECRETS:
                value = pattern.sub(instead, value)
        return value
    if isinstance(value, Mapping):
        return {key: _redacted(key, inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redacted(None, inner) for inner in value]
    return value


def _json(event: Any, **_: Any) -> str:
    try:
        return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # a lone surrogate, a huge number: Python's own, slower one escapes what orjson refuses
        return json.dumps(event, default=str, skipkeys=True)
