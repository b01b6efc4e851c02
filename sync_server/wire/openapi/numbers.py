"""Document numbers, described.

Owns: the shapes of leases and of the gap report.
Must not know: what a lease does.
Invariant: what is here is what web/numbers.py reads and answers (tests/contract/test_openapi.py,
tests/acceptance/test_schemathesis.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from erp_core.entities.document_series import KINDS
from erp_core.numbering import LEASED
from sync_server.wire.numbers import COUNT_MAX, HOLDS_MAX, NUMBER_MAX, PAGE_MAX, REASON_MAX
from sync_server.wire.openapi.operations import Answer, Body, Operation, path, query
from sync_server.wire.openapi.shapes import (
    Schema,
    choice,
    id_of,
    listed,
    mapped,
    moment,
    or_null,
    ref,
    shape,
    text,
    whole,
)

TAG: Final = "Document numbers"

_SERIES: Final[Mapping[str, Schema]] = {
    "id": id_of("the series"),
    "branch_id": id_of("the branch"),
    "kind": choice(*KINDS, help="What it numbers."),
    "prefix": text("What every number begins with."),
    "width": whole("Digits, filled up with noughts.", least=1, most=9),
    "starts_on": text("The first day of its financial year.", format="date"),
    "ends_on": text("The last day of its financial year.", format="date"),
}
_NUMBER: Final[Mapping[str, int]] = {"least": 1, "most": NUMBER_MAX}
_BLOCK: Final[Mapping[str, Schema]] = {
    "id": id_of("the block"),
    "first": whole("Its first number.", **_NUMBER),
    "last": whole("Its last number.", **_NUMBER),
    "used_to": whole("The highest that a document at the server has; 0: none.", least=0),
    "expires_at": moment("When the lease ends by itself."),
}
_STRETCH: Final[Mapping[str, Schema]] = {
    "first": whole("Its first number.", **_NUMBER),
    "last": whole("Its last number.", **_NUMBER),
    "what": choice("used", "leased", "returned", "reclaimed", "voided", "unexplained", help="What became of them."),
    "table": text("Of a number that is used: the table of the document."),
    "record_id": id_of("the document, which may be deleted since"),
    "instead_of": text("What its device had numbered the document, where another document had that; empty: nothing."),
    "device_id": id_of("the device to which they are, or were, leased"),
    "user_id": id_of("the user who leased them"),
    "why": text("Of reclaimed ones: device_revoked, device_forked, wipe_ordered or late."),
    "leased_at": moment("When they were leased."),
    "until": moment("Until when they are leased, or when the lease ended."),
    "reason": text("Why no document has them, as a person said."),
    "by": id_of("the user who said so"),
    "at": moment("When it was said."),
}
_OF_STRETCH: Final = tuple(name for name in _STRETCH if name not in ("first", "last", "what"))
SCHEMAS: Final[Mapping[str, Schema]] = {
    "NumberBlock": shape(_BLOCK),
    "NumberStretch": shape(_STRETCH, optional=_OF_STRETCH),
}

_SHAPES: Final = ("unknown_member", "missing_field", "invalid_value", "wrong_type")
_ONCE: Final = ("bad_idempotency_key", "idempotency_key_reused", "session_ended")
_ID: Final = path("series_id", id_of("the series"))

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/api/v1/numbers/lease"): Operation(
        *("leaseNumbers", TAG, "See to it that this device has so many numbers of a series in hand"),
        {
            200: Answer(
                "The series, and every block of it that the device holds now.",
                shape({"series": shape(_SERIES), "blocks": listed(ref("NumberBlock"))}),
            )
        },
        body=Body(
            shape(
                {
                    "kind": choice(*LEASED),
                    "branch_id": id_of("the branch"),
                    "count": whole("How many it wants to have in hand.", least=1, most=COUNT_MAX),
                    "on": or_null(text("A day of the financial year; null: today.", format="date")),
                    "holds": listed(id_of("a block"), "The blocks that it knows of.", maxItems=HOLDS_MAX),
                    "left": whole("How many of those it has not given yet.", least=0, most=COUNT_MAX),
                },
                optional=("on", "holds", "left"),
            ),
            {"kind": "trade", "branch_id": "rajkot", "count": 20},
        ),
        codes=(*_SHAPES, *_ONCE, "unsafe_id", "rule_broken", "not_found"),
    ),
    ("POST", "/api/v1/numbers/return"): Operation(
        *("returnNumbers", TAG, "Give back numbers that this device will not give"),
        {204: Answer("They have come back.")},
        body=Body(
            shape({"blocks": mapped(whole(least=1, most=NUMBER_MAX + 1), "Block: the first number not given.")}),
            {"blocks": {"0b9cbb1df6f24bd2a7d2": 17}},
        ),
        codes=(*_SHAPES, *_ONCE, "unsafe_id"),
    ),
    ("GET", "/api/v1/series/{series_id}/numbers"): Operation(
        *("reportNumbers", TAG, "Read what became of every number of a series"),
        {
            200: Answer(
                "A page.",
                shape(
                    {
                        "series": shape({**_SERIES, "next_number": whole("The first that nobody has.", least=1)}),
                        "numbers": listed(ref("NumberStretch"), "In their order, without holes."),
                        "next": or_null(whole("Go on after this number.", least=1)),
                    }
                ),
            )
        },
        parameters=(
            _ID,
            query("after", whole(least=0, most=NUMBER_MAX, default=0), "Begin behind this number."),
            query("limit", whole(least=1, most=PAGE_MAX, default=PAGE_MAX), "Numbers of a page."),
        ),
        codes=("not_found", "bad_parameter"),
    ),
    ("POST", "/api/v1/series/{series_id}/gaps"): Operation(
        *("explainGap", TAG, "Say why no document will have some numbers"),
        {201: Answer("What is said of them now.", ref("NumberStretch"))},
        parameters=(_ID,),
        body=Body(
            shape(
                {
                    "first": whole("The first.", **_NUMBER),
                    "last": whole("The last.", **_NUMBER),
                    "reason": text("Why.", least=1, most=REASON_MAX),
                }
            ),
            {"first": 17, "last": 17, "reason": "The page of the old book was torn out."},
        ),
        codes=(*_SHAPES, *_ONCE, "rule_broken", "not_found"),
    ),
}
