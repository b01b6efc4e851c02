"""Forged requests: what a cookie alone may not do (sync_server/web/origins.py)."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from sync_server.web import keys
from sync_server.web.origins import CONSOLE, refuse_forged
from sync_server.wire.problems import Problem

ALLOWED = frozenset({"https://console.example.com"})
OURS = {"Origin": "https://api.example.com"}
SAME = {"Sec-Fetch-Site": "same-origin"}
MARK = {CONSOLE: "1"}


def forged(method: str, headers: dict[str, str], *, secure: bool = True) -> bool:
    request = make_mocked_request(method, "/api/v1/x", headers={"Host": "api.example.com", **headers})
    request[keys.SECURE] = secure
    try:
        refuse_forged(request, ALLOWED)
    except Problem as problem:
        return problem.code == "forged_request"
    return False


FINE = {
    "our own page": {**OURS, **SAME, **MARK},
    "our own page, no Sec-Fetch": {**OURS, **MARK},
    "our own page, no Origin": {**SAME, **MARK},
    "a listed page": {"Origin": "https://console.example.com", "Sec-Fetch-Site": "same-site", **MARK},
}
FORGED = {
    "nothing": {},
    "only the mark": MARK,
    "a form of a stranger": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    "a script of a stranger": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", **MARK},
    "our page without the mark": {**OURS, **SAME},
    "a neighbour": {"Origin": "https://other.example.com", "Sec-Fetch-Site": "same-site", **MARK},
    "plain http": {"Origin": "http://api.example.com", **MARK},
    "another port": {"Origin": "https://api.example.com:444", **MARK},
    "null": {"Origin": "null", **MARK},
    "null of the same site": {"Origin": "null", **SAME, **MARK},
    "no origin, typed in": {"Sec-Fetch-Site": "none", **MARK},
    "an origin that lies": {**OURS, "Sec-Fetch-Site": "cross-site", **MARK},
    "a prefix": {"Origin": "https://api.example.com.evil.example", **MARK},
    "a user in it": {"Origin": "https://api.example.com@evil.example", **MARK},
    "a listed one in capitals": {"Origin": "https://CONSOLE.example.com", **MARK},
}


@pytest.mark.parametrize("headers", FINE.values(), ids=FINE)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_page_of_ours_may_change_things(method: str, headers: dict[str, str]) -> None:
    assert not forged(method, headers)


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "ODD"])
def test_nobody_else_may(method: str, headers: dict[str, str]) -> None:
    assert forged(method, headers)


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_changes_nothing_and_is_not_asked_for_more(method: str, headers: dict[str, str]) -> None:
    assert not forged(method, headers)


def test_the_scheme_is_the_one_that_the_client_spoke() -> None:
    assert not forged("POST", {"Origin": "http://api.example.com", **MARK}, secure=False)
    assert forged("POST", {"Origin": "https://api.example.com", **MARK}, secure=False)
