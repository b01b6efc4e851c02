"""The user: a person who may log in.

Owns: its declaration and its rules.
Must not know: passwords, sessions (identity/), what a user may do (grants say so).
Invariant: a user keeps the login name; one who has left is made inactive, not deleted (tests/unit/test_people_rules.py).
"""

from __future__ import annotations

import re

from erp_core.access import OWN, Access
from erp_core.language import ONCE, Entity, Field, Phone
from erp_core.rules import email_address, phone_number
from erp_core.scopes import By, Everybody
from erp_core.values import Choice, Flag, Reference, Text
from erp_core.vocabulary import PHONE_NUMBER

OFFICE = ("user.create", "user.update")
"""Who may say how a person is called and reached; who may only disable people may not take their place by a new phone."""

USER = Entity(
    name="user",
    table="users",
    title="User",
    phone=Phone.NONE,
    access=Access(read=("user.read", OWN), create=("user.create",), update=("user.update", "user.disable")),
    labels=(Everybody(), By("user", "id")),
    rules=(phone_number, email_address),
    fields=(
        Field(
            "username",
            Text(120, re.compile(r"[^\s\x00-\x1f]{1,120}"), "asha"),
            ONCE,
            required=True,
            unique=True,
            personal="id",
        ),
        Field("name", Text(120), required=True, write=OFFICE, personal="id"),
        Field("phone", PHONE_NUMBER, unique=True, write=OFFICE, personal="id", help="where one-time codes are sent"),
        Field("email", Text(200), write=OFFICE, personal="id"),
        Field(
            "branch_id",
            Reference("branch"),
            write=OFFICE,
            help="the desk; what the user may see there is in the grants",
        ),
        Field("language", Choice(("en", "hi", "gu")), required=True, default="en", write=OFFICE),
        Field("is_active", Flag(), required=True, default=True, write=("user.disable",)),
    ),
)
