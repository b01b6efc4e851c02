"""Wording: why a change waits and what to do about it, in the language of its author.

Owns: which sentence each reason of a draft gets, and reading in which language its author is told.
Must not know: SQL, what a sentence says (conflict/words), where it goes.
Invariant: an issue and the verdict about the same change say the same, and no more than its author may see
(tests/integration/test_wording.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from conflict.explain import shortened
from conflict.merge import Outcome
from conflict.policies import BASE_UNKNOWN
from conflict.records import CHANGED_MEANWHILE, DELETED_MEANWHILE, STALE
from sync_server.engine.draft import UNREADABLE, Draft, Verdict
from sync_server.engine.entitlements import hidden_fields
from sync_server.engine.explaining import SENTENCES_MAX, sentence_of_record, sentence_of_rule, sentences, suggestion
from sync_server.store.database import Connection
from sync_server.store.languages import read_languages

FOREIGN_AUTHOR: Final = "foreign_author"
"""The reason code of a change that was handed in by somebody else than its author."""

OF_RECORDS: Final = frozenset(
    {STALE, BASE_UNKNOWN, DELETED_MEANWHILE, CHANGED_MEANWHILE, FOREIGN_AUTHOR, "issue_closed", "issue_changed"}
)
"""Reasons that are about a whole record."""


async def languages_of(connection: Connection, org_id: str, waiting: Collection[Draft]) -> Mapping[str, str]:
    """Give the languages of the authors of drafts that wait: user -> language. Cost: one statement, none for none."""
    return await read_languages(connection, org_id, {draft.origin.actor.user_id for draft in waiting})


def why(draft: Draft, languages: Mapping[str, str]) -> str:
    """Say why a draft waits, each reason once; at most SENTENCES_MAX characters, cut at a blank.

    The rules of the trade speak English, with their figures; in another language the reason is said, and what was sent.
    """
    said = dict.fromkeys(_reasons(draft, languages.get(draft.origin.actor.user_id)))
    return shortened(" ".join(said), SENTENCES_MAX - 1)


def advice(draft: Draft, languages: Mapping[str, str]) -> str:
    """Say what to do about it."""
    language = languages.get(draft.origin.actor.user_id)
    return suggestion(draft.faults[0].code, language, refused=draft.verdict is Verdict.REFUSED)


def _reasons(draft: Draft, language: str | None) -> Iterator[str]:
    hidden = hidden_fields(draft.entity, draft.origin.entitled.mask(draft.entity, draft.labels))
    parked: dict[tuple[str, tuple[str, ...]], Outcome] = {
        (o.parked, (o.column,)): o for o in draft.outcomes if o.parked is not None
    }
    for fault in draft.faults:
        outcome = parked.get((fault.code, tuple(fault.fields)))
        if outcome is not None:
            yield sentences(draft.entity, [outcome], language, hidden)
        elif fault.code in OF_RECORDS:
            yield sentence_of_record(draft.entity, fault.code, language)
        else:
            readable = {name: value for name, value in draft.sent.items() if value is not UNREADABLE}
            yield sentence_of_rule(draft.entity, fault, readable, language, hidden)
