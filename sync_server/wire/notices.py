"""How people want to be told, on the wire.

Owns: the members of wishes and of a phone's address.
Must not know: engine, store, how anything is sent.
Invariant: what was read is written as it was (tests/integration/test_notices_api.py).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final, Literal
from zoneinfo import available_timezones

import orjson

from erp_core.notices import BY_KIND
from erp_core.telling import DEFAULT, RHYTHMS, Wishes
from sync_server.wire.members import read_members
from sync_server.wire.problems import Problem, pointer, shown

SERVICES: Final = ("expo", "fcm", "apns")
TOKEN_MAX: Final = 4_096
CLOCK: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]"

_CLOCK: Final = re.compile(CLOCK)
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")
_APNS_TOKEN: Final = re.compile(r"[0-9A-Fa-f]{16,200}")
_TIMES: Final = ("quiet_from", "quiet_until", "daily_at")


def write_wishes(wishes: Wishes) -> bytes:
    """Write wishes: times of the day as HH:MM."""
    said = {name: getattr(wishes, name) for name in ("email", "push", *_TIMES, "zone", "muted")}
    return orjson.dumps({**said, **{name: f"{said[name] // 60:02}:{said[name] % 60:02}" for name in _TIMES}})


def read_wishes(body: Any) -> Wishes:
    """Read wishes; what is left out is as for who said nothing. Raises Problem."""
    wishes = DEFAULT
    for name, value in read_members(body, {"email", "push", *_TIMES, "zone", "muted"}).items():
        wishes = replace(wishes, **{name: _read(name, value)})
    return wishes


def read_address(body: Any) -> tuple[str, str]:
    """Read `{service, token}`. Raises Problem."""
    said = read_members(body, {"service", "token"})
    service, token = said.get("service"), said.get("token")
    if service not in SERVICES:
        raise Problem("invalid_value", f"service is one of {', '.join(SERVICES)}.", pointer=pointer("service"))
    fits = isinstance(token, str) and len(token) <= TOKEN_MAX and _TOKEN.fullmatch(token)
    if not fits or (service == "apns" and not _APNS_TOKEN.fullmatch(str(token))):
        raise Problem("invalid_value", f"token is what {service} gave the app.", pointer=pointer("token"))
    return service, str(token)


def _read(name: str, value: Any) -> Any:
    match name:
        case "push":
            return _flag(name, value)
        case "muted":
            return _kinds(name, value)
        case "email":
            return _one_of(name, value, RHYTHMS)
        case "zone":
            if not isinstance(value, str) or value not in available_timezones():
                raise Problem("invalid_value", "zone is a time zone such as Asia/Kolkata.", pointer=pointer(name))
            return value
        case _:
            return _minute(name, value)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Problem("wrong_type", f"{name} must be true or false.", pointer=pointer(name))
    return value


def _one_of(name: str, value: Any, words: tuple[str, ...]) -> Literal["at_once", "daily", "never"]:
    if value not in words:
        raise Problem("invalid_value", f"{name} is {', '.join(words)}.", pointer=pointer(name))
    word: Literal["at_once", "daily", "never"] = value
    return word


def _minute(name: str, value: Any) -> int:
    if not isinstance(value, str) or not _CLOCK.fullmatch(value):
        raise Problem("invalid_value", f"{name} is a time of the day such as 21:00.", pointer=pointer(name))
    return int(value[:2]) * 60 + int(value[3:])


def _kinds(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(kind, str) for kind in value):
        raise Problem("wrong_type", f"{name} must be an array of strings.", pointer=pointer(name))
    unknown = next((kind for kind in value if kind not in BY_KIND), None)
    if unknown is not None:
        kinds = ", ".join(BY_KIND)
        raise Problem(
            "invalid_value", f"{shown(unknown)} is no kind of notification; they are {kinds}.", pointer=pointer(name)
        )
    return tuple(dict.fromkeys(value))
