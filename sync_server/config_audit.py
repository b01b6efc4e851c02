"""Settings of audits; a part of `config.Settings`.

Owns: their names, defaults and bounds.
Must not know: who uses a setting.
Invariant: without a word about it heads are published every hour (tests/integration/test_publishing.py).
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings


class AuditSettings(BaseSettings):
    """Where and how often the heads of the log are published."""

    audit_heads: Path | None = Field(
        None, description="file to which heads of the log are appended; empty: <data>/audit/heads.jsonl"
    )
    audit_seconds: int = Field(
        3_600, ge=10, le=86_400, description="between two publications of heads, in seconds, 10 to 86400"
    )
    audit_key_file: Path | None = Field(
        None,
        description="PEM file of the Ed25519 key that signs heads; empty: <data>/keys/audit.pem, made if missing",
    )

    @field_validator("audit_heads", "audit_key_file")
    @classmethod
    def _stays_where_it_is(cls, path: Path | None) -> Path | None:
        return None if path is None else path.expanduser().absolute()
