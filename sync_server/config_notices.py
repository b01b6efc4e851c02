"""Settings of telling people outside of the app; a part of `config.Settings`.

Owns: their names, defaults and bounds.
Must not know: who uses a setting.
Invariant: what is told goes over TLS, or to this machine (tests/unit/test_config_notices.py).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings

from sync_server.config_lists import is_loopback

_ADDRESS: Final = re.compile(r"[^@\s<>\"]+@[^@\s<>\"]+")


class NoticeSettings(BaseSettings):
    """By which ways this process tells people, and as whom."""

    mail_from: str | None = Field(None, description="address that e-mail comes from; needed with COTTON_MAIL_URL")
    mail_url: str | None = Field(
        None,
        description="server for e-mail, smtp://user:password@host:587 (STARTTLS) or smtps://…:465; empty: no mail is sent",
    )
    public_url: str | None = Field(
        None, description="where people reach this server, https://…; mail then links to the console; or empty"
    )
    expo_url: str = Field("https://exp.host", description="Expo's push service")
    expo: bool = Field(False, description="true or false: devices with an Expo token are told by push")
    expo_token: str | None = Field(None, description="access token of the Expo account, if it asks for one; or empty")
    fcm_key_file: Path | None = Field(
        None, description="JSON key of a Google service account for Firebase Cloud Messaging; empty: not used"
    )
    fcm_url: str = Field("https://fcm.googleapis.com", description="Firebase Cloud Messaging")
    apns_key_id: str | None = Field(None, description="id of that key, ten characters")
    apns_team_id: str | None = Field(None, description="id of the team at Apple, ten characters")
    apns_topic: str | None = Field(None, description="bundle id of the app")
    apns_key_file: Path | None = Field(
        None, description="key of Apple's push service, a .p8 file; empty: not used; with it team, key id and topic"
    )
    apns_url: str = Field(
        "https://api.push.apple.com",
        description="Apple's push service; https://api.sandbox.push.apple.com for test builds",
    )
    notice_ca_file: Path | None = Field(
        None,
        description="PEM file of who vouches for the mail server's certificate, and Apple's; empty: whom the machine trusts",
    )

    @field_validator("mail_url")
    @classmethod
    def _is_a_mail_server(cls, url: str | None, given: ValidationInfo) -> str | None:
        parts = urlsplit(url or "")
        if url is not None and not given.data.get("mail_from"):
            raise ValueError("needs COTTON_MAIL_FROM")
        if url is not None and (parts.scheme not in ("smtp", "smtps") or not parts.hostname):
            raise ValueError("must begin with smtp:// or smtps://, and name a host")
        return url

    @field_validator("mail_from")
    @classmethod
    def _is_an_address(cls, address: str | None) -> str | None:
        if address is not None and not _ADDRESS.fullmatch(address):
            raise ValueError("must be an address such as cotton@example.com, and nothing else")
        return address

    @field_validator("public_url", "expo_url", "fcm_url", "apns_url")
    @classmethod
    def _is_safe(cls, url: str | None) -> str | None:
        parts = urlsplit(url or "")
        secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
        if url is not None and (not secure or not parts.hostname):
            raise ValueError("must begin with https://; http:// is for this machine only")
        return None if url is None else url.rstrip("/")

    @field_validator("apns_key_file")
    @classmethod
    def _has_what_goes_with_it(cls, path: Path | None, given: ValidationInfo) -> Path | None:
        if path is not None and not all(given.data.get(name) for name in ("apns_key_id", "apns_team_id", "apns_topic")):
            raise ValueError("needs COTTON_APNS_KEY_ID, COTTON_APNS_TEAM_ID and COTTON_APNS_TOPIC")
        return path
