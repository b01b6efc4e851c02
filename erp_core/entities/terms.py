"""The terms from which a deal is put together: payment, delivery, weighment, passing; the type of trade and of bargain.

Owns: their declarations; they are lists that the office keeps, alike but for a few columns.
Must not know: trades; a trade states its own terms, and a list that changes leaves it as it was agreed.
Invariant: a percentage is between 0 and 100, and a code stays what it is (tests/unit/test_terms_rules.py).
"""

from __future__ import annotations

from erp_core.access import EVERYBODY, Access
from erp_core.language import ONCE, Entity, Field, Phone
from erp_core.scopes import Everybody
from erp_core.values import Choice, Flag, Integer, Text
from erp_core.vocabulary import PERCENT, PRICE_KINDS

DAYS = Integer(0, 365)


def _list(name: str, title: str, *fields: Field) -> Entity:
    """Declare a list of the office: a code, a name, what is its own, and whether it is still offered."""
    return Entity(
        name=name,
        table=f"{name}s",
        title=title,
        since=3,
        phone=Phone.DOWN,
        access=Access(
            read=EVERYBODY, create=("setting.update",), update=("setting.update",), delete=("setting.update",)
        ),
        labels=(Everybody(),),
        fields=(
            Field("code", Text(20), ONCE, required=True, unique=True),
            Field("name", Text(120), required=True),
            *fields,
            Field("is_active", Flag(), required=True, default=True),
        ),
    )


def _days(help: str) -> Field:
    return Field("days", DAYS, required=True, default=0, help=help)


def _flag(name: str, help: str = "") -> Field:
    return Field(name, Flag(), required=True, default=False, help=help)


PAYMENT_TERM = _list(
    *("payment_term", "Payment term"),
    _days("from the invoice until it is to be paid"),
    Field("advance_pct", PERCENT, help="to be paid before anything is delivered"),
    Field("discount_pct", PERCENT, help="for whoever pays at once"),
    Field("interest_pct", PERCENT, help="a year, on what is overdue"),
)
DELIVERY_TERM = _list(
    *("delivery_term", "Delivery term"),
    _days("from the contract until the last lorry"),
    _flag("freight_included", "the price includes the carriage"),
    _flag("insurance_included"),
    _flag("loading_included"),
)
WEIGHMENT_TERM = _list(
    *("weighment_term", "Weighment term"),
    _days("after arrival, within which the weight may be disputed"),
    Field("weighed_at", Choice(("seller", "buyer", "weighbridge")), required=True, help="whose scale counts"),
    Field("tolerance_pct", PERCENT, help="by how much two scales may differ"),
    _flag("packing_included", "the weight includes hessian and ties"),
)
PASSING_TERM = _list(
    *("passing_term", "Passing term"),
    _days("within which the buyer passes the lot"),
    Field("passed_at", Choice(("seller", "buyer", "laboratory")), required=True, help="where it is decided"),
    Field("sample_pct", PERCENT, help="of the bales, of which samples are drawn"),
    _flag("is_final", "what was passed is not disputed any more"),
)
TRADE_TYPE = _list(
    *("trade_type", "Trade type"),
    Field("kind", Choice(("domestic", "export", "import")), required=True, default="domestic"),
    _flag("tax_included", "the price includes the tax"),
)
BARGAIN_TYPE = _list(
    *("bargain_type", "Bargain type"),
    Field("price_kind", Choice(PRICE_KINDS), required=True),
    _flag("brokerage_included", "the price includes the brokerage"),
)
