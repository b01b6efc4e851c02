"""What a person may agree to is said in every language, and where somebody was is found by its declaration."""

from __future__ import annotations

from erp_core.consents import PURPOSES, WHERE
from erp_core.notices import LANGUAGES


def test_every_purpose_is_asked_in_every_language() -> None:
    for purpose in PURPOSES.values():
        assert set(purpose.words) == set(LANGUAGES)
        assert purpose.version >= 1
        assert all(words.strip() for words in purpose.words.values())


def test_every_record_that_says_where_somebody_was_is_known() -> None:
    places = ("latitude", "longitude")
    assert dict.fromkeys(("sample", "quality_inspection", "attachment", "visit"), places) == WHERE
