"""Secrets and signatures of webhooks, against the library that receivers use."""

from __future__ import annotations

import base64
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from sync_server.identity.secret_key import SecretKey
from sync_server.identity.webhook_secrets import live_secrets, make_secret, seal, sign
from sync_server.store.webhooks import Webhook

NOW = datetime.now(UTC)
KEY = SecretKey(b"k" * 32)


def webhook(secret: str, before: str | None = None, until: datetime | None = None) -> Webhook:
    sealed = None if before is None else seal(KEY, "org_a", "w1", before)
    fixed = ("org_a", "w1", "agent1", "", "https://example.com", ("*",), (), "active", "", 0)
    return Webhook(*fixed, seal(KEY, "org_a", "w1", secret), sealed, until, 0, None, NOW, NOW)


def headers(*secrets: str, body: bytes, id: str = "msg_1", at: int | None = None) -> dict[str, str]:
    said = int(time.time()) if at is None else at
    return {"webhook-id": id, "webhook-timestamp": str(said), "webhook-signature": sign(secrets, id, said, body)}


def test_the_library_verifies_what_is_signed() -> None:
    secret, body = make_secret(), '{"type":"trades.updated","name":"कपास"}'.encode()

    assert Verifier(secret).verify(body, headers(secret, body=body))["name"] == "कपास"


@pytest.mark.parametrize("changed", ["body", "id", "time", "secret"])
def test_whatever_is_changed_does_not_verify(changed: str) -> None:
    secret, body = make_secret(), b"{}"
    signed = headers(secret, body=body)
    match changed:
        case "body":
            body = b"{ }"
        case "id":
            signed["webhook-id"] = "msg_2"
        case "time":
            signed["webhook-timestamp"] = str(int(signed["webhook-timestamp"]) + 1)
        case "secret":
            secret = make_secret()

    with pytest.raises(WebhookVerificationError):
        Verifier(secret).verify(body, signed)


def test_a_message_that_is_sent_again_after_five_minutes_is_refused_by_the_library() -> None:
    secret = make_secret()
    with pytest.raises(WebhookVerificationError, match="too old"):
        Verifier(secret).verify(b"{}", headers(secret, body=b"{}", at=int(time.time()) - 301))


def test_either_of_two_live_secrets_verifies() -> None:
    new, old = make_secret(), make_secret()
    held = webhook(new, old, NOW + timedelta(hours=1))
    live = live_secrets(KEY, held, NOW)

    assert live == [new, old]
    for secret in (new, old):
        assert Verifier(secret).verify(b"{}", headers(*live, body=b"{}")) == {}


def test_the_secret_before_ends_when_its_time_is_over() -> None:
    new, old = make_secret(), make_secret()
    assert live_secrets(KEY, webhook(new, old, NOW), NOW) == [new]


def test_a_sealed_secret_opens_only_for_its_webhook_and_with_its_key() -> None:
    held = webhook(make_secret())

    assert live_secrets(SecretKey(b"x" * 32), held, NOW) == []
    assert live_secrets(KEY, replace(held, id="w2"), NOW) == []
    assert live_secrets(KEY, replace(held, org_id="org_b"), NOW) == []


def test_a_secret_is_as_long_as_the_specification_asks() -> None:
    assert 24 <= len(base64.b64decode(make_secret().removeprefix("whsec_"))) <= 64
    assert len({make_secret() for _ in range(100)}) == 100
