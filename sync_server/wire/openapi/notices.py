"""How people want to be told, described.

Owns: the shapes of wishes and of a phone's address.
Must not know: engine, store.
Invariant: what is here is what wire/notices.py reads and writes (tests/contract/test_openapi.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from erp_core.notices import BY_KIND
from erp_core.telling import RHYTHMS
from sync_server.wire.notices import CLOCK, SERVICES, TOKEN_MAX
from sync_server.wire.openapi.operations import Answer, Body, Operation
from sync_server.wire.openapi.shapes import Schema, choice, flag, listed, ref, shape, text

TAG: Final = "Notices"


def _clock(help: str, example: str) -> Schema:
    return text(f"{help} By the clock of `zone`.", pattern=f"^{CLOCK}$", examples=[example])


_WISHES: Final[Mapping[str, Schema]] = {
    "email": choice(*RHYTHMS, help="`daily`: one mail with all of a day."),
    "push": flag("To one's phones."),
    "quiet_from": _clock("Nothing is sent from here on.", "21:00"),
    "quiet_until": _clock("And is sent now. Equal to `quiet_from`: there are no quiet hours.", "07:00"),
    "daily_at": _clock("When a daily mail comes.", "08:00"),
    "zone": text("A time zone of the IANA database.", examples=["Asia/Kolkata"]),
    "muted": listed(choice(*BY_KIND), "Kinds that are told in the app only."),
}
SCHEMAS: Final[Mapping[str, Schema]] = {"NoticeWishes": shape(_WISHES)}

_FAULTS: Final = ("invalid_value", "unknown_member", "wrong_type")

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/api/v1/me/notices"): Operation(
        *("getNoticeWishes", TAG, "Say how one wants to be told"),
        {200: Answer("As one said, or as it is for who said nothing.", ref("NoticeWishes"))},
    ),
    ("PUT", "/api/v1/me/notices"): Operation(
        *("putNoticeWishes", TAG, "Choose how one wants to be told"),
        {200: Answer("From now on.", ref("NoticeWishes"))},
        body=Body(shape(_WISHES, optional=tuple(_WISHES)), {"email": "daily", "quiet_from": "20:00"}),
        codes=_FAULTS,
    ),
    ("PUT", "/api/v1/me/push-address"): Operation(
        *("putPushAddress", TAG, "Say where the device of this session is reached by push"),
        {204: Answer("It is told from now on.")},
        body=Body(
            shape(
                {
                    "service": choice(*SERVICES),
                    "token": text("As the service gave it to the app.", least=1, most=TOKEN_MAX),
                }
            ),
            {"service": "expo", "token": "ExponentPushToken[xxxxxxxxxxxxxxxxxxxxxx]"},
        ),
        codes=(*_FAULTS, "device_state"),
    ),
    ("DELETE", "/api/v1/me/push-address"): Operation(
        *("removePushAddress", TAG, "Have the device of this session told nothing by push"),
        {204: Answer("It is told nothing any more.")},
    ),
}
