"""The console, described: its page, the catalogue that it draws from, and how syncing goes.

Owns: the shapes of their answers.
Must not know: what is in the page.
Invariant: what is here is what web/console/ answers (tests/contract/test_openapi.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from erp_core.titles import LANGUAGES
from sync_server.wire.openapi.operations import Answer, Operation, header, path, query
from sync_server.wire.openapi.shapes import (
    Schema,
    anything,
    choice,
    id_of,
    listed,
    mapped,
    moment,
    or_null,
    shape,
    text,
    whole,
)

TAG: Final = "Console"

_ETAG: Final = {"ETag": {"$ref": "#/components/headers/ETag"}}
_SINCE: Final = header("If-None-Match", text(), "The `ETag` of before.")
_CATALOGUE: Final = shape(
    {"language": choice(*LANGUAGES), "tables": listed(anything(), "As docs/PROTOCOL.md has them.")}
)

_HOUR: Final = shape(
    {
        "at": moment("When the hour began."),
        "pushes": whole("Pushes that got an answer.", least=0),
        "heard": whole("Devices that were last heard of in it.", least=0),
    }
)
_HEALTH: Final = shape(
    {
        "schema_version": whole("The newest.", least=1),
        "hours": listed(_HOUR, "The last 24, the oldest first. Pulls leave no record."),
        "open_issues": mapped(whole(least=0), "Device to open issues; no name: of no device."),
    }
)
_TRACE: Final = shape(
    {
        "at": moment("When."),
        "kind": text("A security event, a verdict, issue, or wrote.", examples=["logged_in"]),
        "detail": text("Of wrote: how many records."),
        "about": or_null(text("table/id", examples=["trades/t1"])),
    }
)
_TIMELINE: Final = shape({"device_id": id_of("the device"), "traces": listed(_TRACE, "The newest first, of 30 days.")})

SCHEMAS: Final[Mapping[str, Schema]] = {}

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/console"): Operation(
        *("console", TAG, "Give the page of the console"),
        {200: Answer("HTML.", text(), "text/html", headers=_ETAG), 304: Answer("Nothing changed.")},
        parameters=(_SINCE,),
    ),
    ("GET", "/console/{version}/{name}"): Operation(
        *("consolePart", TAG, "Give a script or a style of the console"),
        {200: Answer("It, good for ever.", text(), "text/javascript")},
        parameters=(path("version", text(), "As the page has it."), path("name", text(), "A file.")),
        codes=("not_found",),
    ),
    ("GET", "/api/v1/catalogue"): Operation(
        *("catalogue", TAG, "Describe tables, fields and states, with their titles in a language"),
        {200: Answer("The catalogue.", _CATALOGUE, headers=_ETAG), 304: Answer("Nothing changed.")},
        parameters=(query("language", choice(*LANGUAGES), "English if it is left out."), _SINCE),
        codes=("bad_parameter",),
    ),
    ("GET", "/api/v1/sync/health"): Operation(
        *("syncHealth", TAG, "Say how syncing goes"), {200: Answer("By hour, and what waits.", _HEALTH)}
    ),
    ("GET", "/api/v1/devices/{device_id}/timeline"): Operation(
        *("deviceTimeline", TAG, "Say what a device did, and what happened to it"),
        {200: Answer("Its traces.", _TIMELINE)},
        parameters=(path("device_id", text(), "The device."),),
        codes=("not_found",),
    ),
}
