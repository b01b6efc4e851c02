"""A link opens what it was made for, and nothing that was made elsewhere or changed."""

from __future__ import annotations

import time

import pytest

from sync_server.identity.links import Link, Links, is_over
from sync_server.identity.secret_key import SecretKey

LINK = Link("org_a", "agent1", "s1", "a1", 256, 2_000_000_000)


@pytest.fixture
def links() -> Links:
    return Links(SecretKey(b"k" * 32))


def test_link_reads_back(links: Links) -> None:
    token = links.write(LINK)
    assert links.read(token) == LINK
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


def test_changed_link_opens_nothing(links: Links) -> None:
    token = links.write(LINK)
    for place in range(len(token)):
        other = "A" if token[place] != "A" else "B"
        read = links.read(token[:place] + other + token[place + 1 :])
        assert read is None or read == LINK, "the last letter may hold bits that stand for nothing"


@pytest.mark.parametrize("token", ["", ".", "a.b", "é.é", "a" * 5000, "YQ.YQ", "===."])
def test_what_is_no_link_opens_nothing(links: Links, token: str) -> None:
    assert links.read(token) is None


def test_link_of_another_server_opens_nothing(links: Links) -> None:
    assert links.read(Links(SecretKey(b"j" * 32)).write(LINK)) is None


def test_signature_of_another_purpose_opens_nothing(links: Links) -> None:
    key = SecretKey(b"k" * 32)
    said, _, _ = links.write(LINK).partition(".")
    forged = key.digest("code", "whatever").hex()
    assert links.read(f"{said}.{forged}") is None


def test_link_is_over_at_its_moment() -> None:
    now = int(time.time())
    assert is_over(Link("o", "u", "s", "a", 0, now))
    assert not is_over(Link("o", "u", "s", "a", 0, now + 60))
