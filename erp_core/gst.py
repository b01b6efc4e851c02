"""Goods and services tax of a sale: which taxes, by the place of supply, and who pays them to the state.

Owns: the split into CGST and SGST, CGST and UTGST, or IGST, and the reverse charge on raw cotton.
Must not know: entities; rates are configuration and are handed in.
Invariant: the parts of a tax add up to it (tests/properties/test_gst.py).

Law, as of 1 July 2025: Integrated GST Act 2017, sections 7 and 8 (between or within states), 10(1)(a) (goods that move are
supplied where the movement ends), 10(1)(b) (bill to one, ship to another: where the billed one is registered) and 12(2)
(services to a registered person: where that person is); Union Territory GST Act 2017, section 1(2). Raw cotton that an
agriculturist supplies to a registered person: the recipient pays (notification 43/2017-Central Tax (Rate) and, between states,
45/2017-Integrated Tax (Rate), both of 14 November 2017, in force from 15 November 2017: entry 4A, heading 5201).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Final

from erp_core.india import GST_STATES
from erp_core.money import percent_of
from erp_core.sharing import share

WITHOUT_LEGISLATURE: Final = frozenset({"04", "25", "26", "31", "35", "38"})
"""Codes of the union territories whose share is UTGST; Delhi, Puducherry and Jammu and Kashmir have an act of their own."""

ONE_STATE: Final = {"25": "26", "28": "37"}
"""Old code -> the one that took its place (india.GST_STATES says when): a supply between the two stays inside."""

LINT_PCT: Final = Decimal(5)
"""Cotton, not carded or combed, HSN 5201: notification 1/2017-Central Tax (Rate), schedule I. In its place came, on 22
September 2025, notification 9/2025-Central Tax (Rate) of 17 September 2025, whose schedule I has 2.5 % of central tax, 5 % in
all; its entry for heading 5201 was not read. So the operator has to check the rate, which each commodity and each line of an
invoice states for itself; nothing is computed with this constant unless it is handed in."""
BROKERAGE_PCT: Final = Decimal(18)
"""Services on commission, SAC 9961: notification 11/2017-Central Tax (Rate), 28 June 2017. The operator has to check it against
what is in force."""


class PaidBy(Enum):
    """Who pays a tax to the state."""

    SUPPLIER = "supplier"
    RECIPIENT = "recipient"


@dataclass(frozen=True, slots=True)
class Tax:
    """The tax on one amount, in rupees; `cgst` + `sgst` + `utgst` + `igst` is `total`."""

    cgst: Decimal
    sgst: Decimal
    utgst: Decimal
    igst: Decimal
    paid_by: PaidBy = PaidBy.SUPPLIER

    @property
    def total(self) -> Decimal:
        return self.cgst + self.sgst + self.utgst + self.igst

    @property
    def charged(self) -> Decimal:
        """What the supplier's invoice adds to its amount: nothing where the recipient pays the state."""
        return self.total if self.paid_by is PaidBy.SUPPLIER else Decimal("0.00")


def state_code(gstin: str) -> str:
    """Give the state code of a registration, an abolished one as its successor. Raises ValueError if there is none.

    >>> state_code("27AAPFU0939F1ZV"), state_code("25AAPFU0939F1ZX")
    ('27', '26')
    """
    code = gstin[:2]
    if code not in GST_STATES:
        raise ValueError(f"{gstin!r} begins with no state code")
    return ONE_STATE.get(code, code)


def place_of_goods(delivered_in: str, *, billed_to: str | None = None) -> str:
    """Give the state code where goods are supplied: where they are delivered, or, if delivered to somebody else on the
    direction of the one who is billed, where that one is registered.

    >>> place_of_goods("33"), place_of_goods("33", billed_to="27")
    ('33', '27')
    """
    return state_code(billed_to or delivered_in)


def gst(amount: Decimal, percent: Decimal, *, supplier: str, place: str, paid_by: PaidBy = PaidBy.SUPPLIER) -> Tax:
    """Work out the tax on `amount` rupees. `supplier`, `place`: a state code or a GSTIN.

    The tax is rounded once, to the paisa, and then divided; of an odd paisa CGST has the larger half. Raises ValueError
    for a code that no state has.

    >>> inside = gst(Decimal("2963837.80"), LINT_PCT, supplier="24", place="24")
    >>> inside.cgst, inside.sgst, inside.total
    (Decimal('74095.95'), Decimal('74095.94'), Decimal('148191.89'))
    >>> gst(Decimal("2963837.80"), LINT_PCT, supplier="24", place="33").igst
    Decimal('148191.89')
    """
    here, there, none = state_code(supplier), state_code(place), Decimal("0.00")
    total = percent_of(amount, percent)
    if here != there:
        return Tax(none, none, none, total, paid_by)
    central, local = share(total, (1, 1))
    if there in WITHOUT_LEGISLATURE:
        return Tax(central, none, local, none, paid_by)
    return Tax(central, local, none, none, paid_by)


def payer_for_raw_cotton(*, from_agriculturist: bool, to_registered: bool) -> PaidBy:
    """Say who pays the tax on seed cotton or lint, which the notification calls raw cotton.

    >>> payer_for_raw_cotton(from_agriculturist=True, to_registered=True).value
    'recipient'
    """
    return PaidBy.RECIPIENT if from_agriculturist and to_registered else PaidBy.SUPPLIER
