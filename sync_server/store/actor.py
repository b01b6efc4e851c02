"""Who asks: the identity under which a request reads and writes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """A user of an organisation in one authenticated session."""

    org_id: str
    user_id: str
    session_id: str
