"""The dispatch: one lorry with bales of a trade.

Owns: its declaration and its rules.
Must not know: invoices, the vehicle's papers.
Invariant: the lorries of a trade carry no more than it allows (tests/unit/test_dispatch.py).
"""

from __future__ import annotations

import re

from erp_core.language import DERIVED, GUARDED, NEWEST, ONCE, Entity, Field, States, tally
from erp_core.values import Choice, Instant, Integer, Number, Reference, Text
from erp_core.vocabulary import LATITUDE, LONGITUDE

STATES = States(
    "state",
    {
        "planned": ("loaded",),
        "loaded": ("in_transit",),
        "in_transit": ("delivered", "short", "rejected"),
        "delivered": (),
        "short": (),
        "rejected": (),
    },
    also_begins=("loaded",),
)

DISPATCH = Entity(
    name="dispatch",
    table="dispatches",
    title="Dispatch",
    parent="trade_id",
    states=STATES,
    fields=(
        Field("trade_id", Reference("trade"), ONCE, required=True),
        Field("transporter_id", Reference("business_partner")),
        Field("vehicle_number", Text(15)),
        Field("lr_number", Text(40)),
        Field("eway_bill", Text(12, re.compile("[0-9]{12}"), "241012345678"), help="number of the e-way bill"),
        Field("bales", Integer(0, 100_000), tally(0), required=True, default=0),
        Field("gross_kg", Number(10, 2, "kg")),
        Field("tare_kg", Number(10, 2, "kg")),
        Field("net_kg", Number(10, 2, "kg"), DERIVED),
        Field("from_location_id", Reference("location")),
        Field("to_location_id", Reference("location")),
        Field("loaded_at", Instant(), NEWEST),
        Field("departed_at", Instant(), NEWEST),
        Field("arrived_at", Instant(), NEWEST),
        Field("latitude", LATITUDE),
        Field("longitude", LONGITUDE),
        Field("state", Choice(STATES.words), GUARDED, required=True, default="planned"),
    ),
)
