"""Settings of codes: a gateway's token leaves only over TLS, and a text has the code in it (sync_server/config_codes.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync_server.config import WrongSetting, load_settings


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("COTTON_SMS_URL", "http://sms.example.com/send", "https://"),
        ("COTTON_SMS_URL", "https://", "https://"),
        ("COTTON_SMS_URL", "ftp://sms.example.com", "https://"),
        ("COTTON_SMS_TEXT", "Your code", "once"),
        ("COTTON_SMS_TEXT", "{code} {code}", "once"),
        ("COTTON_CODE_COUNTRIES", "+91", "numbers such as"),
        ("COTTON_CODE_COUNTRIES", "91, 971", "numbers such as"),
        ("COTTON_CODES_PER_DAY", "0", "greater"),
    ],
)
def test_a_wrong_setting_is_told(variable: str, value: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(WrongSetting) as wrong:
        load_settings()
    assert variable in str(wrong.value)
    assert why in str(wrong.value)


def test_the_secret_in_the_address_of_a_gateway_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTTON_SMS_URL", "http://sms.example.com/send?key=hunter2")

    with pytest.raises(WrongSetting) as wrong:
        load_settings()
    assert "hunter2" not in str(wrong.value)


@pytest.mark.parametrize("url", ["https://sms.example.com/send", "http://127.0.0.1:9000/send", "http://localhost:9000"])
def test_a_gateway_is_asked_over_tls_or_on_this_machine(url: str) -> None:
    assert load_settings(sms_url=url).sms_url == url


@pytest.mark.parametrize(
    ("settings", "required"),
    [
        ({}, False),
        ({"demo": False}, True),
        ({"host": "0.0.0.0"}, True),
        ({"demo": False, "require_totp": False}, False),
    ],
)
def test_second_factors_are_required_unless_it_is_the_demo(settings: dict[str, object], required: bool) -> None:
    assert load_settings(**settings).require_totp is required


def test_the_secret_lies_beside_the_keys_unless_it_is_said_where(tmp_path: Path) -> None:
    assert load_settings(data=tmp_path).secret_file == tmp_path / "keys" / "secret.key"
    assert load_settings(secret_key_file=tmp_path / "s").secret_file == tmp_path / "s"
