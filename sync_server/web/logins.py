"""What all ways to log in share over HTTP: reading their bodies, the device that they speak of, and the answer.

Owns: the JSON of requests, of the `device` member and of grants.
Must not know: how anybody is recognised.
Invariant: a body of the wrong shape is pointed at; a refusal says nothing of why (tests/integration/test_login.py,
tests/integration/test_devices.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import orjson
from aiohttp import web

from erp_core.values import SAFE_ID
from sync_server.identity.device_keys import BadDeviceKey, read_public_key
from sync_server.identity.guesses import TooManyGuesses
from sync_server.identity.second_factor import SecondFactorNeeded, SecondFactorWrong
from sync_server.identity.sessions import DeviceClaim, Grant
from sync_server.web import keys
from sync_server.web.answers import send_json
from sync_server.web.bodies import read_body
from sync_server.wire.problems import Problem, pointer
from sync_server.wire.strict_json import loads

TEXT_MAX: Final = 1_000
"""Characters; longer than any name, password or token of ours."""

DEVICE_TEXTS: Final[Mapping[str, int]] = {"name": 100, "platform": 40, "app_version": 40, "token": TEXT_MAX}
"""Texts of the `device` member -> characters at most."""

SCHEMA_VERSION_MAX: Final = 2**31 - 1


async def read_object(request: web.Request, *names: str) -> dict[str, Any]:
    """Read the body, an object that has the text members `names`; others are ignored. Raises `Problem`."""
    body = loads(await read_body(request, request.app[keys.SETTINGS]))
    if not isinstance(body, dict):
        raise Problem("wrong_type", f"A JSON object with {' and '.join(names)} is needed.", pointer="")
    for name in names:
        if name not in body:
            raise Problem("missing_field", f"{name} is missing.", pointer=pointer(name))
        _check_text(body[name], TEXT_MAX, name)
    return body


def text_of(body: Mapping[str, Any], name: str) -> str:
    """Read a text member of a body that may be left out: "". Raises `Problem`."""
    text = body.get(name)
    if text is None:
        return ""
    _check_text(text, TEXT_MAX, name)
    return str(text)


def device_of(body: Mapping[str, Any]) -> DeviceClaim | None:
    """Read the member `device` of a login's body, None if there is none. Raises `Problem`; unknown members are ignored."""
    said = body.get("device")
    if said is None:
        return None
    if not isinstance(said, dict):
        raise Problem("wrong_type", "device must be an object.", pointer=pointer("device"))
    texts = {name: said[name] for name in DEVICE_TEXTS if said.get(name) is not None}
    for name, text in texts.items():
        _check_text(text, DEVICE_TEXTS[name], "device", name)
    return DeviceClaim(
        id=_id(said.get("id")),
        schema_version=_version(said.get("schema_version")),
        public_key=_key(said.get("public_key")),
        **texts,
    )


def _id(id: Any) -> str | None:
    if id is None:
        return None
    _check_text(id, 64, "device", "id")
    if not SAFE_ID.fullmatch(id):
        raise Problem("invalid_value", "device.id must be 1 to 64 of A-Za-z0-9_.-", pointer=pointer("device", "id"))
    return str(id)


def _version(version: Any) -> int | None:
    if version is None:
        return None
    if type(version) is not int or not 1 <= version <= SCHEMA_VERSION_MAX:
        raise Problem("wrong_type", "schema_version must be 1 or more.", pointer=pointer("device", "schema_version"))
    return version


def _key(key: Any) -> str | None:
    if key is None:
        return None
    where = pointer("device", "public_key")
    if not isinstance(key, str | dict):
        raise Problem("wrong_type", "public_key must be a PEM text or a JWK object.", pointer=where)
    try:
        return read_public_key(key)
    except BadDeviceKey:
        raise Problem("invalid_value", "public_key must be a P-256 public key, PEM or JWK.", pointer=where) from None


def _check_text(value: Any, most: int, *path: str) -> None:
    name = ".".join(path)
    if not isinstance(value, str):
        raise Problem("wrong_type", f"{name} must be a string.", pointer=pointer(*path))
    if len(value) > most:
        raise Problem("invalid_value", f"{name} is longer than {most} characters.", pointer=pointer(*path))


def address_of(request: web.Request) -> str:
    """Give the address that a request is counted and written down by."""
    return str(request.get(keys.ADDRESS, request.remote or ""))


def too_many(guesses: TooManyGuesses) -> Problem:
    """Make the refusal of an attempt that comes too soon after others that failed."""
    detail = f"Too many attempts failed; try again in {guesses.seconds} s, or on a device that has logged in before."
    return Problem("too_many_requests", detail, limit="login", retry_after=guesses.seconds)


@contextmanager
def told_apart() -> Iterator[None]:
    """Turn what a login raises into problems."""
    try:
        yield
    except TooManyGuesses as guesses:
        raise too_many(guesses) from None
    except SecondFactorNeeded:
        raise Problem("second_factor_needed") from None
    except SecondFactorWrong:
        raise Problem("wrong_code", pointer=pointer("code")) from None


async def answer_grant(request: web.Request, grant: Grant | None, refusal: str) -> web.StreamResponse:
    """Answer with what a login or refresh gave; None: with the problem `refusal`."""
    if grant is None:
        raise Problem(refusal)
    actor = grant.actor
    document = {
        "access_token": grant.access_token,
        "refresh_token": grant.refresh_token,
        "token_type": "Bearer",
        "expires_in": grant.expires_in,
        "org_id": actor.org_id,
        "user_id": actor.user_id,
        "session_id": actor.session_id,
        "device_id": actor.device_id,
    }
    if actor.must_enrol:
        document["must_enrol"] = True
    if grant.device_token is not None:
        document["device_token"] = grant.device_token
    return await send_json(request, orjson.dumps(document))
