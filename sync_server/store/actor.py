"""Who asks: the identity under which a request reads and writes.

Must not know: how it was established.
Invariant: it is made of a verified token and a live session, never of what a body says (tests/integration/test_sessions.py).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """A user of an organisation in one authenticated session, on one device ("" where there is none).

    `must_enrol`: the session may do nothing but set up a second factor. `born`: the position at which this user got this
    installation; a cursor below it is another's. `wiping`: the device is to be emptied, and gets nothing any more.
    """

    org_id: str
    user_id: str
    session_id: str
    device_id: str = ""
    must_enrol: bool = False
    born: int = 0
    wiping: bool = False
