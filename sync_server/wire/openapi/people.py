"""Sessions and what an administrator does about a person's credentials, and who one is, described.

Owns: the shapes of their answers.
Must not know: how sessions end.
Invariant: what is here is what web/sessions.py, passwords.py, totp.py and me.py read and answer
(tests/contract/test_openapi.py, tests/acceptance/test_schemathesis.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sync_server.wire.openapi.operations import Answer, Operation, path, query
from sync_server.wire.openapi.shapes import (
    Schema,
    choice,
    flag,
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

TAG: Final = "Sessions"

SESSION: Final = shape(
    {
        "id": id_of("the session"),
        "current": flag("It is the one that asks."),
        "device": shape(
            {name: or_null(text()) for name in ("id", "name", "platform", "app_version")},
            help="Null where it did not say.",
        ),
        "created_at": moment("When it began."),
        "last_seen_at": moment("When it last asked."),
        "expires_at": moment("When it ends by itself."),
    }
)
GRANTED: Final = shape(
    {
        "id": id_of("the grant"),
        "role_id": id_of("the role"),
        "title": text("Of the role."),
        "branch_id": or_null(id_of("the branch that it is limited to")),
        "partner_id": or_null(id_of("the partner that it is limited to")),
        "agent_id": or_null(id_of("the agent whose partners it is limited to")),
        "valid_from": or_null(moment("From when.")),
        "valid_until": or_null(moment("Until when.")),
    },
    help="A role that was given, and where.",
)
MYSELF: Final = shape(
    {
        "user": {"anyOf": [ref("User"), ref("OutOfSight")]},
        "organisation": {"anyOf": [ref("Organisation"), ref("OutOfSight")]},
        "session_id": id_of("the session"),
        "device_id": text("Id of the device; empty if there is none."),
        "roles": listed(ref("GrantedRole")),
        "holds": mapped(listed(text()), "Scope -> the permission codes that are held there."),
        "entitled_until": or_null(moment("When something of it runs out by itself; null: never.")),
    },
    help="Who asks, and what they may do where: what a screen may offer.",
)

SCHEMAS: Final[Mapping[str, Schema]] = {"Session": SESSION, "GrantedRole": GRANTED, "Myself": MYSELF}

_USER: Final = path("user_id", id_of("the user"))
_SESSION: Final = path("session_id", id_of("the session"))
_LIST: Final = {200: Answer("The sessions that live.", shape({"sessions": listed(ref("Session"))}))}
_ENDED: Final = {200: Answer("Ended.", shape({"ended": whole("How many.", least=0)}))}
_RESET: Final = shape({"token": text("Good once."), "expires_in": whole("Seconds.", least=1)})

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/api/v1/auth/sessions"): Operation("listOwnSessions", TAG, "List one's own sessions", _LIST),
    ("DELETE", "/api/v1/auth/sessions"): Operation(
        *("endOwnSessions", TAG, "End all of one's own sessions", _ENDED),
        parameters=(query("keep", choice("current"), "All but the one that asks.", may_be_empty=True),),
        codes=("bad_parameter",),
    ),
    ("DELETE", "/api/v1/auth/sessions/{session_id}"): Operation(
        *("endOwnSession", TAG, "End one of one's own sessions", _ENDED), parameters=(_SESSION,), codes=("not_found",)
    ),
    ("GET", "/api/v1/users/{user_id}/sessions"): Operation(
        *("listSessionsOfUser", TAG, "List the sessions of another", _LIST), parameters=(_USER,), codes=("not_found",)
    ),
    ("DELETE", "/api/v1/users/{user_id}/sessions"): Operation(
        *("endSessionsOfUser", TAG, "End all sessions of another", _ENDED), parameters=(_USER,), codes=("not_found",)
    ),
    ("DELETE", "/api/v1/users/{user_id}/sessions/{session_id}"): Operation(
        *("endSessionOfUser", TAG, "End one session of another", _ENDED),
        parameters=(_USER, _SESSION),
        codes=("not_found",),
    ),
    ("POST", "/api/v1/users/{user_id}/password"): Operation(
        *(
            "giveReset",
            TAG,
            "Make a reset with which another sets a password",
            {200: Answer("To be handed over.", _RESET)},
        ),
        parameters=(_USER,),
        codes=("not_found",),
    ),
    ("DELETE", "/api/v1/users/{user_id}/totp"): Operation(
        *("takeFactorAway", TAG, "Take another's second factor away", {204: Answer("It is gone.")}),
        parameters=(_USER,),
        codes=("not_found", "fresh_login_needed"),
    ),
    ("GET", "/api/v1/me"): Operation(
        "whoAmI", TAG, "Say who asks, and what they may do where", {200: Answer("Oneself.", ref("Myself"))}
    ),
}
