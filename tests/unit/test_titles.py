"""Whatever the catalogue declares is called something in English, Hindi and Gujarati."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from erp_core.catalogue import BY_NAME, ENTITIES
from erp_core.india import STATE_NAMES
from erp_core.language import Entity, Field
from erp_core.titles import LANGUAGES, entity_title, field_title, word_title
from erp_core.titles.fields import FIELDS
from erp_core.titles.places import PLACES
from erp_core.titles.words import ENTITIES as TITLES
from erp_core.titles.words import WORDS
from erp_core.values import Choice, Words

SCRIPTS = {"hi": re.compile("[\u0900-\u097f]"), "gu": re.compile("[\u0a80-\u0aff]")}
LATIN = re.compile("[A-Za-z]")


def words_of(field: Field) -> tuple[str, ...]:
    """Give the words of a closed list that a person reads: a permission code is no word."""
    match field.type:
        case Choice(words=words) | Words(allowed=tuple() as words):
            return tuple(word for word in words if "." not in word)
    return ()


def listed() -> Iterator[tuple[Entity, Field, str]]:
    yield from ((e, f, word) for e in ENTITIES for f in e.all_fields for word in words_of(f))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_entity_field_and_word_has_a_title(language: str) -> None:
    for entity in ENTITIES:
        assert entity_title(entity, language)
        assert all(field_title(entity, field.name, language) for field in entity.all_fields)
    for entity, field, word in listed():
        assert word in PLACES or word in WORDS or f"{entity.name}.{field.name}.{word}" in WORDS, (entity.name, word)
        assert word_title(entity, field.name, word, language)


def test_the_english_title_of_an_entity_is_that_of_its_declaration() -> None:
    assert {entity.name: entity.title for entity in ENTITIES} == {name: title[0] for name, title in TITLES.items()}


def test_no_title_is_left_of_what_is_no_longer_declared() -> None:
    names = {field.name for entity in ENTITIES for field in entity.all_fields}
    places = {f"{entity.name}.{field.name}" for entity in ENTITIES for field in entity.all_fields}
    used = {word for _, _, word in listed()}
    exact = {f"{entity.name}.{field.name}.{word}" for entity, field, word in listed()}

    assert FIELDS.keys() <= names | places
    assert WORDS.keys() <= used | exact
    assert PLACES.keys() == set(STATE_NAMES)


@pytest.mark.parametrize("language", SCRIPTS)
def test_no_title_is_left_in_english_by_mistake(language: str) -> None:
    column = LANGUAGES.index(language)
    titles = {name: title[column] for table in (TITLES, FIELDS, WORDS) for name, title in table.items()}
    titles |= {name: title[column - 1] for name, title in PLACES.items()}
    for name, title in titles.items():
        if name in LANGUAGES:  # a language is called what its own readers call it
            continue
        assert SCRIPTS[language].search(title), f"{name}: {title}"
        assert not LATIN.search(title), f"{name}: {title}"
        assert title == title.strip()


def test_a_language_is_called_what_its_readers_call_it() -> None:
    user = BY_NAME["user"]
    assert {word_title(user, "language", word, "en") for word in ("en", "hi", "gu")} == {"English", "हिन्दी", "ગુજરાતી"}


def test_fields_of_one_entity_are_told_apart_by_their_titles() -> None:
    for entity in ENTITIES:
        for language in LANGUAGES:
            titles = [field_title(entity, field.name, language) for field in entity.all_fields]
            assert len(set(titles)) == len(titles), (entity.name, language, sorted(titles))
