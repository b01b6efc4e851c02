"""The bank account of the organisation: where the house is paid, and pays from.

Owns: its declaration and its rules.
Must not know: what is in it.
Invariant: its branch of the bank can exist (tests/unit/test_books_rules.py).
"""

from __future__ import annotations

from erp_core.access import Access
from erp_core.language import Entity, Field, Phone
from erp_core.scopes import By, Everybody
from erp_core.values import Choice, Flag, Reference, Text
from erp_core.vocabulary import ACCOUNT_KINDS, ACCOUNT_NUMBER, IFSC

ORGANISATION_BANK_ACCOUNT = Entity(
    name="organisation_bank_account",
    table="organisation_bank_accounts",
    title="Bank account of the house",
    since=3,
    phone=Phone.NONE,
    access=Access(
        read=("desk.read",),
        create=("organisation.update",),
        update=("organisation.update",),
        delete=("organisation.update",),
    ),
    # Who works for the whole house sees all; a desk sees those of its branch.
    labels=(Everybody(), By("branch", "branch_id")),
    fields=(
        Field("branch_id", Reference("branch"), help="whose desk uses it; empty: the whole house does"),
        Field("kind", Choice(ACCOUNT_KINDS), required=True, default="current"),
        Field("account_name", Text(200), required=True),
        Field("account_number", ACCOUNT_NUMBER, required=True),
        Field("ifsc", IFSC, required=True),
        Field("bank_name", Text(120)),
        Field("is_active", Flag(), required=True, default=True),
    ),
    uniques=(("ifsc", "account_number"),),
)
