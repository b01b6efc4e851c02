"""India as law has it: its time, and the states with their codes in the goods and services tax.

Owns: the time zone and its days, the table of codes.
Must not know: entities.
Invariant: every code that python-stdnum accepts in a GSTIN is here (tests/unit/test_identifiers.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from typing import Final

IST: Final = timezone(timedelta(hours=5, minutes=30), "IST")
"""Indian Standard Time: one zone, without summer time. A day of the trade is a day of it."""


def day_of(moment: datetime) -> date:
    """Give the day on which a moment falls where the trade is. `moment`: with its zone.

    >>> day_of(datetime(2026, 11, 23, 18, 30, tzinfo=timezone.utc))
    datetime.date(2026, 11, 24)
    """
    return moment.astimezone(IST).date()


GST_STATES: Final[Mapping[str, str]] = {
    "01": "Jammu and Kashmir",
    "02": "Himachal Pradesh",
    "03": "Punjab",
    "04": "Chandigarh",
    "05": "Uttarakhand",
    "06": "Haryana",
    "07": "Delhi",
    "08": "Rajasthan",
    "09": "Uttar Pradesh",
    "10": "Bihar",
    "11": "Sikkim",
    "12": "Arunachal Pradesh",
    "13": "Nagaland",
    "14": "Manipur",
    "15": "Mizoram",
    "16": "Tripura",
    "17": "Meghalaya",
    "18": "Assam",
    "19": "West Bengal",
    "20": "Jharkhand",
    "21": "Odisha",
    "22": "Chhattisgarh",
    "23": "Madhya Pradesh",
    "24": "Gujarat",
    "25": "Dadra and Nagar Haveli and Daman and Diu",  # Daman and Diu until the merger of 26 January 2020
    "26": "Dadra and Nagar Haveli and Daman and Diu",
    "27": "Maharashtra",
    "28": "Andhra Pradesh",  # before the division of 2 June 2014
    "29": "Karnataka",
    "30": "Goa",
    "31": "Lakshadweep",
    "32": "Kerala",
    "33": "Tamil Nadu",
    "34": "Puducherry",
    "35": "Andaman and Nicobar Islands",
    "36": "Telangana",
    "37": "Andhra Pradesh",
    "38": "Ladakh",
}
"""Code -> name: the first two digits of a GSTIN, as the return forms of the GST portal list them."""

STATE_NAMES: Final = tuple(sorted(set(GST_STATES.values())))
