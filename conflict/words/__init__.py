"""The words of explanations in English, Hindi and Gujarati: one catalogue of messages each.

Owns: which catalogues there are, and in which language somebody is answered whose language has none.
Must not know: what a message is for; explain.py asks for it by its key.
Invariant: every message is in every catalogue, with the same placeholders (tests/unit/test_explain.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from conflict.words import en, gu, hi

CATALOGUES: Final[Mapping[str, Mapping[str, str]]] = {"en": en.MESSAGES, "hi": hi.MESSAGES, "gu": gu.MESSAGES}
"""Language (ISO 639-1) -> key -> message."""

LANGUAGES: Final = tuple(CATALOGUES)
DEFAULT: Final = "en"


def known(language: str | None) -> str:
    """Give the language to answer in: the one asked for, without its country; English if there is no catalogue of it.

    >>> known("hi"), known("gu-IN"), known("mr"), known(None)
    ('hi', 'gu', 'en', 'en')
    """
    stem = (language or DEFAULT).replace("_", "-").split("-")[0].lower()
    return stem if stem in CATALOGUES else DEFAULT
