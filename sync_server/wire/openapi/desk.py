"""The desk, described: the lines of positions, exposure, pending deliveries and ageing.

Owns: the shapes of their answers.
Must not know: engine, store.
Invariant: what is here is what wire/desk.py writes (tests/contract/test_openapi.py, tests/integration/test_desk.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from erp_core.desk import BUCKETS
from erp_core.entities.trade import STATES
from sync_server.wire.desk import KEY_MAX, PAGE_MAX
from sync_server.wire.openapi.operations import Answer, Operation, query
from sync_server.wire.openapi.shapes import Schema, choice, id_of, listed, moment, or_null, ref, shape, text, whole

TAG: Final = "Desk"


def _rupees(help: str) -> Schema:
    return {"type": "number", "description": f"{help} Rupees."}


_KEY: Final[Mapping[str, Schema]] = {"key": text("Names the line."), "branch_id": id_of("the branch")}
_GOODS: Final[Mapping[str, Schema]] = {
    "commodity_id": id_of("the commodity"),
    "variety_id": or_null(id_of("the variety")),
}
_POSITION: Final[Mapping[str, Schema]] = {
    **_KEY,
    **_GOODS,
    "bales_open": whole("On offer, neither reserved nor sold.", least=0),
    "bales_asked": whole("Asked for in open requirements.", least=0),
    "bales_net": whole("On offer less asked for."),
    "bales_traded": whole("Bought and sold in confirmed trades, and not delivered yet.", least=0),
    "price_open": or_null(_rupees("Average asking price per candy, by bales.")),
    "price_traded": or_null(_rupees("Average price per candy of what is not delivered yet, by bales.")),
}
_EXPOSURE: Final[Mapping[str, Schema]] = {
    **_KEY,
    "partner_id": id_of("the partner; the branch is its own"),
    "exposure": _rupees("Its open purchases, tax included, as the partner itself says."),
    "open_trades": whole("Purchases that are open.", least=0),
    "credit_limit": or_null(_rupees("Null: none is agreed.")),
    "credit_left": or_null(_rupees("The limit less the exposure; below 0: it is passed.")),
}
_DELIVERY: Final[Mapping[str, Schema]] = {
    **_KEY,
    **_GOODS,
    "trade_id": id_of("the trade"),
    "number": or_null(text("Its number.")),
    "state": choice(*STATES.words, help="Of the trade."),
    "buyer_id": id_of("the buyer"),
    "seller_id": id_of("the seller"),
    "deliver_from": or_null(text("The first day of delivery.", format="date")),
    "deliver_until": or_null(text("The last day of delivery.", format="date")),
    "bales": whole("Agreed.", least=0),
    "bales_dispatched": whole("On lorries, planned ones included, rejected ones not.", least=0),
    "bales_delivered": whole("On lorries that arrived.", least=0),
    "bales_left": whole("Agreed and not delivered.", least=0),
    "days_left": or_null(whole("Days until the last day of delivery; below 0: days since.")),
}
_AGEING: Final[Mapping[str, Schema]] = {
    **_KEY,
    "partner_id": id_of("the buyer"),
    **{name: _rupees("Open on invoices, by days after the day they were due.") for name in BUCKETS},
    "open_amount": _rupees("All of it."),
}
SCHEMAS: Final[Mapping[str, Schema]] = {
    "DeskPosition": shape(_POSITION),
    "DeskExposure": shape(_EXPOSURE),
    "DeskDelivery": shape(_DELIVERY),
    "DeskAgeing": shape(_AGEING),
    "DeskAsOf": shape(
        {
            "cursor": whole("Every change up to this position is in the lines.", least=0),
            "at": or_null(moment("When that change was made; null: there was none.")),
            "behind": whole(
                "Changes of any kind since, that are still to be read; 1 000 are counted at most.", least=0
            ),
        }
    ),
}

_FILTERS: Final = {
    "branch_id": query("branch_id", id_of("the branch"), "Of this branch."),
    "variety_id": query("variety_id", id_of("the variety"), "Of this variety."),
    "partner_id": query("partner_id", id_of("the partner"), "Of this partner; of a delivery, either side."),
}


def _operation(id: str, summary: str, line: str, *filters: str) -> Operation:
    answer = shape(
        {
            "lines": listed(ref(line), "In the order of their keys."),
            "next": or_null(text("Go on after this key.")),
            "on": text("The day in India for which days are counted.", format="date"),
            "as_of": ref("DeskAsOf"),
        }
    )
    return Operation(
        *(id, TAG, summary),
        {200: Answer("A page of the branches whose desk the asker reads.", answer)},
        parameters=(
            *(_FILTERS[name] for name in filters),
            query("after", text(most=KEY_MAX), "Begin behind this key, the `next` of the page before."),
            query("limit", whole(least=1, most=PAGE_MAX, default=PAGE_MAX), "Lines of a page."),
        ),
        codes=("bad_parameter",),
    )


OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/api/v1/desk/positions"): _operation(
        "readPositions", "Read positions by branch and variety", "DeskPosition", "branch_id", "variety_id"
    ),
    ("GET", "/api/v1/desk/exposure"): _operation(
        "readExposure",
        "Read what partners have open against their credit limits",
        "DeskExposure",
        *("branch_id", "partner_id"),
    ),
    ("GET", "/api/v1/desk/deliveries"): _operation(
        "readDeliveries",
        "Read how far the deliveries of confirmed trades have come",
        "DeskDelivery",
        *("branch_id", "variety_id", "partner_id"),
    ),
    ("GET", "/api/v1/desk/ageing"): _operation(
        "readAgeing", "Read open invoices by how long they are due", "DeskAgeing", "branch_id", "partner_id"
    ),
}
