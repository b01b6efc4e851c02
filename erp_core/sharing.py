"""Shares of an amount: parts that always add up to the whole.

Owns: the division of rupees by weights, to the paisa.
Must not know: what is divided.
Invariant: the shares add up to the amount, and each is within a paisa of its exact part (tests/properties/test_sharing.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from erp_core.rates import rounded


def share(amount: Decimal, weights: Sequence[Decimal | int]) -> tuple[Decimal, ...]:
    """Divide `amount` (rupees, two places) in the ratio of `weights`, in their order.

    Each share is cut to the paisa; what is left is given out paisa by paisa to the parts that lost most, the earlier one
    where two lost the same. A negative amount is divided as its positive twin. Raises ValueError for weights that are
    negative or all nothing.

    >>> share(Decimal("100.00"), (1, 1, 1)), share(Decimal("0.03"), (1, 1))
    ((Decimal('33.34'), Decimal('33.33'), Decimal('33.33')), (Decimal('0.02'), Decimal('0.01')))
    """
    total = sum((Fraction(weight) for weight in weights), Fraction(0))
    if total <= 0 or any(weight < 0 for weight in weights):
        raise ValueError("shares need weights of 0 or more, and one above 0")
    paise = round(Fraction(abs(amount)) * 100)
    exact = [paise * Fraction(weight) / total for weight in weights]
    cut = [part.numerator // part.denominator for part in exact]
    lost_most = sorted(range(len(exact)), key=lambda place: (cut[place] - exact[place], place))
    for place in lost_most[: paise - sum(cut)]:
        cut[place] += 1
    sign = -1 if amount < 0 else 1
    return tuple(rounded(Fraction(sign * part, 100)) for part in cut)
