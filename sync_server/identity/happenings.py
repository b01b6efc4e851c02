"""The words for what happens at the doors, and where they are heard: in the log at once, in the database to be listed.

Owns: the kinds of events and how loud each is.
Must not know: what caused them.
Invariant: every refusal and every ending has a kind here (tests/integration/test_sessions.py).
"""

from __future__ import annotations

from typing import Final

import structlog

from sync_server.store.security import Happening

LOGGED_IN: Final = "logged_in"
LOGIN_FAILED: Final = "login_failed"
DEVICE_CHANGED_HANDS: Final = "device_changed_hands"
REFRESH_REUSED: Final = "refresh_reused"
PROOF_REFUSED: Final = "proof_refused"
SESSIONS_ENDED: Final = "sessions_ended"
PASSWORD_CHANGED: Final = "password_changed"  # noqa: S105 - a word, no password
PASSWORD_RESET_GIVEN: Final = "password_reset_given"  # noqa: S105
PASSWORD_RESET: Final = "password_reset"  # noqa: S105
CODE_FAILED: Final = "code_failed"
PHONE_MOVED: Final = "phone_moved"
SECOND_FACTOR_FAILED: Final = "second_factor_failed"
TOTP_ENROLLED: Final = "totp_enrolled"
TOTP_DISABLED: Final = "totp_disabled"
EXPORTED: Final = "exported"
IMPORTED: Final = "imported"
WEBHOOK_MADE: Final = "webhook_made"
WEBHOOK_CHANGED: Final = "webhook_changed"
WEBHOOK_REMOVED: Final = "webhook_removed"
WEBHOOK_SECRET_ROTATED: Final = "webhook_secret_rotated"  # noqa: S105 - a word, no secret
WEBHOOK_SENT_AGAIN: Final = "webhook_sent_again"

ALARMING: Final = frozenset({REFRESH_REUSED, PROOF_REFUSED})
"""Kinds that somebody should look at: logged as warnings."""

log = structlog.get_logger(__name__)


def tell(happening: Happening) -> None:
    """Write an event to the log, as a line that an alarm can be set on."""
    line = log.warning if happening.kind in ALARMING else log.info
    line(
        happening.kind,
        org=happening.org_id,
        user=happening.user_id,
        session=happening.session_id,
        device=happening.device_id,
        remote=happening.address,
        detail=happening.detail,
    )
