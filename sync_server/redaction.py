"""Redaction: what may never be in a line of the log, known by its name and by its form.

Owns: those names and forms, and what stands in their place.
Must not know: who logs, or how lines are written.
Invariant: a secret is found wherever in a text it stands; what only looks like one is lost too, which costs a reader less
than a secret in the log would (tests/unit/test_redaction.py, tests/integration/test_canary.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

REDACTED: Final = "(redacted)"

SECRET_NAMES: Final = frozenset(
    {
        *("authorization", "body", "cookie", "database_url", "dpop", "email", "headers", "mobile", "otp", "params"),
        *(
            "password",
            "phone",
            "pin",
            "proof",
            "query",
            "query_string",
            "redis_url",
            "secret",
            "set-cookie",
            "token",
            "totp",
        ),
    }
)
"""Keys whose values never reach a line, however deep they are."""

SECRET_ENDS: Final = ("_token", "_password", "_secret", "_cookie", "_code", "_phone", "_email", "_proof")
"""Ends of such keys: `refresh_token`, `new_password`, `totp_secret`."""

FREE_NAMES: Final = frozenset(
    {"timestamp", "level", "logger", "correlation_id", "address", "method", "ms", "status", "org", "user", "session"}
)
"""Keys whose values we made or have a form of their own (web/middleware.py); not looked through, as each line has them."""

SUSPECT: Final = re.compile(r"@|://|\d{4}|.{40}|(?i:bearer|basic|dpop)\s", re.DOTALL)
"""What a text must have to hold any of SECRETS; almost none has, so a line of the access log costs 10 µs and not 60."""

SECRETS: Final = (
    (re.compile(r"(://[^:/@\s]*:)[^@/\s]+@"), rf"\1{REDACTED}@"),  # the password in a URL
    # Three parts in base64url: access tokens, proofs of a device's key.
    (re.compile(r"[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{43,}"), REDACTED),
    # identity/opaque.py: refresh tokens, resets.
    (re.compile(r"(?<![A-Za-z0-9_.-])[A-Za-z0-9_.-]{1,64}\.[0-9a-f]{32}\.[A-Za-z0-9_-]{43}"), REDACTED),
    (re.compile(r"(?i)\b(bearer|basic|dpop)\s+[A-Za-z0-9+/=._~-]{8,}"), rf"\1 {REDACTED}"),
    (re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"), REDACTED),  # an e-mail address
    # E.164, and the ten digits of an Indian mobile (they begin with 6 to 9) with or without 0 or 91.
    (re.compile(r"(?<![\w.])\+\d(?:[ -]?\d){7,14}(?!\w)"), REDACTED),
    (re.compile(r"(?<![\w.])(?:\+?91[ -]?|0)?[6-9]\d{4}[ -]?\d{5}(?![\w.]\w)"), REDACTED),
)

_DIGITS: Final = re.compile(r"\d{4,10}")

_ROW: Final = re.compile(
    r"(DETAIL|CONTEXT):.*?(?=\n(?:HINT|CONTEXT|QUERY|LOCATION):|\n\n(?:During|The above)|\Z)", re.DOTALL
)
"""What PostgreSQL adds to an error: the row that it was about."""

_ARGUMENT: Final = re.compile(r"(query argument \$\d+): .*? (?=\()", re.DOTALL)
"""What asyncpg says of a value that it cannot send."""

_INPUT: Final = re.compile(r"input_value=.*?(?=, input_type=)", re.DOTALL)
"""What pydantic says of a value that it cannot take."""

_QUOTED: Final = re.compile(r"""(?<![\w\\])(['"])(?![a-z_]{1,63}\1)(?:\\.|(?!\1)[^\n\\])*\1""")
"""A text in quotes that is no name of ours: in the words of an exception, most likely what a client sent."""


def redacted(name: object, value: Any) -> Any:
    """Give `value`, logged under `name`, without secrets; texts inside lists and mappings too."""
    if isinstance(name, str):
        if name in FREE_NAMES:
            return value
        if is_secret(name.lower(), value):
            return REDACTED
    if isinstance(value, str):
        return clean(value) if name != "exception" else clean(clean_traceback(value))
    if isinstance(value, Mapping):
        return {key: redacted(key, inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [redacted(None, inner) for inner in value]
    return redacted(None, value.decode(errors="replace")) if isinstance(value, bytes) else value


def is_secret(name: str, value: Any) -> bool:
    """Say whether what is logged under `name` may not be seen; a `code` is one if it is a number, else it names a problem.

    >>> is_secret("new_password", "x"), is_secret("code", "104233"), is_secret("code", "busy"), is_secret("user", "u1")
    (True, True, False, False)
    """
    if name == "code":
        return bool(_DIGITS.fullmatch(str(value)))
    return name in SECRET_NAMES or name.endswith(SECRET_ENDS)


def clean(text: str) -> str:
    """Take what has the form of a secret out of a text.

    >>> clean("sent to +91 98220 12345"), clean("redis://u:pass@host"), clean("of asha@example.com")
    ('sent to (redacted)', 'redis://u:(redacted)@host', 'of (redacted)')
    """
    if SUSPECT.search(text) is None:
        return text
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return text


def clean_traceback(text: str) -> str:
    """Take what clients sent out of a traceback: the lines of code stay, values in the words of exceptions go.

    >>> clean_traceback('  File "a.py", line 1\\nValueError: no number: "Asha\\'s 12"')
    '  File "a.py", line 1\\nValueError: no number: (redacted)'
    """
    for pattern, instead in (
        (_ROW, rf"\1: {REDACTED}"),
        (_ARGUMENT, rf"\1: {REDACTED} "),
        (_INPUT, f"input_value={REDACTED}"),
    ):
        text = pattern.sub(instead, text)
    return "\n".join(line if line.startswith("  ") else _QUOTED.sub(REDACTED, line) for line in text.split("\n"))
