"""The routes of logging in and of oneself's credentials, described: login, codes by phone, second factors, passwords.

Owns: the shapes of their bodies and answers.
Must not know: how anybody is recognised.
Invariant: what is here is what web/auth.py, codes.py, totp.py and passwords.py read and answer
(tests/contract/test_openapi.py, tests/acceptance/test_schemathesis.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sync_server.wire.openapi import faults
from sync_server.wire.openapi.operations import Answer, Body, Operation, header
from sync_server.wire.openapi.shapes import (
    ID_PATTERN,
    Schema,
    anything,
    flag,
    id_of,
    listed,
    or_null,
    ref,
    shape,
    text,
    whole,
)

TAG: Final = "Login"
LONG: Final = 1_000
"""Characters of a text (web/logins.py)."""

FACTOR: Final = ("second_factor_needed", "wrong_code")
CODES: Final = ("codes_unavailable", "too_many_codes", "code_refused")


def _text(help: str = "", **more: Any) -> Schema:
    return text(help, most=LONG, **more)


DEVICE: Final = shape(
    {
        "id": or_null({**id_of("the installation"), "pattern": ID_PATTERN, "maxLength": 64}),
        "name": or_null(text("What the user calls it.", most=100)),
        "platform": or_null(text(most=40)),
        "app_version": or_null(text(most=40)),
        "schema_version": or_null(whole("Version of the app's schema.", least=1, most=2**31 - 1)),
        "public_key": {
            "anyOf": [text("PEM.", most=LONG), anything("JWK."), {"type": "null"}],
            "description": "A P-256 public key; each refresh then needs a `DPoP` header.",
        },
        "token": or_null(_text("`device_token` of the last login on this device.")),
    },
    optional=("id", "name", "platform", "app_version", "schema_version", "public_key", "token"),
    closed=False,
    help="The device that a login is on; all of it may be left out.",
)

GRANT: Final = shape(
    {
        "access_token": text("For `Authorization: Bearer`."),
        "refresh_token": text("Good once: store it before anything else."),
        "token_type": {"const": "Bearer"},
        "expires_in": whole("Seconds that the access token is valid for.", least=1),
        "org_id": id_of("the organisation"),
        "user_id": id_of("the user"),
        "session_id": id_of("the session"),
        "device_id": text("Id of the device; empty if there is none."),
        "must_enrol": flag("A second factor must be set up before anything else."),
        "device_token": text("Send it with the next login on this device."),
    },
    optional=("must_enrol", "device_token"),
    help="What a login gives.",
)

CHOOSE: Final = shape(
    {"choose": listed(shape({"org_id": id_of("an organisation"), "name": text()}))},
    help="The number is in several organisations: send the same again with one `org_id`.",
)

TICKET: Final = shape(
    {
        "request_id": text("Send it with the code."),
        "expires_in": whole("Seconds.", least=1),
        "resend_after": whole("Seconds until another code can be had.", least=0),
        "digits": whole("Of the code.", least=1),
    },
    help="A code is on its way, if the number is anybody's.",
)

SCHEMAS: Final[Mapping[str, Schema]] = {
    "LoginDevice": DEVICE,
    "Tokens": GRANT,
    "ChooseOrganisation": CHOOSE,
    "CodeTicket": TICKET,
}


def _body(members: Mapping[str, Schema], *optional: str, example: object = None, needed: bool = True) -> Body:
    """Members that are not known are ignored: a login of an older server must go on."""
    return Body(shape(members, optional=optional, closed=False), example, needed)


_DEVICE: Final = or_null(ref("LoginDevice"))
_ENDED: Final = shape({"ended": whole("How many sessions ended.", least=0)})

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/api/v1/auth/login"): Operation(
        *("logIn", TAG, "Log in", {200: Answer("Logged in.", ref("Tokens"))}),
        body=_body(
            {
                "username": _text(),
                "password": _text(format="password"),
                "code": or_null(_text("Of the second factor, or a recovery code.")),
                "device": _DEVICE,
            },
            *("code", "device"),
            example={"username": "agent1", "password": "cotton-demo"},
        ),
        codes=(*faults.GUESSED, *FACTOR, "login_refused"),
    ),
    ("POST", "/api/v1/auth/refresh"): Operation(
        *("refresh", TAG, "Get the next pair of tokens", {200: Answer("The next pair.", ref("Tokens"))}),
        help="If the answer was lost, send the same again within a minute; later it ends the session.",
        parameters=(header("DPoP", text(), "A proof (RFC 9449), if the device registered a public key."),),
        body=_body({"refresh_token": _text()}, example={"refresh_token": "DemoCottonHouse1.x"}),
        codes=("missing_field", "invalid_value", "refresh_refused"),
    ),
    ("POST", "/api/v1/auth/logout"): Operation(
        *("logOut", TAG, "End this session", {204: Answer("It has ended.")}),
    ),
    ("POST", "/api/v1/auth/code"): Operation(
        *("askForCode", TAG, "Ask for a one-time code by phone", {202: Answer("Asked.", ref("CodeTicket"))}),
        body=_body(
            {"phone": _text("Without a country code it is Indian."), "device": _DEVICE},
            "device",
            example={"phone": "61000 00001"},
        ),
        codes=(*faults.GUESSED, *CODES),
    ),
    ("POST", "/api/v1/auth/code/verify"): Operation(
        "logInByCode",
        TAG,
        "Log in by a one-time code",
        {
            200: Answer(
                "Logged in, or an organisation to choose.", {"anyOf": [ref("Tokens"), ref("ChooseOrganisation")]}
            )
        },
        body=_body(
            {
                "request_id": _text(),
                "code": _text(),
                "org_id": or_null(_text("The organisation that was chosen.")),
                "totp": or_null(_text("Of the second factor.")),
                "device": _DEVICE,
            },
            *("org_id", "totp", "device"),
            example={"request_id": "0" * 32, "code": "123456"},
        ),
        codes=(*faults.GUESSED, *CODES, *FACTOR),
    ),
    ("POST", "/api/v1/auth/phone"): Operation(
        *("askToMove", TAG, "Send a code to a number to move to", {202: Answer("Asked.", ref("CodeTicket"))}),
        body=_body({"phone": _text()}, example={"phone": "61000 00001"}),
        codes=(*faults.GUESSED, *CODES, "fresh_login_needed", "phone_taken"),
    ),
    ("POST", "/api/v1/auth/phone/verify"): Operation(
        *("moveToNumber", TAG, "Have the number from now on", {204: Answer("It is yours.")}),
        body=_body({"request_id": _text(), "code": _text()}, example={"request_id": "0" * 32, "code": "123456"}),
        codes=(*faults.GUESSED, *CODES, "wrong_code", "phone_taken"),
    ),
    ("POST", "/api/v1/auth/totp"): Operation(
        "enrol",
        TAG,
        "Make a secret for an authenticator app",
        {200: Answer("To be shown once, as a QR code.", shape({"secret": text(), "uri": text(format="uri")}))},
        codes=("limits_unavailable", "fresh_login_needed", "second_factor_exists"),
    ),
    ("POST", "/api/v1/auth/totp/confirm"): Operation(
        "confirmFactor",
        TAG,
        "Put the second factor into force",
        {200: Answer("Each is good once in place of a code.", shape({"recovery_codes": listed(text())}))},
        body=_body({"code": _text()}, example={"code": "123456"}),
        codes=(*faults.GUESSED, "wrong_code"),
    ),
    ("POST", "/api/v1/auth/totp/disable"): Operation(
        *("disableFactor", TAG, "Take one's second factor away", {204: Answer("It is gone.")}),
        body=_body(
            {"password": _text(format="password"), "code": _text()},
            example={"password": "cotton-demo", "code": "123456"},
        ),
        codes=(*faults.GUESSED, *FACTOR, "password_refused"),
    ),
    ("POST", "/api/v1/auth/password"): Operation(
        *("changePassword", TAG, "Change one's password; the other sessions end", {200: Answer("Changed.", _ENDED)}),
        body=_body(
            {"old_password": _text(format="password"), "new_password": _text(format="password")},
            example={"old_password": "the one before", "new_password": "a longer one"},
        ),
        codes=(*faults.GUESSED, "password_refused"),
    ),
    ("POST", "/api/v1/auth/password/reset"): Operation(
        *("resetPassword", TAG, "Set a password by a reset; all sessions end", {204: Answer("It is set.")}),
        body=_body(
            {"token": _text(), "password": _text(format="password")},
            example={"token": "DemoCottonHouse1.x", "password": "a longer one"},
        ),
        codes=(*faults.GUESSED, "reset_refused"),
    ),
}
