"""Settings of one-time codes and second factors; a part of `config.Settings`.

Owns: their names, defaults and bounds.
Must not know: who uses a setting.
Invariant: a gateway's token goes nowhere but over TLS, or to this machine (tests/unit/test_config_codes.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from sync_server.config_lists import is_loopback

SECRETS: Final = frozenset({"sms_url", "sms_token"})
"""Settings whose value may hold a secret; gateways take theirs in the URL, too."""

_COUNTRIES: Final = re.compile(r"[1-9]\d{0,2}( [1-9]\d{0,2})*")


def _unless_demo(data: Mapping[str, Any]) -> bool:
    return not data.get("demo", False)


class CodeSettings(BaseSettings):
    """How codes are sent, what they may cost, and who needs a second factor."""

    code_countries: str = Field(
        "91", description="country codes that one-time codes are sent to, apart by blanks; the first is home"
    )
    codes_per_organisation: int = Field(
        1_000, ge=1, le=1_000_000, description="messages sent for one organisation in a day, 1 to 1000000"
    )
    codes_per_day: int = Field(10_000, ge=1, le=10_000_000, description="codes asked for in a day, 1 to 10000000")
    sms_url: str | None = Field(
        None,
        description="HTTP gateway that sends text messages, https://…; empty: no codes, in demo mode on standard error",
    )
    sms_token: str | None = Field(None, description="sent to the gateway as Authorization: Bearer; empty: nothing is")
    sms_format: Literal["json", "form"] = Field("json", description="how the gateway is asked: json or form")
    sms_text: str = Field(
        "{code} is your code for Cotton Sync. Give it to nobody.",
        max_length=400,
        description="text of a code's message",
    )
    sms_template_id: str | None = Field(
        None, description="id under which that text is registered in India (DLT); or empty"
    )
    sms_notice: str = Field(
        "Your login to Cotton Sync moved to another number. Not you? Call your office.",
        max_length=400,
        description="text of the message to a number that was replaced",
    )
    sms_notice_template_id: str | None = Field(None, description="id under which that text is registered; or empty")
    secret_key_file: Path | None = Field(
        None,
        description="file of 32 random bytes for codes and authenticators; empty: <data>/keys/secret.key, made at need",
    )
    require_totp: bool = Field(
        default_factory=_unless_demo,
        description="true or false: managers and administrators need an authenticator app; default: true, in demo mode false",
    )

    @field_validator("code_countries")
    @classmethod
    def _are_country_codes(cls, text: str) -> str:
        if not _COUNTRIES.fullmatch(text):
            raise ValueError("must be numbers such as 91 971, apart by one blank")
        return text

    @field_validator("sms_url")
    @classmethod
    def _is_safe_to_send_to(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
        if not secure or not parts.hostname:
            raise ValueError("must begin with https://; http:// is for this machine only")
        return url

    @field_validator("sms_text")
    @classmethod
    def _has_the_code(cls, text: str) -> str:
        if text.count("{code}") != 1:
            raise ValueError("must have {code} in it, once")
        return text

    @field_validator("secret_key_file")
    @classmethod
    def _stays_where_it_is(cls, path: Path | None) -> Path | None:
        return None if path is None else path.expanduser().absolute()
