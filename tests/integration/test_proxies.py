"""Addresses over the whole server: what the log, the limits and the list of sessions say of where somebody came from."""

from __future__ import annotations

import io
from pathlib import Path

import orjson
import pytest

from tests.harness.servers import serve_here

SPOOFS = [
    {"X-Forwarded-For": "192.0.2.66"},
    {"Forwarded": "for=192.0.2.66"},
    {"X-Real-IP": "192.0.2.66", "True-Client-IP": "192.0.2.66", "CF-Connecting-IP": "192.0.2.66"},
    {"X-Client-IP": "192.0.2.66", "X-Cluster-Client-IP": "192.0.2.66", "X-Forwarded-Host": "192.0.2.66"},
    {"X-Forwarded-For": "192.0.2.66", "Forwarded": "for=192.0.2.66;proto=https", "Via": "1.1 192.0.2.66"},
]


def addresses(lines: io.StringIO) -> set[str]:
    return {orjson.loads(line)["address"] for line in lines.getvalue().splitlines() if b"address" in line.encode()}


@pytest.mark.parametrize("spoof", SPOOFS)
async def test_nobody_names_an_address_of_their_own(
    demo_url: str, tmp_path: Path, lines: io.StringIO, spoof: dict[str, str]
) -> None:
    async with serve_here(demo_url, tmp_path) as server:
        wrong = {"username": "agent1", "password": "wrong"}
        async with server.session.post("/api/v1/auth/login", json=wrong, headers=spoof) as answer:
            assert answer.status == 401

    assert addresses(lines) == {"127.0.0.1"}
    assert "192.0.2.66" not in lines.getvalue()


@pytest.mark.parametrize(
    ("header", "sent"),
    [
        ("x-forwarded-for", {"X-Forwarded-For": "192.0.2.66, 198.51.100.7", "Forwarded": "for=192.0.2.66"}),
        ("forwarded", {"Forwarded": 'for=192.0.2.66, for="198.51.100.7:99"', "X-Forwarded-For": "192.0.2.66"}),
    ],
)
async def test_the_address_that_our_proxy_saw_is_logged(
    demo_url: str, tmp_path: Path, lines: io.StringIO, header: str, sent: dict[str, str]
) -> None:
    async with (
        serve_here(demo_url, tmp_path, trusted_proxies="127.0.0.0/8", forwarded_header=header) as server,
        server.session.get("/api/v1/sync", headers=sent) as answer,
    ):
        assert answer.status == 401

    assert addresses(lines) == {"198.51.100.7"}
    assert "192.0.2.66" not in lines.getvalue()


async def test_who_is_refused_is_logged_with_what_and_whence(demo_url: str, tmp_path: Path, lines: io.StringIO) -> None:
    async with serve_here(demo_url, tmp_path) as server, server.session.get("/api/v1/sync") as answer:
        assert answer.status == 401

    refused = [orjson.loads(line) for line in lines.getvalue().splitlines() if "access_refused" in line]
    assert [(line["reason"], line["method"], line["path"], line["address"]) for line in refused] == [
        ("unauthenticated", "GET", "/api/v1/sync", "127.0.0.1")
    ]
    assert refused[0]["correlation_id"] == answer.headers["X-Request-Id"]
    assert refused[0]["timestamp"].endswith("Z")
