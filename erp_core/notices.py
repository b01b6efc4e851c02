"""What people are told: which step of which record, whom of them it concerns, and in which words.

Owns: the rules as data, and their sentences in English, Hindi and Gujarati.
Must not know: who holds which right, how somebody is told.
Invariant: every rule names a state of its entity and has a sentence in every language (checked on import); who is told sees the
record (tests/integration/test_notices.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from erp_core.access import CODES
from erp_core.catalogue import BY_NAME
from erp_core.language import Entity

LANGUAGES: Final = ("en", "hi", "gu")


@dataclass(frozen=True, slots=True)
class Rule:
    """Tell somebody once that a record came to a state, as long as it is in it.

    `codes`: who has one of them for the record is told; `fields`: whom these fields name; `maker`: who made it. Nobody is told
    of what they did themselves. `words`: language -> title.
    """

    kind: str
    entity: Entity
    state: str
    words: Mapping[str, str]
    codes: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    maker: bool = False
    late: bool = False
    """It is not the state that is told, but that the record is in it for too long."""

    def __post_init__(self) -> None:
        known = self.state in self.entity.machines["state"].moves and set(self.words) == set(LANGUAGES)
        if not known or not set(self.codes) <= CODES or not set(self.fields) <= self.entity.by_name.keys():
            raise ValueError(f"{self.kind}: no such state, code or field, or not in every language")


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "trade.awaits_approval",
        BY_NAME["trade"],
        "draft",
        {
            "en": "A trade awaits your approval",
            "hi": "एक सौदा आपकी मंज़ूरी की राह देख रहा है",
            "gu": "એક સોદો તમારી મંજૂરીની રાહ જુએ છે",
        },
        codes=("trade.approve",),
    ),
    Rule(
        "inspection.disputed",
        BY_NAME["quality_inspection"],
        "disputed",
        {
            "en": "Your inspection is disputed",
            "hi": "आपकी जाँच पर आपत्ति की गई है",
            "gu": "તમારી તપાસ સામે વાંધો લેવાયો છે",
        },
        fields=("inspector_id",),
        maker=True,
    ),
    Rule(
        "partner.approved",
        BY_NAME["business_partner"],
        "approved",
        {
            "en": "Your partner was approved",
            "hi": "आपके व्यापारी को मंज़ूरी मिल गई है",
            "gu": "તમારા વેપારીને મંજૂરી મળી છે",
        },
        fields=("assigned_agent_id",),
        maker=True,
    ),
    Rule(
        "dispatch.late",
        BY_NAME["dispatch"],
        "in_transit",
        {
            "en": "A lorry is late: the last day of delivery is past",
            "hi": "एक ट्रक लेट है: डिलिवरी का आख़िरी दिन निकल गया है",
            "gu": "એક ટ્રક મોડી છે: ડિલિવરીનો છેલ્લો દિવસ વીતી ગયો છે",
        },
        codes=("trade.approve",),
        maker=True,
        late=True,
    ),
)

BY_KIND: Final[Mapping[str, Rule]] = {rule.kind: rule for rule in RULES}
LATE: Final = BY_KIND["dispatch.late"]

NAMED_BY: Final = ("number", "legal_name", "lot_number", "vehicle_number")
"""What a person knows a record by; the first that it has is told beside the title."""

MAIL_MANY: Final[Mapping[str, str]] = {
    "en": "{count} notices",
    "hi": "{count} सूचनाएँ",
    "gu": "{count} સૂચનાઓ",
}
"""The subject of a mail that tells of several."""

MAIL_WHY: Final[Mapping[str, str]] = {
    "en": "You get this because you work with Cotton Sync. You choose what you are told, and when, in your account.",
    "hi": "यह आपको इसलिए मिला है क्योंकि आप Cotton Sync पर काम करते हैं। क्या और कब बताया जाए, यह आप अपने खाते में चुनते हैं।",
    "gu": "તમે Cotton Sync પર કામ કરો છો એટલે તમને આ મળ્યું છે. શું અને ક્યારે જણાવવું તે તમે તમારા ખાતામાં પસંદ કરો છો.",
}
"""The last line of every mail."""
