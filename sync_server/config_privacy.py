"""Settings of what is kept, and for how long; a part of `config.Settings`.

Owns: their names, defaults and bounds.
Must not know: who uses a setting.
Invariant: without a word about it, what was erased is remembered beside the keys (tests/integration/test_erasures.py).
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from sync_server.config_audit import AuditSettings


class PrivacySettings(AuditSettings):
    """Where it is remembered who was forgotten, and how long some of what tells of persons is kept."""

    erasures: Path | None = Field(
        None, description="file that remembers which persons were erased; empty: <data>/erasures.jsonl"
    )

    whence_days: int = Field(
        180, ge=30, le=3_650, description="how long it is kept whence people logged in, in days, 30 to 3650"
    )
    impounded_days: int = Field(
        90, ge=1, le=3_650, description="how long a wiped device's push is kept once decided about, in days, 1 to 3650"
    )
    tombstone_days: int = Field(
        180,
        ge=1,
        le=3_650,
        description="how long deletions are remembered, in days, 1 to 3650; a phone away for longer gets everything anew",
    )
    receipt_days: int = Field(30, ge=1, le=3_650, description="how long a push may be repeated, in days, 1 to 3650")

    @field_validator("erasures")
    @classmethod
    def _is_where_it_is(cls, path: Path | None) -> Path | None:
        return None if path is None else path.expanduser().absolute()
