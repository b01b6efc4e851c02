"""The branch: an office of the organisation with its own people, books and tax registration.

Owns: its declaration and its rules.
Must not know: what reads it.
Invariant: a branch keeps its code for ever (tests/unit/test_reference_rules.py).
"""

from __future__ import annotations

from erp_core.access import EVERYBODY, Access
from erp_core.language import ONCE, Entity, Field, Phone
from erp_core.rules import tax_numbers
from erp_core.scopes import Everybody
from erp_core.values import Flag, Text
from erp_core.vocabulary import GSTIN, STATE

BRANCH = Entity(
    name="branch",
    table="branches",
    title="Branch",
    access=Access(read=EVERYBODY, create=("branch.manage",), update=("branch.manage",), delete=("branch.manage",)),
    labels=(Everybody(),),
    phone=Phone.DOWN,
    rules=(tax_numbers("state", pan=None),),
    fields=(
        Field("code", Text(20), ONCE, required=True, unique=True),
        Field("name", Text(120), required=True),
        Field("gstin", GSTIN),
        Field("state", STATE, required=True),
        Field("address", Text(500)),
        Field("is_active", Flag(), required=True, default=True),
    ),
)
