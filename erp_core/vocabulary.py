"""The value types that several entities share: tax numbers, phones, places, money, percentages.

Owns: one declaration for each thing that is written the same way wherever it occurs.
Must not know: the entities.
Invariant: whatever a type accepts reads back equal (tests/properties/test_values.py).
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from erp_core.india import STATE_NAMES
from erp_core.values import Choice, Integer, Number, Text

# --- Identifiers ------------------------------------------------------------------------------------------------------

PAN: Final = Text(10, re.compile(r"[A-Z]{5}[0-9]{4}[A-Z]"), "AAPFU0939F")
"""Permanent account number of the income tax; what a pattern cannot see, rules.tax_numbers does."""
GSTIN: Final = Text(15, re.compile(r"[0-9]{2}[A-Z]{5}[0-9]{4}[A-Z][1-9A-Z]Z[0-9A-Z]"), "27AAPFU0939F1ZV")
"""Registration number of the goods and services tax: state, PAN, entity number, 'Z', check digit."""
CIN: Final = Text(21, re.compile(r"[LU][0-9]{5}[A-Z]{2}[0-9]{4}[A-Z]{3}[0-9]{6}"), "U17111GJ1994PTC021212")
"""Corporate identity number of a company: listed or not, industry, state, year, kind, registration number."""
PHONE_NUMBER: Final = Text(16, re.compile(r"\+[1-9][0-9]{7,14}"), "+919825012345")
"""E.164, so that one number has one spelling."""
PINCODE: Final = Text(6, re.compile(r"[1-9][0-9]{5}"), "360001")
"""Postal index number of India Post; the first digit is a postal zone, never 0."""
USER_ID: Final = Text(64, re.compile(r"[A-Za-z0-9_.-]{1,64}"), "agent1")
"""A user of the organisation; users are no entity, so this is not a Reference."""

IFSC: Final = Text(11, re.compile(r"[A-Z]{4}0[A-Z0-9]{6}"), "SBIN0000300")
"""Branch of a bank in NEFT and RTGS: four letters of the bank, a nought, six characters of the branch (Reserve Bank)."""
ACCOUNT_NUMBER: Final = Text(34, re.compile(r"[0-9A-Z]{5,34}"), "30012345678")
"""An account at a bank, without spaces; an IBAN, the longest there is, has 34 characters (ISO 13616)."""
ACCOUNT_KINDS: Final = ("current", "savings", "cash_credit", "overdraft")
"""What banks in India call the kinds of account."""

# --- Places -----------------------------------------------------------------------------------------------------------

STATE: Final = Choice(STATE_NAMES)
LATITUDE: Final = Number(9, 6, "degree", Decimal(-90), Decimal(90))
LONGITUDE: Final = Number(9, 6, "degree", Decimal(-180), Decimal(180))
"""Six places are 0.11 m on the ground, finer than a phone's receiver."""

# --- Money, percentages, counts ---------------------------------------------------------------------------------------

RUPEES: Final = Number(14, 2, "INR")
PRICE_PER_CANDY: Final = Number(12, 2, "INR/candy", Decimal("0.01"))
PERCENT: Final = Number(5, 2, "%", most=Decimal(100))
BALES: Final = Integer(1, 1_000_000)
BALE_COUNT: Final = Integer(0, 1_000_000)
"""No single document of a trading house is near a million bales: India presses some 30 million in a year."""
PRICE_KINDS: Final = ("fixed", "negotiable", "on_call")
"""How firm an asking price is."""
