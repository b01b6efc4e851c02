"""What became of a change, in a sentence that a trader understands.

Theory of operation. A message says what happened in one field, and why; beside it, in brackets, stand the values: before,
others', one's own, and what it is now. Messages know no grammar of values, so that a title or a value can stand in any
language. Who the others are is never told: whoever may see a record need not see who works on it.

Titles and values come ready for reading from whoever knows the fields; a value that cannot be read by a person (the id of
another record) is left out, and with it all four if nothing is left to compare.

Owns: which message fits an outcome, and the line that is made of it.
Must not know: entities, fields, how a number or a day is written.
Invariant: every policy's outcome and every reason has a sentence in every language, and no sentence says more than the
outcome that it was handed (tests/unit/test_explain.py).
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from conflict.merge import Outcome
from conflict.policies import UNKNOWN
from conflict.words import CATALOGUES, known

LONGEST: Final = 60
"""Characters of a value in a sentence; the whole of it is in the issue."""


class Titles(Protocol):
    """How fields and values are called in one language."""

    def title(self, column: str) -> str:
        """Name a column."""

    def shown(self, column: str, value: Any) -> str | None:
        """Write a value other than None; None: there is nothing that a person could read."""


def explain(outcome: Outcome, titles: Titles, language: str | None = None) -> str:
    """Say what became of one column; a language without a catalogue gets English.

    >>> class Plain:
    ...     def title(self, column): return column.capitalize()
    ...     def shown(self, column, value): return str(value)
    >>> explain(Outcome("bales", "tally", 40, 70, 60, 90), Plain())
    'Bales: what you and others counted was added up. (before: 40; others: 70; you: 60; now: 90)'
    >>> explain(Outcome("number", "once", None, "T-17", "T-18", "T-17", "set_once"), Plain(), "hi")
    'Number: यह एक ही बार लिखा जाता है, और पहले से लिखा हुआ है। (अब: T-17; आपका: T-18)'
    """
    words = CATALOGUES[known(language)]
    sentence = words[_key(outcome)].format(field=titles.title(outcome.column))
    values = _values(outcome, titles, language)
    return f"{sentence} ({values})" if values else sentence


def explain_record(reason: str, title: str, language: str | None = None) -> str:
    """Say why a whole record waits; `title` is that of the record.

    >>> explain_record("deleted_meanwhile", "Trade")
    'Trade: others deleted it while you were changing it.'
    """
    words = CATALOGUES[known(language)]
    return words.get(f"why.{reason}", words["why.other"]).format(field=title)


def suggest(reason: str, language: str | None = None, *, refused: bool = False) -> str:
    """Say what to do about a change that waits, or that was refused.

    >>> suggest("set_once")
    'Keep the value that is there; if it is wrong, ask the office to correct it.'
    >>> suggest("overbooked", refused=True)
    'Correct the fields that are named, and send it again.'
    """
    words = CATALOGUES[known(language)]
    return words.get(f"do.{reason}", words["do.refused" if refused else "do.other"])


def hidden(language: str | None = None) -> str:
    """Say that a field had a part in it of which the reader may not know."""
    return CATALOGUES[known(language)]["value.hidden"]


def yes_or_no(value: bool, language: str | None = None) -> str:
    """Write a flag.

    >>> yes_or_no(True), yes_or_no(False, "gu")
    ('yes', 'ના')
    """
    return CATALOGUES[known(language)]["value.yes" if value else "value.no"]


def shortened(text: str, longest: int = LONGEST) -> str:
    """Write a text on one line, cut at a blank if it is too long.

    >>> shortened("20 bales of Shankar, dry and clean", 20)
    '20 bales of Shankar,…'
    """
    line = " ".join(text.split())
    if len(line) <= longest:
        return line
    start, _, _ = line[: longest + 1].rpartition(" ")
    return f"{start or line[:longest]}…"


def _key(outcome: Outcome) -> str:
    """Choose the message."""
    words = CATALOGUES["en"]
    if outcome.parked is not None:
        key = f"why.{outcome.parked}"
        return key if key in words else "why.other"
    what = "theirs" if outcome.kept == outcome.theirs else "ours" if outcome.kept == outcome.ours else "combined"
    key = f"{outcome.policy}.{what}"
    return key if key in words else f"kept.{what}"


def _values(outcome: Outcome, titles: Titles, language: str | None) -> str:
    """Write the values that tell something. What is there now is only called others' if others wrote it and it was decided."""
    words = CATALOGUES[known(language)]
    unmoved = outcome.parked is not None or outcome.ours == outcome.base
    parts = [("kept" if unmoved else "ours", outcome.ours), ("theirs", outcome.theirs)]
    if outcome.base is not UNKNOWN and outcome.base is not None and outcome.base != outcome.ours:
        parts.insert(0, ("base", outcome.base))
    if outcome.kept not in (outcome.ours, outcome.theirs):
        parts.append(("kept", outcome.kept))
    written = []
    for part, value in parts:
        text = words["value.empty"] if _is_empty(value) else titles.shown(outcome.column, value)
        if text is None:
            return ""
        written.append(words[f"part.{part}"].format(value=shortened(text)))
    return "; ".join(written)


def _is_empty(value: Any) -> bool:
    return value is None or value == "" or value == ()
