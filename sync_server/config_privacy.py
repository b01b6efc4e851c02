"""Settings of privacy; a part of `config.Settings`.

Owns: their names, defaults and bounds.
Must not know: who uses a setting.
Invariant: without a word about it, what was erased is remembered beside the keys (tests/integration/test_erasures.py).
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from sync_server.config_audit import AuditSettings


class PrivacySettings(AuditSettings):
    """Where it is remembered who was forgotten."""

    erasures: Path | None = Field(
        None, description="file that remembers which persons were erased; empty: <data>/erasures.jsonl"
    )

    @field_validator("erasures")
    @classmethod
    def _is_where_it_is(cls, path: Path | None) -> Path | None:
        return None if path is None else path.expanduser().absolute()
