"""The notification: what one person is told, once.

Owns: its declaration.
Must not know: why it is told, and by which ways besides this record; the server writes it.
Invariant: it is its reader's own, who can only say that it was read (tests/unit/test_field_rules.py).
"""

from __future__ import annotations

from erp_core.access import OWN, Access
from erp_core.language import DERIVED, NEWEST, Entity, Field, Phone, Urgency
from erp_core.scopes import By
from erp_core.values import Instant, Text
from erp_core.vocabulary import USER_ID

NOTIFICATION = Entity(
    name="notification",
    table="notifications",
    title="Notification",
    since=3,
    phone=Phone.DOWN,
    access=Access(read=(OWN,), update=(OWN,)),
    labels=(By("user", "reader_id"),),
    urgency=Urgency.INBOX,
    whose=("reader_id",),
    fields=(
        Field("reader_id", USER_ID, DERIVED, required=True),
        Field("kind", Text(64), DERIVED, required=True, help="which rule tells it, such as trade.awaits_approval"),
        Field("title", Text(200), DERIVED, required=True),
        Field("body", Text(2000), DERIVED),
        Field("table_name", Text(64), DERIVED, help="of the record that it is about"),
        Field("record_id", Text(64), DERIVED, help="the record that it is about"),
        Field("read_at", Instant(), NEWEST),
    ),
)
