"""The partner bank account: where a partner is paid.

Owns: its declaration and its rules.
Must not know: payments.
Invariant: an account that was verified stays what was verified, until whoever verifies opens it again
(tests/unit/test_partner_rules.py): whoever can redirect a payment quietly will be asked to.
"""

from __future__ import annotations

from collections.abc import Iterator

from erp_core.access import Access
from erp_core.language import ONCE, Entity, Field, Gather, Urgency, Violation, World
from erp_core.rules import one_primary, touched
from erp_core.scopes import Follows
from erp_core.values import Choice, Flag, Reference, Row, Text
from erp_core.vocabulary import ACCOUNT_KINDS, ACCOUNT_NUMBER, IFSC

PAID_TO = ("account_name", "account_number", "ifsc")


def _as_verified(after: Row, before: Row | None, _: World) -> Iterator[Violation]:
    if before is not None and before["is_verified"] and after["is_verified"] and touched(after, before, *PAID_TO):
        sentence = "It was verified; add the new account as another one, or have this one opened again."
        yield Violation("verified", sentence, PAID_TO)


def _not_verified(row: Row, _: World) -> Iterator[Violation]:
    if row["is_verified"]:
        yield Violation("not_deletable", "It was verified; make another one the primary instead.", ("is_verified",))


PARTNER_BANK_ACCOUNT = Entity(
    name="partner_bank_account",
    table="partner_bank_accounts",
    title="Partner bank account",
    since=3,
    access=Access(
        read=("desk.read", "external.document"),
        create=("partner.create", "partner.update"),
        update=("partner.update", "partner.approve"),
        delete=("partner.update",),
    ),
    urgency=Urgency.PARTNERS,
    labels=(Follows("partner_id", "business_partner"),),
    parent="partner_id",
    rules=(_as_verified, one_primary("partner_bank_account", "partner_id")),
    delete_rules=(_not_verified,),
    gathers=(Gather("partner_bank_account", "partner_id", "partner_id"),),
    fields=(
        Field("partner_id", Reference("business_partner"), ONCE, required=True),
        Field("kind", Choice(ACCOUNT_KINDS), required=True, default="current"),
        Field("is_primary", Flag(), required=True, default=False),
        Field("account_name", Text(200), required=True, personal="id"),
        Field("account_number", ACCOUNT_NUMBER, required=True, personal="id"),
        Field("ifsc", IFSC, required=True, personal="id"),
        Field("bank_name", Text(120), personal="id"),
        Field(
            "is_verified",
            Flag(),
            required=True,
            default=False,
            write=("partner.approve",),
            help="compared with the partner's own papers",
        ),
    ),
    uniques=(("partner_id", "ifsc", "account_number"),),
)
