"""One-time codes over HTTP: to log in, and to move to another number.

Owns: the JSON of both.
Must not know: how codes are sent, counted or checked.
Invariant: no answer tells whether a number is anybody's, and none has a code in it (tests/integration/test_codes.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

import orjson
from aiohttp import web

from sync_server.identity import code_login, code_rules
from sync_server.identity.code_login import NumberTaken
from sync_server.identity.code_rules import TooManyCodes
from sync_server.identity.codes import Choose, CodeRefused, Codes, MoreNeeded, Ticket, Wrong
from sync_server.identity.phone_numbers import UnusableNumber, read_number
from sync_server.identity.sessions import DeviceClaim, Grant
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.web.fresh import require_fresh
from sync_server.web.logins import address_of, answer_grant, device_of, read_object, text_of
from sync_server.wire.problems import Problem, pointer


async def ask(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/auth/code `{phone, device?}`."""
    codes = _codes(request)
    asked = await read_object(request, "phone")
    number = _number(codes, asked["phone"])
    device = device_of(asked) or DeviceClaim()
    with _told_apart():
        ticket = await codes.ask(number, device_id=device.id or "", address=address_of(request))
    return await _answer(request, ticket)


async def verify(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/auth/code/verify `{request_id, code, org_id?, totp?, device?}`: a grant, or organisations to choose from."""
    with _told_apart():
        tried = await _log_in(request, await read_object(request, "request_id", "code"))
    if isinstance(tried, Wrong):
        _refuse(tried)
    if isinstance(tried, Choose):
        listed = [{"org_id": holder.org_id, "name": holder.org_name} for holder in tried.holders]
        return await send_json(request, orjson.dumps({"choose": listed}))
    return await answer_grant(request, tried, "code_refused")


async def _log_in(request: web.Request, asked: Mapping[str, Any]) -> Grant | Wrong | Choose:
    app = request.app
    return await code_login.log_in(
        *(_codes(request), app[keys.DATABASE], app[keys.TOKENS], app[keys.SECOND]),
        request_id=asked["request_id"],
        code=asked["code"],
        org_id=text_of(asked, "org_id"),
        second_code=text_of(asked, "totp"),
        device=device_of(asked),
        refresh_days=app[keys.SETTINGS].refresh_token_days,
        address=address_of(request),
    )


async def ask_to_move(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/auth/phone `{phone}`: send a code to the number that the asker wants to have; needs a fresh login."""
    codes, actor = _codes(request), request[keys.ACTOR]
    asked = await read_object(request, "phone")
    number = _number(codes, asked["phone"])
    await require_fresh(request)
    with _told_apart():
        ticket = await codes.ask(number, device_id=actor.device_id, address=address_of(request), mover=actor)
    return await _answer(request, ticket)


async def move(request: web.Request) -> web.StreamResponse:
    """POST /api/v1/auth/phone/verify `{request_id, code}`: have the number from now on."""
    codes, actor = _codes(request), request[keys.ACTOR]
    asked = await read_object(request, "request_id", "code")
    id, code = asked["request_id"], asked["code"]
    with _told_apart():
        wrong = await code_login.move(codes, actor, request_id=id, code=code, address=address_of(request))
    if wrong is not None:
        _refuse(wrong)
    return web.Response(status=204)


def _codes(request: web.Request) -> Codes:
    codes = request.app.get(keys.CODES)
    if codes is None:
        raise Problem("codes_unavailable")
    return codes


def _number(codes: Codes, typed: str) -> str:
    try:
        return read_number(typed, codes.countries)
    except UnusableNumber as fault:
        raise Problem("invalid_value", str(fault), pointer=pointer("phone")) from None


@contextmanager
def _told_apart() -> Iterator[None]:
    """Turn what codes raise into problems."""
    try:
        yield
    except CodeRefused:
        raise Problem("code_refused") from None
    except MoreNeeded:
        raise Problem("second_factor_needed", pointer=pointer("totp")) from None
    except NumberTaken:
        raise Problem("phone_taken") from None
    except TooManyCodes as many:
        raise Problem("too_many_codes", retry_after=many.seconds) from None


def _refuse(wrong: Wrong) -> NoReturn:
    raise Problem("wrong_code", pointer=pointer("code"), tries_left=wrong.left)


async def _answer(request: web.Request, ticket: Ticket) -> web.StreamResponse:
    document = {
        "request_id": ticket.request_id,
        "expires_in": ticket.expires_in,
        "resend_after": code_rules.RESEND_SECONDS,
        "digits": code_rules.DIGITS,
    }
    return await send_json(request, orjson.dumps(document), status=202)
