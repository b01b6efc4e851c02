"""Devices, wipes and impounded pushes, described.

Owns: the shapes of their bodies and answers.
Must not know: what a wipe does.
Invariant: what is here is what web/devices.py and impounded.py read and answer (tests/contract/test_openapi.py,
tests/acceptance/test_schemathesis.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sync_server.wire.openapi.operations import Answer, Body, Operation, path, query
from sync_server.wire.openapi.shapes import (
    Schema,
    flag,
    id_of,
    listed,
    moment,
    or_null,
    ref,
    shape,
    text,
    whole,
)

TAG: Final = "Devices"

_MEMBERS: Final[Mapping[str, Schema]] = {
    "id": id_of("the installation"),
    "current": flag("It is the one that asks."),
    "user_id": id_of("the user whose it is"),
    "name": or_null(text()),
    "platform": or_null(text()),
    "app_version": or_null(text()),
    "schema_version": or_null(whole()),
    "state": text("What it may do.", examples=["active"]),
    "registered_at": moment("When it first logged in."),
    "last_seen_at": or_null(moment("When it last asked.")),
    "cursor": or_null(whole("The last cursor that it is known to have.")),
    "lag": or_null(whole("Positions between its cursor and the clock; null: not known.")),
    "pending": or_null(whole("How many changes it said that it has not pushed.")),
}
WIPE: Final = shape(
    {
        "ordered_by": or_null(text("Who ordered it.")),
        "ordered_at": moment("When."),
        "immediately": flag("Without waiting for what the device has not sent."),
        "drains": whole("How often it was asked for what it has not sent."),
        "drained_at": or_null(moment("When it had sent all.")),
        "clears": whole("How often it was told to forget."),
        "cleared_at": or_null(moment("When it was last told.")),
        "proven_at": or_null(moment("When it proved that it has forgotten.")),
        "proof": or_null(whole("The cursor by which it proved it.")),
        "impounded": whole("Pushes that wait for a decision."),
    },
    help="The newest order to empty a device.",
)
IMPOUNDED: Final = shape(
    {
        "id": id_of("the push"),
        "user_id": id_of("its author"),
        "cursor": or_null(whole("The cursor that it was sent with.")),
        "bytes": whole("Of its body.", least=0),
        "records": listed(text(examples=["trades/t1"]), "table/id of each record in it."),
        "received_at": moment("When it came."),
        "state": text(examples=["waiting"]),
        "decided_by": or_null(text("Who released or discarded it.")),
        "decided_at": or_null(moment("When.")),
    },
    help="A push that a device sent while it was being wiped.",
)
SCHEMAS: Final[Mapping[str, Schema]] = {
    "RegisteredDevice": shape(_MEMBERS),
    "DeviceWithWipe": shape({**_MEMBERS, "wipe": or_null(ref("Wipe"))}),
    "Wipe": WIPE,
    "ImpoundedPush": IMPOUNDED,
    "ImpoundedPushWithBody": shape({**IMPOUNDED["properties"], "body": text("As it was sent.")}),
}

_DEVICE: Final = path("device_id", id_of("the device"))
_PUSH: Final = path("push_id", id_of("the push"))
_ONE: Final = {200: Answer("The device.", ref("DeviceWithWipe"))}
_DECIDED: Final = {200: Answer("The push.", ref("ImpoundedPush"))}
_MANAGED: Final = ("not_found", "forbidden")
_PUSHED: Final = ("unknown_table", "unknown_column", "unknown_member", "unsafe_id", "duplicate_id", "too_many_records")

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/api/v1/devices"): Operation(
        "listDevices",
        TAG,
        "List one's own devices, or those of others with `device.manage`",
        {
            200: Answer(
                "A page.",
                shape({"devices": listed(ref("RegisteredDevice")), "next": or_null(id_of("the last device"))}),
            )
        },
        parameters=(
            query("user_id", id_of("a user"), "Whose devices."),
            query("all", flag(default=False), "Everybody's."),
            query("after", id_of("a device"), "The `next` of the page before.", may_be_empty=True),
        ),
        codes=("bad_parameter", "forbidden"),
    ),
    ("GET", "/api/v1/devices/{device_id}"): Operation(
        *("readDevice", TAG, "Read a device", _ONE), parameters=(_DEVICE,), codes=_MANAGED
    ),
    ("PATCH", "/api/v1/devices/{device_id}"): Operation(
        *("renameDevice", TAG, "Call a device otherwise", _ONE),
        parameters=(_DEVICE,),
        body=Body(shape({"name": text(least=1, most=100)}), {"name": "Moto G"}),
        codes=(*_MANAGED, "unknown_member", "invalid_value"),
    ),
    ("POST", "/api/v1/devices/{device_id}/revoke"): Operation(
        *("revokeDevice", TAG, "End a device's sessions; a later login begins anew", _ONE),
        parameters=(_DEVICE,),
        codes=(*_MANAGED, "device_state"),
    ),
    ("POST", "/api/v1/devices/{device_id}/wipe"): Operation(
        *("wipeDevice", TAG, "Empty a device when it comes next", _ONE),
        parameters=(_DEVICE,),
        body=Body(shape({"immediately": flag(default=False)}, optional=("immediately",)), needed=False),
        codes=(*_MANAGED, "device_state", "unknown_member"),
    ),
    ("GET", "/api/v1/devices/{device_id}/impounded"): Operation(
        "listImpounded",
        TAG,
        "List what a device pushed while it was being wiped",
        {200: Answer("The pushes.", shape({"impounded": listed(ref("ImpoundedPush"))}))},
        parameters=(_DEVICE,),
        codes=_MANAGED,
    ),
    ("GET", "/api/v1/devices/{device_id}/impounded/{push_id}"): Operation(
        "readImpounded",
        TAG,
        "Read one such push, with its body",
        {200: Answer("The push.", ref("ImpoundedPushWithBody"))},
        parameters=(_DEVICE, _PUSH),
        codes=_MANAGED,
    ),
    ("POST", "/api/v1/devices/{device_id}/impounded/{push_id}/release"): Operation(
        *("releaseImpounded", TAG, "Apply such a push as its author", _DECIDED),
        parameters=(_DEVICE, _PUSH),
        codes=(*_MANAGED, *_PUSHED, "already_decided", "malformed_json", "wrong_type", "cursor_of_another"),
    ),
    ("POST", "/api/v1/devices/{device_id}/impounded/{push_id}/discard"): Operation(
        *("discardImpounded", TAG, "Leave such a push; it stays on record", _DECIDED),
        parameters=(_DEVICE, _PUSH),
        codes=(*_MANAGED, "already_decided"),
    ),
}
