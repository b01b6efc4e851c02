"""Every outcome and every reason is told in a sentence, in English, Hindi and Gujarati, and nothing else is."""

from __future__ import annotations

import re
from string import Formatter
from typing import Any

import pytest

from conflict import policies
from conflict.explain import LONGEST, Titles, explain, explain_record, hidden, shortened, suggest
from conflict.merge import Outcome
from conflict.policies import ALL, UNKNOWN
from conflict.words import CATALOGUES, DEFAULT, LANGUAGES, known

SCRIPTS = {"hi": re.compile("[\u0900-\u097f]"), "gu": re.compile("[\u0a80-\u0aff]")}
RECORD_REASONS = (
    "stale",
    "deleted_meanwhile",
    "changed_meanwhile",
    "foreign_author",
    "waits_with",
    "issue_closed",
    "issue_changed",
)
FIELD_REASONS = (
    policies.BASE_UNKNOWN,
    policies.OUT_OF_BOUNDS,
    policies.OVERLAPPING_EDITS,
    policies.NO_COMMON_STATE,
    policies.SET_ONCE,
    policies.LOCKED,
    policies.NEEDS_REVIEW,
)


class Plain:
    """Titles and values as they are; what is an object has nothing to show."""

    def title(self, column: str) -> str:
        return column.capitalize()

    def shown(self, column: str, value: Any) -> str | None:
        return None if isinstance(value, dict) else str(value)


TITLES: Titles = Plain()


def outcome(policy: str = "theirs", kept: Any = 3, parked: str | None = None, base: Any = 1) -> Outcome:
    return Outcome("bales", policy, base, 2, 3, kept, parked)


def placeholders(message: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(message) if name is not None)


# --- The catalogues ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != DEFAULT])
def test_every_message_is_in_every_language_with_the_same_placeholders(language: str) -> None:
    english, other = CATALOGUES[DEFAULT], CATALOGUES[language]

    assert list(other) == list(english)
    assert {key: placeholders(text) for key, text in other.items()} == {
        key: placeholders(text) for key, text in english.items()
    }


@pytest.mark.parametrize("language", SCRIPTS)
def test_no_message_is_left_in_english_by_mistake(language: str) -> None:
    for key, message in CATALOGUES[language].items():
        bare = re.sub(r"{\w+}", "", message)
        assert SCRIPTS[language].search(bare), key
        assert not re.search("[A-Za-z]", bare), key
    foreign = SCRIPTS["gu" if language == "hi" else "hi"]
    wrong = {key for key, message in CATALOGUES[language].items() if foreign.search(message.replace("।", ""))}
    assert not wrong, "a sentence in the script of the other language"


def test_no_two_messages_of_a_language_say_the_same() -> None:
    for language, messages in CATALOGUES.items():
        assert len(set(messages.values())) == len(messages), language


def test_every_reason_has_a_sentence_and_a_suggestion_of_its_own() -> None:
    for language in LANGUAGES:
        words = CATALOGUES[language]
        for reason in (*FIELD_REASONS, *RECORD_REASONS):
            assert f"why.{reason}" in words
            assert suggest(reason, language) == words[f"do.{reason}"]
    reasons = {key.partition(".")[2] for key in CATALOGUES[DEFAULT] if key.startswith("why.")}
    assert reasons == {*FIELD_REASONS, *RECORD_REASONS, "other"}


def test_every_message_about_a_policy_is_about_one_that_exists() -> None:
    names = {policy.name for policy in ALL} | {"kept"}
    parts = {"why", "do", "part", "value"}
    assert {key.partition(".")[0] for key in CATALOGUES[DEFAULT]} <= names | parts


@pytest.mark.parametrize("policy", [policy.name for policy in ALL])
@pytest.mark.parametrize("kept", [2, 3, 9])
def test_whatever_a_policy_keeps_is_told_in_every_language(policy: str, kept: int) -> None:
    for language in LANGUAGES:
        assert explain(outcome(policy, kept), TITLES, language).startswith("Bales: ")


# --- One sentence -----------------------------------------------------------------------------------------------------


def test_a_sentence_says_what_was_kept_and_of_which_values() -> None:
    theirs = explain(outcome("newest", 3), TITLES)
    ours = explain(outcome("newest", 2), TITLES)
    both = explain(outcome("tally", 4), TITLES)

    assert theirs == "Bales: you entered yours later than others, so yours was kept. (before: 1; others: 2; you: 3)"
    assert ours == "Bales: others entered theirs later than you, so theirs was kept. (before: 1; others: 2; you: 3)"
    assert both == "Bales: what you and others counted was added up. (before: 1; others: 2; you: 3; now: 4)"


