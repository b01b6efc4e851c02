"""Privacy, described: requests to be forgotten, and what is known of a person.

Owns: the shapes of bodies and answers.
Must not know: engine, store.
Invariant: what is here is what wire/privacy.py writes (tests/contract/test_openapi.py, tests/integration/test_privacy_api.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sync_server.wire.openapi.operations import Answer, Body, Operation, path, query
from sync_server.wire.openapi.shapes import Schema, choice, id_of, listed, moment, or_null, ref, shape, text, whole
from sync_server.wire.privacy import REASON_MAX, TABLES

TAG: Final = "Privacy"

_TABLE: Final = choice(*TABLES)
_REQUEST: Final[Mapping[str, Schema]] = {
    "id": id_of("the request"),
    "table": _TABLE,
    "record_id": id_of("the person's record"),
    "state": choice("open", "refused", "done"),
    "reason": text("Why it is asked; once refused, why not; empty once done."),
    "asked_by": id_of("the user who asked"),
    "asked_at": moment("Asked."),
    "decided_by": {"type": ["string", "null"]},
    "decided_at": or_null(moment("Decided.")),
    "proof": {
        "type": ["object", "null"],
        "description": "What was done: `records` changed or deleted, by table; `events` of the log that were rewritten;"
        " kept `answers` that were.",
    },
}
_BEHIND: Final = shape(
    {
        "id": id_of("the device"),
        "user_id": id_of("whose it is"),
        "state": text("Of the device."),
        "last_seen_at": moment("Last heard of."),
    }
)
_TOLD: Final = shape(
    {
        "table": text("Of the record."),
        "record_id": id_of("the record"),
        "position": whole(least=0),
        "values": {"type": "object", "description": "What it says of the person, by field."},
    }
)
_ROWS: Final = {"type": "array", "items": {"type": "object"}}

SCHEMAS: Final[Mapping[str, Schema]] = {
    "PrivacyRequest": shape(_REQUEST),
    "PrivacyRequestStanding": shape(
        {**_REQUEST, "devices_behind": listed(_BEHIND), "files_left": whole(least=0)},
        optional=("devices_behind", "files_left"),
    ),
    "KnownOfAPerson": shape(
        {
            "person": shape({"table": _TABLE, "id": id_of("the record")}),
            "records": listed(_TOLD),
            "before": listed(_TOLD),
            "sessions": _ROWS,
            "devices": _ROWS,
            "notices": _ROWS,
            "phones": _ROWS,
            "consents": _ROWS,
            "doors": _ROWS,
        },
        optional=("sessions", "devices", "notices", "phones", "consents", "doors"),
    ),
}

_ID: Final = (path("request_id", id_of("the request")),)
_STANDING: Final = ref("PrivacyRequestStanding")

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/api/v1/privacy/requests"): Operation(
        *("listPrivacyRequests", TAG, "List requests to be forgotten"),
        {
            200: Answer(
                "One's own, newest first; all for who decides.", shape({"requests": listed(ref("PrivacyRequest"))})
            )
        },
    ),
    ("POST", "/api/v1/privacy/requests"): Operation(
        *("askToBeForgotten", TAG, "Ask that a person be forgotten"),
        {201: Answer("Somebody has to agree.", ref("PrivacyRequest"))},
        body=Body(
            shape(
                {"table": _TABLE, "id": id_of("the person's record"), "reason": text(most=REASON_MAX)},
                optional=("reason",),
            ),
            {"table": "business_partners", "id": "Partner000000001", "reason": "The owner asks for it."},
        ),
        codes=("not_found", "asked_already", "invalid_value", "unknown_member", "wrong_type"),
    ),
    ("GET", "/api/v1/privacy/requests/{request_id}"): Operation(
        *("getPrivacyRequest", TAG, "Say how a request stands"),
        {200: Answer("With the devices that have not been told, and the files not yet removed.", _STANDING)},
        parameters=_ID,
        codes=("not_found",),
    ),
    ("POST", "/api/v1/privacy/requests/{request_id}/approve"): Operation(
        *("approvePrivacyRequest", TAG, "Agree, and have the person forgotten"),
        {200: Answer("It is done; devices hear of it by their next pulls.", _STANDING)},
        parameters=_ID,
        codes=("not_found", "already_decided", "still_needed", "fresh_login_needed"),
    ),
    ("POST", "/api/v1/privacy/requests/{request_id}/refuse"): Operation(
        *("refusePrivacyRequest", TAG, "Refuse a request"),
        {200: Answer("Nothing was erased.", _STANDING)},
        parameters=_ID,
        body=Body(
            shape({"reason": text("For the one who asked.", most=REASON_MAX, least=1)}), {"reason": "A payment is due."}
        ),
        codes=("not_found", "already_decided", "invalid_value", "unknown_member", "wrong_type"),
    ),
    ("GET", "/api/v1/privacy/export"): Operation(
        *("exportWhatIsKnown", TAG, "Take along everything that is known of a person"),
        {200: Answer("Of the asker, unless table and id name another.", ref("KnownOfAPerson"))},
        parameters=(query("table", _TABLE, ""), query("id", id_of("the person's record"), "")),
        codes=("not_found", "bad_parameter", "fresh_login_needed"),
    ),
}
