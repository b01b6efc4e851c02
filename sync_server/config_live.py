"""Settings of live connections; a part of `config.Settings`.

Owns: their names, defaults and bounds.
Must not know: who uses a setting.
Invariant: a bus that is named can be used: its URL says what kind it is (tests/unit/test_config.py).
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

BUSES: Final = frozenset({"redis", "rediss", "redis+cluster", "rediss+cluster"})


class LiveSettings(BaseSettings):
    """How processes tell each other of changes, and how many connections there may be."""

    bus_url: str | None = Field(
        None,
        description="Redis or Valkey over which processes tell each other of changes, redis:// or rediss://, a cluster "
        "redis+cluster:// or rediss+cluster://; empty: each hears from the database alone, up to 0.25 s later",
    )
    live_heartbeat_seconds: int = Field(
        25, ge=1, le=300, description="between two heartbeats of a live connection, in seconds, 1 to 300"
    )
    live_per_user: int = Field(20, ge=1, le=10_000, description="live connections of a user in a process, 1 to 10000")
    live_per_device: int = Field(
        4, ge=1, le=10_000, description="live connections of a device in a process, 1 to 10000"
    )
    live_per_address: int = Field(
        5_000, ge=1, le=1_000_000, description="live connections of an address in a process, 1 to 1000000"
    )
    live_per_organisation: int = Field(
        20_000, ge=1, le=1_000_000, description="live connections of an organisation in a process, 1 to 1000000"
    )
    live_admitted_per_second: int = Field(
        200, ge=1, le=100_000, description="live connections let in per second by a process, 1 to 100000"
    )

    @field_validator("bus_url")
    @classmethod
    def _is_a_bus(cls, url: str | None) -> str | None:
        if url is not None and urlsplit(url).scheme not in BUSES:
            raise ValueError("must begin with redis://, rediss://, redis+cluster:// or rediss+cluster://")
        return url
