"""Settings of attachments; a part of `config.Settings`.

Owns: their names, defaults and bounds.
Must not know: who uses a setting.
Invariant: no setting lets in more than an attachment can declare (tests/unit/test_config_attachments.py).
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from erp_core.entities.attachment import BYTES_MAX

SCHEMES: Final = frozenset({"s3"})


class AttachmentSettings(BaseSettings):
    """Where the bytes of attachments are, and how many there may be."""

    attachment_store: str | None = Field(
        None,
        description="where the bytes of attachments are: s3://bucket/prefix (its keys in AWS_… variables), or an absolute "
        "folder; empty: <data>/attachments",
    )
    attachment_max: int = Field(
        25 * 2**20, ge=1_024, le=BYTES_MAX, description="largest attachment, in bytes, 1024 to 268435456"
    )
    attachment_user_max: int = Field(
        10 * 2**30, ge=1_024, le=2**50, description="bytes of one user's attachments together, 1024 to 1125899906842624"
    )
    attachment_org_max: int = Field(
        2**40,
        ge=1_024,
        le=2**50,
        description="bytes of one organisation's attachments together, 1024 to 1125899906842624",
    )
    upload_hours: int = Field(
        72, ge=1, le=8_760, description="how long an unfinished upload waits for its next part, in hours, 1 to 8760"
    )
    link_seconds: int = Field(
        300, ge=30, le=900, description="how long a link to an attachment's bytes works, in seconds, 30 to 900"
    )
    attachment_host: str | None = Field(
        None,
        description="what links to bytes begin with, a host of their own such as https://files.example.com; empty: nothing",
    )

    @field_validator("attachment_store")
    @classmethod
    def _is_a_place(cls, text: str | None) -> str | None:
        if text is not None and urlsplit(text).scheme not in SCHEMES and not text.startswith("/"):
            raise ValueError("must begin with s3:// or /")
        return text

    @field_validator("attachment_host")
    @classmethod
    def _is_an_origin(cls, text: str | None) -> str | None:
        parts = urlsplit(text or "https://host")
        if parts.scheme not in {"https", "http"} or not parts.netloc or parts.path or parts.query:
            raise ValueError("must be a scheme and a host, without a path")
        return text
