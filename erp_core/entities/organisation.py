"""The organisation: the trading house itself, owner of every row and of one clock."""

from __future__ import annotations

from erp_core.language import Entity, Field, Phone
from erp_core.values import Integer, Text

ORGANISATION = Entity(
    name="organisation",
    table="organisations",
    title="Organisation",
    phone=Phone.DOWN,
    fields=(
        Field("legal_name", Text(200), required=True),
        Field("cin", Text(21), help="corporate identity number"),
        Field("pan", Text(10)),
        Field("gstin", Text(15)),
        Field("base_currency", Text(3), required=True, default="INR"),
        Field("registered_address", Text(500)),
        Field("financial_year_start_month", Integer(1, 12), required=True, default=4),
    ),
)
