"""What the settings of attachments may be."""

from __future__ import annotations

import pytest

from sync_server.config import WrongSetting, load_settings


@pytest.mark.parametrize("place", ["/srv/attachments", "s3://bucket/prefix", "s3://bucket"])
def test_a_folder_and_s3_will_do(place: str) -> None:
    assert load_settings(attachment_store=place).attachment_store == place


@pytest.mark.parametrize(
    "wrong",
    [
        {"attachment_store": "attachments"},
        {"attachment_store": "https://example.com"},
        {"attachment_host": "files.example.com"},
        {"attachment_host": "https://files.example.com/path"},
        {"attachment_max": 2**28 + 1},
        {"link_seconds": 3600},
        {"upload_hours": 0},
    ],
)
def test_anything_else_is_told(wrong: dict[str, object]) -> None:
    with pytest.raises(WrongSetting, match=f"COTTON_{next(iter(wrong)).upper()}"):
        load_settings(**wrong)


def test_links_begin_where_the_setting_says() -> None:
    assert load_settings(attachment_host="https://files.example.com").attachment_host == "https://files.example.com"
    assert load_settings().attachment_host is None
