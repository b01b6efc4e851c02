"""Settings: everything that can be set from outside, each with its unit and its bounds.

Owns: the names, defaults and bounds of the settings (environment variables `COTTON_<NAME>`, flags of the command line
override them), and the one clear line that a wrong one earns.
Must not know: who uses a setting.
Invariant: a `Settings` that exists is usable as it is; no code checks a setting again, and a secret in a setting is never
printed (tests/unit/test_config.py).
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from sync_server.config_attachments import AttachmentSettings
from sync_server.config_codes import SECRETS, CodeSettings
from sync_server.config_jobs import JobSettings
from sync_server.config_lists import NONE, Rates, is_loopback, read_networks, read_origins, read_rates
from sync_server.config_live import LiveSettings
from sync_server.config_metrics import MetricsSettings
from sync_server.config_notices import NoticeSettings
from sync_server.config_privacy import PrivacySettings
from sync_server.config_webhooks import WebhookSettings

PREFIX: Final = "COTTON_"

BUCKETS: Final = ("login", "codes", "refresh", "pull", "push", "export", "rest")
"""What is limited apart from each other; each has its setting `limit_<bucket>`."""

SECRET: Final = frozenset({"database_url", "redis_url", "bus_url", "mail_url", "expo_token", *SECRETS})
"""Settings whose value may hold a password: an error names them without the value."""


def _demo_by_default(data: Mapping[str, Any]) -> bool:
    return data.get("database_url") is None and is_loopback(str(data.get("host", "")))


_RATES: Final = "so many per address, user, device or organisation as in user=60/minute;1000/hour; none: any number"
_EVERYDAY: Final = "user=600/minute device=300/minute address=12000/minute organisation=24000/minute"
"""A phone that is told of changes pulls every second or two at most, and repeats what got lost; 200 people share an
address. It stops loops and floods, not work."""


class ServerSettings(PrivacySettings):
    """All settings but those of codes (config_codes.py), live connections (config_live.py) and metrics (config_metrics.py)."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid")

    database_url: str | None = Field(
        None,
        description="PostgreSQL >= 15 to use, postgresql://user:password@host/name; empty: an embedded PostgreSQL 18",
    )
    data: Path = Field(
        Path("data"), description="folder for the embedded PostgreSQL and the signing key; made if missing"
    )
    host: str = Field("127.0.0.1", min_length=1, description="address to listen on; 0.0.0.0 for every interface")
    port: int = Field(8080, ge=0, le=65_535, description="TCP port to listen on, 0 to 65535; 0: any free one")
    workers: int = Field(1, ge=1, le=256, description="server processes that share the port, 1 to 256")
    demo: bool = Field(
        default_factory=_demo_by_default,
        description="true or false: demo organisation and logins with a known password, on an empty database; "
        "default: true with the embedded database on a loopback address, else false",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least severe messages that are logged: debug, info, warning or error"
    )
    pool_max: int = Field(10, ge=2, le=1_000, description="database connections of each process, 2 to 1000")
    body_max: int = Field(
        8 * 2**20, ge=1_024, le=2**30, description="largest request body as sent, in bytes, 1024 to 1073741824"
    )
    inflated_max: int = Field(
        32 * 2**20,
        ge=1_024,
        le=2**32,
        description="largest request body after decompression, in bytes, 1024 to 4294967296",
    )
    import_max: int = Field(
        256 * 2**20, ge=1_024, le=2**34, description="largest file to import, in bytes, 1024 to 17179869184"
    )
    push_records_max: int = Field(10_000, ge=1, le=1_000_000, description="records in one push, 1 to 1000000")
    access_token_seconds: int = Field(600, ge=30, le=600, description="life of an access token, in seconds, 30 to 600")
    refresh_token_days: int = Field(30, ge=1, le=365, description="life of a refresh token, in days, 1 to 365")
    signing_key_file: Path | None = Field(
        None,
        description="folder of the ES256 keys of the tokens, or PEM file of a single one; empty: <data>/keys, made if missing",
    )
    statement_timeout_ms: int = Field(
        30_000, ge=100, le=3_600_000, description="longest SQL statement, in milliseconds, 100 to 3600000"
    )
    lock_timeout_ms: int = Field(
        5_000, ge=10, le=600_000, description="longest wait for a database lock, in milliseconds, 10 to 600000"
    )
    idle_in_transaction_timeout_ms: int = Field(
        10_000, ge=100, le=600_000, description="longest pause inside a transaction, in milliseconds, 100 to 600000"
    )
    drain_seconds: int = Field(
        15, ge=0, le=600, description="longest wait for requests under way after SIGTERM, in seconds, 0 to 600"
    )
    spool_bytes_max: int = Field(
        2 * 2**30,
        ge=2**20,
        le=2**42,
        description="disk space for first syncs kept ready, in bytes, 1048576 to 4398046511104",
    )
    slice_bytes_max: int = Field(
        2 * 2**30,
        ge=0,
        le=2**42,
        description="disk space for answers that phones fetch in slices, in bytes, 0 to 4398046511104; "
        "with no room left an answer comes whole",
    )
    slice_seconds: int = Field(
        3_600,
        ge=60,
        le=21_600,
        description="how long the next slice may be asked for after the last, in seconds, 60 to 21600",
    )

    redis_url: str | None = Field(
        None,
        description="Redis or Valkey that all processes share, redis:// or rediss://; empty: each counts for itself",
    )
    trusted_proxies: str | None = Field(
        None, description="addresses or networks of reverse proxies that are believed, e.g. 10.0.0.0/8 ::1; empty: none"
    )
    forwarded_header: Literal["x-forwarded-for", "forwarded"] = Field(
        "x-forwarded-for", description="the header in which those proxies name the client: x-forwarded-for or forwarded"
    )
    cors_origins: str | None = Field(
        None, description="origins of web pages that may call the API, e.g. https://console.example.com; empty: none"
    )
    limit_login: str = Field("address=120/minute;1500/hour user=60/hour", description=f"logins, {_RATES}")
    limit_codes: str = Field(
        "address=60/minute;600/hour user=30/hour", description=f"one-time codes asked for or tried, {_RATES}"
    )
    limit_refresh: str = Field("address=1200/minute", description=f"refreshes of tokens, {_RATES}")
    limit_pull: str = Field(_EVERYDAY, description=f"pulls, {_RATES}")
    limit_push: str = Field(_EVERYDAY, description=f"pushes, {_RATES}")
    limit_export: str = Field("user=10/hour organisation=30/hour", description=f"exports, {_RATES}")
    limit_rest: str = Field(_EVERYDAY, description=f"every other request, {_RATES}")
    heavy_at_once: int = Field(
        4, ge=1, le=1_000, description="first syncs and exports of one organisation at once in a process, 1 to 1000"
    )

    @property
    def key_ring(self) -> Path:
        """Where the signing keys are: a folder, or the file of a single one."""
        return self.signing_key_file or self.data / "keys"

    @field_validator("database_url", "redis_url")
    @classmethod
    def _is_such_a_url(cls, url: str | None, info: ValidationInfo) -> str | None:
        schemes = ("postgresql", "postgres") if info.field_name == "database_url" else ("redis", "rediss")
        if url is not None and urlsplit(url).scheme not in schemes:
            begins = "postgresql://" if info.field_name == "database_url" else "redis:// or rediss://"
            raise ValueError(f"must begin with {begins}")
        return url

    @field_validator("trusted_proxies", "cors_origins", *(f"limit_{name}" for name in BUCKETS))
    @classmethod
    def _can_be_read(cls, text: str | None, info: ValidationInfo) -> str | None:
        match info.field_name:
            case "trusted_proxies":
                read_networks(text)
            case "cors_origins":
                read_origins(text)
            case _:
                read_rates(text or NONE)
        return text

    def rates(self, bucket: str) -> Rates:
        """Give how many requests of a bucket there may be, and whose."""
        return read_rates(getattr(self, f"limit_{bucket}"))

    @field_validator("data", "signing_key_file")
    @classmethod
    def _is_absolute_from_now_on(cls, path: Path | None) -> Path | None:
        """Fix what a relative path means at the start, wherever a later `chdir` or another process stands."""
        return None if path is None else path.expanduser().absolute()


