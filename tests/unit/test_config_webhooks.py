"""Settings of webhooks."""

from __future__ import annotations

import pytest

from sync_server.config import WrongSetting, load_settings


@pytest.mark.parametrize("text", ["10.0.0.2", "10.0.0.2:5353", "10.0.0.2, 10.0.0.3:53", "::1", "[::1]:5353"])
def test_name_servers_are_addresses(text: str) -> None:
    assert load_settings(webhook_name_servers=text).webhook_name_servers == text


@pytest.mark.parametrize("text", ["dns.example.com", "10.0.0", "10.0.0.2 dns"])
def test_a_name_server_that_is_a_name_is_refused(text: str) -> None:
    with pytest.raises(WrongSetting, match="COTTON_WEBHOOK_NAME_SERVERS"):
        load_settings(webhook_name_servers=text)


def test_this_machine_cannot_be_reached_unless_somebody_says_so() -> None:
    assert load_settings().webhook_loopback is False
