"""Resubmitting: a phone settles an issue and changes its record, in one push.

A person decides offline about what the issue said then. Meanwhile somebody else may have settled it, or its author's next
refused edit may have been filed in it; and the change may be refused again. So the two belong together:

- an issue that is not as its phone saw it stays as it is, and the change that came with it waits;
- an issue stays open if the change that came with it waits.

Owns: these two, around the judgement of the drafts.
Must not know: SQL, why a change waits.
Invariant: no issue is closed by a push whose change of the record is not applied, and what an issue asks for is done once,
whoever else settles it (tests/integration/test_resubmitting.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from conflict.mutation import Key, Operation
from conflict.records import DELETED_MEANWHILE
from erp_core.catalogue import BY_NAME
from erp_core.language import Violation
from sync_server.engine.draft import Draft, Verdict

ISSUES: Final = BY_NAME["sync_issue"].table

CLOSED: Final = Violation("issue_closed", "Somebody settled this before you did. Look at the record as it is now.")
CHANGED: Final = Violation(
    "issue_changed", "Another change of yours was filed here since. Look at both, and decide anew."
)
GONE: Final = Violation(
    DELETED_MEANWHILE, "This record was deleted meanwhile; it does not come back under its id. Make a new one."
)


def hold_back(drafts: Sequence[Draft]) -> None:
    """Leave issues as they are that are not as their phones saw them, with the changes that came with them; after the merge."""
    by_key = {draft.mutation.key: draft for draft in drafts}
    for draft in _closing(drafts):
        reason = _out_of_step(draft)
        companion = _companion(draft, by_key)
        if companion is not None and companion.verdict is Verdict.DUPLICATE and _is_lost(companion):
            companion.refuse(GONE)
        if reason is None:
            continue
        _leave(draft)
        if companion is not None and not companion.waits and companion.verdict is not Verdict.DUPLICATE:
            companion.refuse(reason)


def keep_open(drafts: Sequence[Draft]) -> None:
    """Leave issues open whose records' changes wait; after the judgement."""
    by_key = {draft.mutation.key: draft for draft in drafts}
    for draft in _closing(drafts):
        companion = _companion(draft, by_key)
        if draft.writes and companion is not None and companion.waits:
            _leave(draft)


def _closing(drafts: Sequence[Draft]) -> Iterator[Draft]:
    for draft in drafts:
        state = draft.sent.get("state", "open")
        edits = draft.mutation.table == ISSUES and draft.mutation.operation is Operation.UPDATED
        if edits and draft.before is not None and state != "open":
            yield draft


def _companion(draft: Draft, by_key: Mapping[Key, Draft]) -> Draft | None:
    """Give the change of the record that the issue is about, if it came with the state."""
    assert draft.before is not None
    about = by_key.get((draft.before["table_name"], draft.before["record_id"]))
    resubmits = draft.sent["state"] == "resubmitted" and about is not None and about.origin is draft.origin
    return about if resubmits else None


def _out_of_step(draft: Draft) -> Violation | None:
    """Say why the phone decided about something else; its own decision, sent again, is none."""
    assert draft.before is not None
    seen, now = draft.base, draft.before
    if now["state"] != "open":
        return CLOSED if seen is None or seen["state"] == "open" or now["state"] != draft.sent["state"] else None
    return CHANGED if seen is None or seen["payload"] != now["payload"] else None


def _is_lost(companion: Draft) -> bool:
    """Say whether it makes a record anew that its author made before and somebody deleted: taken for a repetition."""
    return not companion.deletes and companion.before is None and companion.after is None


def _leave(draft: Draft) -> None:
    draft.after, draft.verdict, draft.outcomes = draft.before, Verdict.DUPLICATE, ()
    draft.faults.clear()
