"""The settlement of a trade, described.

Owns: the shape of its answer.
Must not know: engine, store.
Invariant: what is here is what wire/settlement.py writes (tests/contract/test_openapi.py, tests/integration/test_making.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sync_server.wire.openapi.operations import Answer, Operation, path
from sync_server.wire.openapi.shapes import Schema, choice, flag, id_of, listed, ref, shape, text, whole


def _rupees(help: str) -> Schema:
    return {"type": "number", "description": f"{help} Rupees."}


_LINE: Final[Mapping[str, Schema]] = {
    "what": text("`goods`, `weight`, `quality`, a part of the tax, `payment`, `brokerage` or `brokerage_tax`."),
    "amount": _rupees("Below 0 it is taken off."),
}
_ACCOUNT: Final[Mapping[str, Schema]] = {
    "debtor": choice("buyer", "seller"),
    "creditor": choice("seller", "broker"),
    "lines": listed(shape(_LINE)),
    "balance": _rupees("What the lines add up to; below 0 it is owed the other way."),
}
SCHEMAS: Final[Mapping[str, Schema]] = {
    "SettlementAccount": shape(_ACCOUNT),
    "Settlement": shape(
        {
            "trade_id": id_of("the trade"),
            "accounts": listed(ref("SettlementAccount")),
            "supplied_amount": _rupees("What arrived is worth by weight and quality, before tax."),
            "billed_amount": _rupees("What of it is on invoices that hold, before tax."),
            "due_amount": _rupees("What is outstanding on them, tax included."),
            "lorries": whole("That arrived.", least=0),
            "lorries_unbilled": whole("That arrived and are on no invoice.", least=0),
            "lorries_under_way": whole("That have not arrived.", least=0),
            "inspections_open": whole("That were submitted and are not agreed on.", least=0),
            "rejected": flag("A reading is beyond what the contract takes: no price follows from it."),
        }
    ),
}

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/api/v1/trades/{id}/settlement"): Operation(
        "getSettlement",
        "Trade",
        "Say where a trade stands",
        {200: Answer("Who owes whom what, by the papers as they are now.", ref("Settlement"))},
        help="For who reads the desk of its branch.",
        parameters=(path("id", id_of("the trade")),),
        codes=("not_found", "forbidden"),
    ),
}
