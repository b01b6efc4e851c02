"""Settings of telling people outside of the app: what is told goes over TLS, and what belongs together is asked for."""

from __future__ import annotations

import pytest

from sync_server.config import WrongSetting, load_settings


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"mail_url": "http://mail", "mail_from": "a@b.example"}, "must begin with smtp:// or smtps://"),
        ({"mail_url": "smtp://user:hidden@mail"}, "needs COTTON_MAIL_FROM"),
        ({"mail_from": "Cotton <a@b.example>"}, "must be an address"),
        ({"public_url": "http://cotton.example.com"}, "must begin with https://"),
        ({"apns_key_file": "/key.p8", "apns_topic": "x"}, "needs COTTON_APNS_KEY_ID"),
        ({"fcm_url": "ftp://x"}, "must begin with https://"),
    ],
)
def test_a_wrong_setting_says_what_is_allowed_and_no_secret(given: dict[str, str], said: str) -> None:
    with pytest.raises(WrongSetting, match=said) as wrong:
        load_settings(**given)
    assert "hidden" not in str(wrong.value)


def test_what_belongs_together_is_taken() -> None:
    settings = load_settings(
        mail_url="smtps://mail.example.com", mail_from="a@b.example", public_url="https://x.example/"
    )
    assert settings.public_url == "https://x.example"
