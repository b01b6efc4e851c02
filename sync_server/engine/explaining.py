"""Explaining: what the merge did, in the words of the trade and the language of whoever asked for it.

Owns: how titles and values of an entity reach the sentences, and which outcomes somebody may be told of.
Must not know: what a sentence says (conflict/words), how a field is called (erp_core/titles), where a sentence goes.
Invariant: nothing of a field that is hidden from the reader is in a sentence, not even its title
(tests/unit/test_explaining.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Final

from conflict.explain import LONGEST as VALUE_MAX
from conflict.explain import explain, explain_record, shortened, suggest, yes_or_no
from conflict.explain import hidden as something_hidden
from conflict.merge import Outcome
from conflict.words import known
from erp_core.india import IST
from erp_core.language import SERVER_FIELDS, Entity, Violation
from erp_core.titles import entity_title, field_title, reason_sentence, word_title
from erp_core.values import Choice, Day, Document, Flag, Instant, Integer, Number, Reference, Text, Words

SENTENCES_MAX: Final = 1_000
"""Characters: a person reads it on a phone, and what was left out is in the `outcomes`. `sync_issues.sentence` holds 4000."""

_UNITS: Final = {"INR": "₹", "INR/candy": "₹", "degree": "°"}
"""Unit of a Number -> how it is written; any other is written as it is. The title says what a price is for."""

_NOTED: Final = frozenset(field.name for field in SERVER_FIELDS)

NO_NAMES: Final[Mapping[str, str]] = {}
"""Names of other records, if nobody looked them up."""


@dataclass(frozen=True, slots=True)
class InWords:
    """Titles and values of one entity in one language; `names`: id of another record -> what it is called."""

    entity: Entity
    language: str
    names: Mapping[str, str]

    def title(self, column: str) -> str:
        """Name a column."""
        return field_title(self.entity, column, self.language)

    def shown(self, column: str, value: Any) -> str | None:
        """Write a value as it stands inside; None for what no person reads: an id, a document."""
        match self.entity.by_name[column].type:
            case Choice():
                return word_title(self.entity, column, value, self.language)
            case Words():
                return ", ".join(word_title(self.entity, column, word, self.language) for word in value)
            case Flag():
                return yes_or_no(value, self.language)
            case Reference():
                return self.names.get(value)
            case Text():
                return None if column.endswith("_id") else str(value)
            case Document():
                return None
            case kind:
                return measured(kind, value)


def measured(kind: Integer | Number | Day | Instant, value: Any) -> str:
    """Write a number, a day or a moment as they are written in India."""
    match kind:
        case Number(unit=unit, places=places):
            return with_unit(grouped(round(value, places)), unit)
        case Integer():
            return grouped(Decimal(value))
        case Day():
            return f"{value:%d-%m-%Y}"
        case Instant():
            return f"{value.astimezone(IST):%d-%m-%Y %H:%M}"


def sentences(
    entity: Entity,
    outcomes: Iterable[Outcome],
    language: str | None,
    hidden: Collection[str] = (),
    names: Mapping[str, str] = NO_NAMES,
) -> str:
    """Say what became of a record, a sentence per outcome; at most SENTENCES_MAX characters; '' if there is nothing to say.

    `outcomes` hold values as they stand inside. Of the columns in `hidden` it only says that there were some; what the server
    notes of every record (when it was stored, by whom) is no news to anybody. Cost: O(outcomes).
    """
    told = [outcome for outcome in outcomes if outcome.column not in _NOTED]
    words = _in_words(entity, known(language)) if not names else InWords(entity, known(language), names)
    said = [explain(outcome, words, language) for outcome in told if outcome.column not in hidden]
    if len(said) < len(told):
        said.append(something_hidden(language))
    return shortened(" ".join(said), SENTENCES_MAX - 1)


def sentence_of_record(entity: Entity, reason: str, language: str | None) -> str:
    """Say why a whole record waits: stale, deleted_meanwhile, issue_closed and the like (wording.py)."""
    return explain_record(reason, entity_title(entity, known(language)), language)


def sentence_of_rule(
    entity: Entity, fault: Violation, sent: Mapping[str, Any], language: str | None, hidden: Collection[str]
) -> str:
    """Say why a record breaks a rule: the fields, as their author `sent` them, and the reason. In English the rule says it
    itself, with its figures; so it does where the reason has no sentence in another language.
    """
    said = reason_sentence(fault.code, known(language))
    if said is None:
        return fault.sentence
    words = _in_words(entity, known(language))
    named = [
        _with_value(words, name, sent.get(name))
        for name in fault.fields
        if name in entity.by_name and name not in hidden
    ]
    return f"{', '.join(named)}: {said}" if named else f"{entity_title(entity, known(language))}: {said}"


def _with_value(words: InWords, name: str, value: Any) -> str:
    shown = None if value is None else words.shown(name, value)
    return words.title(name) if shown is None else f"{words.title(name)} ({shortened(shown, VALUE_MAX)})"


def suggestion(reason: str, language: str | None, *, refused: bool = False) -> str:
    """Say what to do about a change that waits, or was `refused`, for this reason; every reason gets some advice."""
    return suggest(reason, language, refused=refused)


@cache
def _in_words(entity: Entity, language: str) -> InWords:
    return InWords(entity, language, NO_NAMES)


def with_unit(number: str, unit: str) -> str:
    """Write a number with its unit.

    >>> with_unit("61,500", "INR/candy"), with_unit("18", "%"), with_unit("170", "kg"), with_unit("4.1", "")
    ('₹61,500', '18%', '170 kg', '4.1')
    """
    written = _UNITS.get(unit, unit)
    if written == "₹":
        return f"{written}{number}"
    return f"{number}{written}" if written in ("%", "°", "") else f"{number} {written}"


def grouped(number: Decimal) -> str:
    """Write a number as India does: thousands, lakhs and crores apart, no fraction if it is zero.

    >>> grouped(Decimal("12345678.50")), grouped(Decimal("999")), grouped(Decimal("-100000.00")), grouped(Decimal("4.10"))
    ('1,23,45,678.50', '999', '-1,00,000', '4.10')
    """
    whole, _, fraction = f"{abs(number):f}".partition(".")
    groups, rest = [whole[-3:]], whole[:-3]
    while rest:
        groups.insert(0, rest[-2:])
        rest = rest[:-2]
    sign, tail = "-" if number < 0 else "", f".{fraction}" if fraction.strip("0") else ""
    return f"{sign}{','.join(groups)}{tail}"
