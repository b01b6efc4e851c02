"""Names of people and firms, of each branch's region; all invented from common given names and surnames.

Owns: the lists.
Must not know: what a name is used for.
Invariant: nothing here names a living person or a registered firm on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

GIVEN: Final[Mapping[str, tuple[str, ...]]] = {
    "RJK": (
        *("Bhavesh", "Jignesh", "Hasmukh", "Ramesh", "Kalpesh", "Dipak", "Nilesh", "Chetan", "Mansukh", "Vallabh"),
        *("Hetal", "Bhavna", "Jayshree", "Kinjal", "Rekha", "Parul", "Vipul", "Ashwin", "Dharmesh", "Mukesh"),
    ),
    "AKL": (
        *("Sachin", "Prashant", "Vinod", "Ganesh", "Rajendra", "Sanjay", "Nitin", "Avinash", "Dilip", "Sudhakar"),
        *("Sunita", "Vaishali", "Manisha", "Archana", "Savita", "Ashwini", "Vikas", "Pramod", "Santosh", "Gajanan"),
    ),
    "WGL": (
        *("Srinivas", "Ravinder", "Venkatesh", "Mahender", "Narsimha", "Sudhakar", "Rajeshwar", "Laxman", "Kishan"),
        *("Swapna", "Padma", "Sujatha", "Anitha", "Lavanya", "Kavitha", "Prabhakar", "Sampath", "Thirupathi", "Ashok"),
    ),
}
SURNAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "RJK": (
        *(
            "Patel",
            "Vekariya",
            "Sorathiya",
            "Kapadia",
            "Mehta",
            "Ghodasara",
            "Bhalala",
            "Dobariya",
            "Gajera",
            "Kothari",
        ),
        *("Savaliya", "Rupareliya", "Thakkar", "Lunagariya", "Zalavadiya"),
    ),
    "AKL": (
        *("Deshmukh", "Patil", "Wankhade", "Ingle", "Kale", "Raut", "Agrawal", "Bhuyar", "Gawande", "Khandelwal"),
        *("Tayade", "Lahoti", "Thakare", "Mahalle", "Chandak"),
    ),
    "WGL": (
        *("Reddy", "Rao", "Goud", "Gupta", "Chary", "Yadav", "Setty", "Naidu", "Varma", "Agarwal"),
        *("Komuravelli", "Bandari", "Thota", "Gundu", "Mandala"),
    ),
}
HOUSES: Final[Mapping[str, tuple[str, ...]]] = {
    "RJK": (
        "Somnath",
        "Khodiyar",
        "Girnar",
        "Saurashtra",
        "Umiya",
        "Ramdev",
        "Jay Ambe",
        "Shreeji",
        "Bhadar",
        "Machhu",
    ),
    "AKL": ("Gajanan", "Vidarbha", "Rajeshwar", "Mahalaxmi", "Morna", "Purna", "Tulja", "Ekvira", "Balaji", "Varad"),
    "WGL": (
        "Bhadrakali",
        "Kakatiya",
        "Sri Rama",
        "Godavari",
        "Venkateshwara",
        "Rudrama",
        "Sammakka",
        "Ramappa",
        "Sri Sai",
    ),
}
FIRMS: Final[Mapping[str, tuple[str, ...]]] = {
    "buyer": ("Spinning Mills", "Cotspin", "Textiles", "Yarns", "Cotton Exports"),
    "ginner": ("Ginning & Pressing", "Cotton Industries", "Ginning Factory", "Gin Press"),
    "seller": ("Cotton Traders", "Kapas Traders", "Agro Traders", "Cotton Company"),
    "broker": ("Cotton Brokers", "Cotton Agency", "Commission Agents"),
    "transporter": ("Roadlines", "Transport Company", "Logistics", "Carriers"),
}
ENDINGS: Final[Mapping[str, tuple[str, str]]] = {
    # entity type -> how its legal name ends, and the fourth letter of its PAN
    "proprietor": ("", "P"),
    "individual": ("", "P"),
    "partnership": (" & Co", "F"),
    "llp": (" LLP", "F"),
    "private": (" Private Limited", "C"),
    "public": (" Limited", "C"),
    "cooperative": (" Cooperative Society Limited", "A"),
}
