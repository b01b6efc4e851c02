"""The settlement of a trade on the wire.

Owns: the members of the answer.
Must not know: engine, store, how a settlement is worked out.
Invariant: the lines of an account add up to its balance, to the paisa (tests/integration/test_making.py).
"""

from __future__ import annotations

from typing import Any

import orjson

from erp_core.billing import Settlement
from erp_core.settlement import Account


def write_settlement(trade_id: str, settlement: Settlement) -> bytes:
    """Write a settlement: rupees as numbers with two places."""
    return orjson.dumps(
        {
            "trade_id": trade_id,
            "accounts": [_account(account) for account in settlement.accounts],
            "supplied_amount": float(settlement.supplied),
            "billed_amount": float(settlement.billed),
            "due_amount": float(settlement.due),
            "lorries": settlement.lorries,
            "lorries_unbilled": settlement.unbilled,
            "lorries_under_way": settlement.under_way,
            "inspections_open": settlement.open_inspections,
            "rejected": settlement.rejected,
        }
    )


def _account(account: Account) -> dict[str, Any]:
    return {
        "debtor": account.debtor,
        "creditor": account.creditor,
        "lines": [{"what": line.what, "amount": float(line.rupees)} for line in account.lines],
        "balance": float(account.balance),
    }
