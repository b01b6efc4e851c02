"""Settings of webhooks; a part of `config.Settings`.

Owns: their names, defaults and bounds.
Must not know: who uses a setting.
Invariant: a name server that is named can be asked: it is an address, with a port or without
(tests/unit/test_config_webhooks.py).
"""

from __future__ import annotations

import ipaddress
import re

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings


class WebhookSettings(BaseSettings):
    """Whether this process sends webhooks, and what it may reach."""

    webhooks: bool = Field(
        True, description="true or false: this process sends webhooks; false where it may not go out"
    )
    webhook_loopback: bool = Field(
        False,
        description="true or false: webhooks may go to this machine, over http and at any port; for development only",
    )
    webhook_name_servers: str | None = Field(
        None, description="name servers for webhooks, addresses such as 10.0.0.2 or 10.0.0.2:5353; empty: the machine's"
    )

    @field_validator("webhook_name_servers")
    @classmethod
    def _are_addresses(cls, text: str | None) -> str | None:
        for part in read_name_servers(text):
            host = part if part.count(":") != 1 else part.partition(":")[0]
            ipaddress.ip_address(re.sub(r"^\[(.*)\](:\d+)?$", r"\1", host))
        return text


def read_name_servers(text: str | None) -> tuple[str, ...]:
    """Read name servers that commas or blanks separate.

    >>> read_name_servers("10.0.0.2, 10.0.0.3:5353"), read_name_servers(None)
    (('10.0.0.2', '10.0.0.3:5353'), ())
    """
    return tuple((text or "").replace(",", " ").split())
