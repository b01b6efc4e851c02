"""A branch of the organisation; its code is given once."""

from __future__ import annotations

from erp_core.language import ONCE, Entity, Field, Phone
from erp_core.values import Flag, Text

BRANCH = Entity(
    name="branch",
    table="branches",
    title="Branch",
    phone=Phone.DOWN,
    fields=(
        Field("code", Text(20), ONCE, required=True, unique=True),
        Field("name", Text(120), required=True),
        Field("gstin", Text(15)),
        Field("state", Text(60), required=True),
        Field("address", Text(500)),
        Field("is_active", Flag(), required=True, default=True),
    ),
)
