"""Titles: what entities, fields, states and choices are called, in English, Hindi and Gujarati, and why a change is refused.

Owns: the look-up.
Must not know: who is told what, and when.
Invariant: whatever the catalogue declares has a title in every language (tests/unit/test_titles.py), and every reason a
sentence (tests/unit/test_reasons.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from erp_core.language import Entity
from erp_core.titles import reasons_gu, reasons_hi
from erp_core.titles.fields import FIELDS
from erp_core.titles.places import PLACES
from erp_core.titles.words import ENTITIES, WORDS

LANGUAGES: Final = ("en", "hi", "gu")
"""In the order of the columns of the tables; whoever asks for another language gets the first."""

_COLUMN: Final[Mapping[str, int]] = {language: n for n, language in enumerate(LANGUAGES)}


def entity_title(entity: Entity, language: str) -> str:
    """Name an entity.

    >>> from erp_core.catalogue import BY_NAME
    >>> [entity_title(BY_NAME["trade"], language) for language in LANGUAGES]
    ['Trade', 'सौदा', 'સોદો']
    """
    return ENTITIES[entity.name][_COLUMN.get(language, 0)]


def field_title(entity: Entity, field: str, language: str) -> str:
    """Name a field of `entity`.

    >>> from erp_core.catalogue import BY_NAME
    >>> field_title(BY_NAME["branch"], "state", "hi"), field_title(BY_NAME["trade"], "state", "hi")
    ('राज्य', 'स्थिति')
    """
    found = FIELDS.get(f"{entity.name}.{field}") or FIELDS[field]
    return found[_COLUMN.get(language, 0)]


def word_title(entity: Entity, field: str, word: str, language: str) -> str:
    """Name a word of a closed list; a word that is in none (a tag, a permission code) is its own name.

    >>> from erp_core.catalogue import BY_NAME
    >>> partner = BY_NAME["business_partner"]
    >>> word_title(partner, "kind", "ginner", "gu"), word_title(partner, "tags", "old", "gu")
    ('જીનર', 'old')
    """
    if word in PLACES:
        return (word, *PLACES[word])[_COLUMN.get(language, 0)]
    found = WORDS.get(f"{entity.name}.{field}.{word}") or WORDS.get(word)
    return word if found is None else found[_COLUMN.get(language, 0)]


_REASONS: Final[Mapping[str, Mapping[str, str]]] = {"hi": reasons_hi.REASONS, "gu": reasons_gu.REASONS}


def reason_sentence(code: str, language: str) -> str | None:
    """Say why a change is refused, by the code of the reason; None where the rule's own English sentence is to be told.

    >>> reason_sentence("missing", "hi"), reason_sentence("missing", "en")
    ('इसे लिखना ज़रूरी है।', None)
    """
    return _REASONS.get(language, {}).get(code)
