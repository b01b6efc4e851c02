"""The organisation: the trading house itself, owner of every row and of one clock.

Owns: its declaration and its rules.
Must not know: what reads it.
Invariant: its tax numbers are well formed and agree (tests/unit/test_reference_rules.py).
"""

from __future__ import annotations

import re

from erp_core.access import EVERYBODY, Access
from erp_core.language import Entity, Field, Phone
from erp_core.rules import tax_numbers
from erp_core.scopes import Everybody
from erp_core.values import Integer, Text
from erp_core.vocabulary import CIN, GSTIN, PAN, STATE

ORGANISATION = Entity(
    name="organisation",
    table="organisations",
    title="Organisation",
    access=Access(read=EVERYBODY, update=("organisation.update",)),
    labels=(Everybody(),),
    phone=Phone.DOWN,
    rules=(tax_numbers("state"),),
    fields=(
        Field("legal_name", Text(200), required=True),
        Field("cin", CIN, help="corporate identity number"),
        Field("pan", PAN),
        Field("gstin", GSTIN),
        Field("base_currency", Text(3, re.compile("[A-Z]{3}"), "INR"), required=True, default="INR"),
        Field("registered_address", Text(500)),
        Field("state", STATE),
        Field("financial_year_start_month", Integer(1, 12), required=True, default=4),
    ),
)