def test_a_parked_change_is_told_with_what_is_there_now() -> None:
    told = explain(outcome("locked", 2, "locked", base=2), TITLES)

    assert told == "Bales: this is settled and can no longer be changed just like that. (now: 2; you: 3)"
    assert "others" not in told, "nobody else changed it"
    corrected = explain(outcome("ours", 2, base=2), TITLES)
    assert corrected == "Bales: the server works this out itself; its value was kept. (now: 2; you: 3)"


def test_a_reason_that_is_new_and_a_policy_without_a_message_get_the_general_one() -> None:
    assert explain(outcome(parked="from_the_future", kept=2), TITLES).startswith("Bales: this cannot be decided")
    assert explain(outcome("highest", 9), TITLES).startswith("Bales: your change and that of others were brought")
    assert explain_record("from_the_future", "Trade").startswith("Trade: this cannot be decided")
    assert suggest("from_the_future").startswith("Look at the record")
    assert suggest("from_the_future", refused=True).startswith("Correct the fields")
    assert suggest("read_only", refused=True) == suggest("read_only") == CATALOGUES["en"]["do.read_only"]


def test_what_nobody_knows_and_what_is_empty_is_not_written_as_python_writes_it() -> None:
    unknown = explain(Outcome("note", "prose", UNKNOWN, "a", None, "a", "base_unknown"), TITLES)

    assert unknown.endswith("(now: a; you: nothing)")
    for empty in (None, "", ()):
        assert explain(Outcome("note", "theirs", "x", empty, "b", "b"), TITLES, "gu").endswith(
            "(પહેલાં: x; બીજાનું: ખાલી; આપનું: b)"
        )
    assert "(before: 0; " in explain(Outcome("bales", "theirs", 0, 1, 2, 2), TITLES), "zero is a value"


def test_values_that_nobody_can_read_are_left_out() -> None:
    told = explain(Outcome("quality", "theirs", {"a": 1}, {"a": 2}, {"a": 3}, {"a": 3}), TITLES)
    half = explain(Outcome("quality", "theirs", "good", {"a": 2}, "better", "better"), TITLES)

    assert told == half == "Quality: others changed it, too; your value was kept.", "half a comparison compares nothing"


def test_braces_in_a_value_or_a_title_are_only_braces() -> None:
    assert "(others: {field}; you: {0})" in explain(Outcome("a{b}", "theirs", None, "{field}", "{0}", "{0}"), TITLES)


def test_long_texts_are_shortened_and_stay_on_one_line() -> None:
    text = "first line\nsecond line " + "and so on " * 50
    told = explain(Outcome("note", "theirs", text, "a", "b", "b"), TITLES)

    assert "before: first line second line and so on" in told
    assert "\n" not in told
    assert len(told) < 200
    assert shortened("x" * LONGEST) == "x" * LONGEST
    assert shortened("x" * (LONGEST + 1)) == "x" * LONGEST + "…"
    assert shortened("word " * 30).endswith("word…")


def test_a_language_without_a_catalogue_gets_english() -> None:
    assert explain(outcome(), TITLES, "mr") == explain(outcome(), TITLES, "en") == explain(outcome(), TITLES)
    assert [known(language) for language in ("HI", "gu_IN", "", "xx", None)] == ["hi", "gu", "en", "en", "en"]
    assert hidden("xx") == hidden("en") != hidden("hi")


def test_a_whole_record_is_told_in_the_language_of_its_author() -> None:
    told = {language: explain_record("deleted_meanwhile", "Trade", language) for language in LANGUAGES}

    assert len(set(told.values())) == len(LANGUAGES)
    assert SCRIPTS["hi"].search(told["hi"])


def test_a_value_is_written_as_its_own_column_is() -> None:
    class Dated(Plain):
        def shown(self, column: str, value: Any) -> str | None:
            return f"{column} {value}"

    assert "day 5" in explain(Outcome("day", "theirs", 4, 5, 6, 6), Dated())


def test_text_is_cut_at_a_blank_that_leaves_it_short_enough() -> None:
    assert shortened("abcde fgh", 4) == "abcd…"
    assert shortened("abcd efgh", 4) == "abcd…"
    assert shortened("abc de fgh", 5) == "abc…"
