"""Consents: what a person may be asked to agree to, and may take back.

Owns: the purposes, and the words in which a person is asked, each with its version.
Must not know: who agreed, what follows where (engine/holding.py, engine/outward.py).
Invariant: every purpose has its words in every language; other words are another version (tests/unit/test_consents.py).

Digital Personal Data Protection Act, 2023: consent is asked for in plain words and for one purpose (sections 5, 6), and is
taken back as easily as it is given (section 6(4)). What the work needs may be done without it (section 7(i)): so who said
nothing is told, and where they were is noted, until they object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from erp_core.catalogue import ENTITIES

PLACES: Final = ("latitude", "longitude")


@dataclass(frozen=True, slots=True)
class Purpose:
    """What is agreed to. `version`: of the words; `words`: language -> what a person is asked."""

    name: str
    version: int
    words: Mapping[str, str]


LOCATION: Final = Purpose(
    "location",
    1,
    {
        "en": "Where you check in, inspect and take pictures is noted with the record, so that the house knows it was there.",
        "hi": "आप जहाँ पहुँचकर दर्ज करते हैं, जाँच करते हैं और फ़ोटो लेते हैं, वह जगह रिकॉर्ड के साथ लिखी जाती है।",
        "gu": "તમે જ્યાં હાજરી નોંધો, તપાસ કરો અને ફોટા લો, તે જગ્યા રેકોર્ડ સાથે નોંધાય છે.",
    },
)
MESSAGES: Final = Purpose(
    "messages",
    1,
    {
        "en": "You are told by e-mail and on your phone of what waits for you, through the services that carry such messages.",
        "hi": "जो काम आपकी राह देख रहा है, वह आपको ई-मेल और फ़ोन पर बताया जाता है, ऐसे संदेश पहुँचाने वाली सेवाओं से।",
        "gu": "તમારી રાહ જોતા કામની જાણ તમને ઈ-મેલ અને ફોન પર થાય છે, આવા સંદેશા પહોંચાડતી સેવાઓ મારફતે.",
    },
)
PURPOSES: Final[Mapping[str, Purpose]] = {one.name: one for one in (LOCATION, MESSAGES)}

WHERE: Final[Mapping[str, tuple[str, ...]]] = {
    entity.name: names
    for entity in ENTITIES
    if (names := tuple(f.name for f in entity.fields if f.personal not in ("", "id") and f.name in PLACES))
}
"""Entity -> the fields that say where somebody was."""
