"""Consents and periods, described.

Owns: the shapes of bodies and answers.
Must not know: engine, store.
Invariant: what is here is what wire/consents.py reads and writes (tests/contract/test_openapi.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from erp_core.consents import PURPOSES
from sync_server.wire.openapi.operations import Answer, Body, Operation, path
from sync_server.wire.openapi.privacy import TAG
from sync_server.wire.openapi.shapes import Schema, choice, flag, listed, moment, or_null, ref, shape, text, whole

_PURPOSE: Final = choice(*PURPOSES)
_ASKED: Final = shape(
    {
        "purpose": _PURPOSE,
        "version": whole("Of the words.", least=1),
        "words": text("What one agrees to, in one's language."),
        "given": or_null(flag("Null: one said nothing.")),
        "at": or_null(moment("Said.")),
    }
)
_SAID: Final = shape({"purpose": _PURPOSE, "given": flag(), "version": whole(least=1), "at": moment("Said.")})
_PERIOD: Final = shape(
    {
        "what": text("What is kept."),
        "days": {"type": ["number", "null"], "description": "Null: as long as the books are kept."},
        "why": text("For what."),
    }
)
SCHEMAS: Final[Mapping[str, Schema]] = {"Consents": shape({"purposes": listed(_ASKED), "history": listed(_SAID)})}

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/api/v1/me/consents"): Operation(
        *("getConsents", TAG, "Say what one may agree to, and what one said"),
        {200: Answer("In one's language.", ref("Consents"))},
    ),
    ("PUT", "/api/v1/me/consents/{purpose}"): Operation(
        *("putConsent", TAG, "Agree to a purpose, or take it back"),
        {200: Answer("It counts from now on.", ref("Consents"))},
        parameters=(path("purpose", text("One of those that `GET /api/v1/me/consents` gives.")),),
        body=Body(
            shape({"given": flag(), "version": whole("Of the words that were shown.", least=1)}, optional=("version",)),
            {"given": True, "version": 1},
        ),
        codes=("not_found", "invalid_value", "unknown_member", "wrong_type"),
    ),
    ("GET", "/api/v1/privacy/retention"): Operation(
        *("getRetention", TAG, "Say for how long what tells of persons is kept"),
        {200: Answer("By the server's settings.", shape({"kept": listed(_PERIOD)}))},
    ),
}
