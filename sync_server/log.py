"""Logs: one JSON object a line, on standard error.

Owns: the set-up of structlog and of the standard library's loggers, and the form of a line.
Must not know: what is logged, or what a secret looks like (redaction.py).
Invariant: no line holds a secret, a body, a raw line break or anything that a terminal obeys, whoever logs it
(tests/unit/test_log.py, tests/integration/test_canary.py).
"""

from __future__ import annotations

import json
import logging
import re
import sys
from typing import Any, Final, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor

from sync_server.redaction import clean, redacted

_UNPRINTABLE: Final = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""What JSON may leave as it is and a terminal would obey: C1 controls (an escape of one byte), separators of lines, and the
marks that turn the direction of writing."""


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
    return {key: redacted(key, value) for key, value in event.items()}


def _json(event: Any, **_: Any) -> str:
    try:
        line = orjson.dumps(event, default=_text, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # a lone surrogate, a huge number: Python's own, slower one escapes what orjson refuses
        return json.dumps(event, default=_text, skipkeys=True)
    return (
        line
        if line.isascii() and "\x7f" not in line
        else _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", line)
    )


def _text(thing: object) -> str:
    """Write what JSON has no form for: as a text like any other, in which there may be a secret."""
    return clean(str(thing))
