"""Opaque tokens: read as they were made, and not to be had from what the database keeps."""

from __future__ import annotations

import pytest

from sync_server.identity.opaque import SALT_BYTES, OpaqueToken, new_salt
from sync_server.redaction import REDACTED, redacted

SESSION = "0123456789abcdef" * 2


def test_a_token_is_read_as_it_was_made() -> None:
    made = OpaqueToken.make("an.org.with-dots_", SESSION)

    assert OpaqueToken.read(str(made)) == made
    assert OpaqueToken.make("o", SESSION).secret != OpaqueToken.make("o", SESSION).secret
    assert len(made.secret) * 6 >= 256


@pytest.mark.parametrize(
    "text", ["", ".", "a.b.c", "org." + "0" * 32, f"o\0rg.{'0' * 32}.{'A' * 43}", f"{'x' * 65}.{'0' * 32}.{'A' * 43}"]
)
def test_what_is_no_token_is_not_read(text: str) -> None:
    assert OpaqueToken.read(text) is None


def test_a_digest_is_of_one_secret() -> None:
    token = OpaqueToken.make("org", SESSION)

    assert token.is_of(token.digest())
    for other in (None, b"", token.digest()[:-1], OpaqueToken.make("org", SESSION).digest()):
        assert not token.is_of(other)


def test_a_successor_follows_from_token_and_salt_and_from_nothing_less() -> None:
    token, salt = OpaqueToken.make("org", SESSION), new_salt()
    successor = token.successor(salt)

    assert token.successor(salt) == successor
    assert OpaqueToken.read(str(successor)) == successor
    assert (successor.org_id, successor.id) == (token.org_id, token.id)
    others = [
        token.successor(new_salt()),
        OpaqueToken.make("org", SESSION).successor(salt),
        OpaqueToken("other", SESSION, token.secret).successor(salt),
        OpaqueToken("org", "f" * 32, token.secret).successor(salt),
    ]
    assert successor.secret not in {other.secret for other in others} | {token.secret}
    assert len(salt) == SALT_BYTES == 32


def test_the_log_knows_every_opaque_token_by_its_form() -> None:
    token = str(OpaqueToken.make("an.org", SESSION))

    said = redacted("event", f"took {token} from the body")

    assert said == f"took {REDACTED} from the body"