class Settings(
    AttachmentSettings,
    CodeSettings,
    JobSettings,
    MetricsSettings,
    NoticeSettings,
    WebhookSettings,
    LiveSettings,
    ServerSettings,
):
    """The settings of one server process; frozen."""

    @property
    def secret_file(self) -> Path:
        """Where the secret of codes and authenticators is."""
        return self.secret_key_file or self.data / "keys" / "secret.key"


class WrongSetting(Exception):
    """A setting cannot be used; one line per setting: the variable, the value, what is allowed."""


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment; `overrides` (flags) win unless they are None.

    Raises WrongSetting: whoever set it is to blame.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        # The default of `demo` follows from other settings; that it could not be made is no fault of its own.
        faults = [fault for fault in error.errors() if fault["type"] != "default_factory_not_called"]
        raise WrongSetting("\n".join(map(_line, faults))) from None


def _line(fault: Mapping[str, Any]) -> str:
    name = str(fault["loc"][0])
    value = "" if name in SECRET else f"={fault['input']}"
    reason = str(fault["msg"]).removeprefix("Value error, ")
    return f"{PREFIX}{name.upper()}{value}: {reason}. Allowed: {Settings.model_fields[name].description}."


def misspelt(environment: Iterable[str] = os.environ) -> list[str]:
    """List a warning for every `COTTON_` variable that is no setting: most likely a typing error."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    warnings = []
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {close[0]}?" if close else "; it is ignored."
            warnings.append(f"{name} is not a setting{hint}")
    return warnings


def as_environment(settings: Settings) -> dict[str, str]:
    """Write `settings` as environment variables, for a process that we start."""
    return {
        PREFIX + name.upper(): str(value)
        for name, value in settings.model_dump(mode="json").items()
        if value is not None
    }
