"""Settings: each documented with its unit, a wrong one told in a line (sync_server/config.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync_server.config import Settings, WrongSetting, as_environment, load_settings, misspelt

WRONG = [
    ("COTTON_PORT", "99999"),
    ("COTTON_PORT", "http"),
    ("COTTON_WORKERS", "0"),
    ("COTTON_POOL_MAX", "many"),
    ("COTTON_LOG_LEVEL", "loud"),
    ("COTTON_DEMO", "perhaps"),
    ("COTTON_BODY_MAX", "-1"),
    ("COTTON_DRAIN_SECONDS", "1.5"),
    ("COTTON_TRUSTED_PROXIES", "10.0.0.1/8"),
    ("COTTON_TRUSTED_PROXIES", "proxy.example.com"),
    ("COTTON_FORWARDED_HEADER", "x-real-ip"),
    ("COTTON_CORS_ORIGINS", "*"),
    ("COTTON_CORS_ORIGINS", "null"),
    ("COTTON_CORS_ORIGINS", "https://*.example.com"),
    ("COTTON_CORS_ORIGINS", "http://console.example.com"),
    ("COTTON_CORS_ORIGINS", "https://console.example.com/"),
    ("COTTON_CORS_ORIGINS", "https://a@console.example.com"),
    ("COTTON_CORS_ORIGINS", "https://Console.example.com"),
    ("COTTON_LIMIT_PULL", "60/minute"),
    ("COTTON_LIMIT_PULL", "phone=60/minute"),
    ("COTTON_LIMIT_PULL", "user=many/minute"),
    ("COTTON_LIMIT_PULL", "user=0/minute"),
    ("COTTON_LIMIT_PULL", "user=60/year"),
    ("COTTON_LIMIT_PULL", "user=60/minute user=70/minute"),
    ("COTTON_LIMIT_PULL", "user=60/minute;70/minute"),
    ("COTTON_HEAVY_AT_ONCE", "0"),
]


@pytest.mark.parametrize(("variable", "value"), WRONG)
def test_wrong_setting_is_one_line_with_variable_value_and_what_is_allowed(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(WrongSetting) as wrong:
        load_settings()

    line = str(wrong.value)
    assert line.startswith(f"{variable}={value}: ")
    assert "Allowed: " in line
    assert "\n" not in line


def test_password_of_a_wrong_database_url_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTTON_DATABASE_URL", "mysql://cotton:hunter2@db/cotton")

    with pytest.raises(WrongSetting) as wrong:
        load_settings()

    assert "COTTON_DATABASE_URL" in str(wrong.value)
    assert "hunter2" not in str(wrong.value)


@pytest.mark.parametrize("url", ["http://:hunter2@cache", "unix:///hunter2", "hunter2"])
def test_password_of_a_wrong_redis_url_is_not_told(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("COTTON_REDIS_URL", url)

    with pytest.raises(WrongSetting) as wrong:
        load_settings()

    assert "COTTON_REDIS_URL" in str(wrong.value)
    assert "hunter2" not in str(wrong.value)


def test_limits_are_read_as_they_are_written() -> None:
    rates = load_settings(limit_pull="user=60/minute;1000/hour  address=5/second").rates("pull")

    assert {kind: [(rate.amount, rate.get_expiry()) for rate in listed] for kind, listed in rates.items()} == {
        "user": [(60, 60), (1000, 3600)],
        "address": [(5, 1)],
    }
    assert load_settings(limit_pull="none").rates("pull") == {}


def test_flag_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COTTON_PORT", "1234")

    assert load_settings(port=4321).port == 4321
    assert load_settings(port=None).port == 1234


def test_empty_variable_is_none() -> None:
    assert load_settings().port == 8080


def test_relative_folder_means_the_same_after_a_change_of_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert load_settings(data=Path("here")).data == tmp_path / "here"


@pytest.mark.parametrize(
    ("settings", "demo"),
    [
        ({}, True),
        ({"host": "0.0.0.0"}, False),
        ({"database_url": "postgresql:///x"}, False),
        ({"host": "0.0.0.0", "demo": True}, True),
        ({"demo": False}, False),
    ],
)
def test_known_passwords_are_never_offered_to_a_network_unless_asked_for(
    settings: dict[str, object], demo: bool
) -> None:
    assert load_settings(**settings).demo is demo


def test_misspelt_variable_is_told_with_the_right_one() -> None:
    assert misspelt(["COTTON_PROT", "COTTON_PORT", "HOME"]) == [
        "COTTON_PROT is not a setting; did you mean COTTON_PORT?"
    ]


def test_every_setting_is_documented_with_its_unit_and_bounds() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        unit = {"ms": "milliseconds", "seconds": "seconds", "days": "days"}.get(name.rsplit("_", 1)[-1])
        assert unit is None or unit in field.description, f"{name} does not name its unit"


def test_settings_pass_unchanged_to_another_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = load_settings(port=1234, data=tmp_path, demo=False, log_level="debug", workers=3)
    for name, value in as_environment(settings).items():
        monkeypatch.setenv(name, value)

    assert load_settings() == settings
