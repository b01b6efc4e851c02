"""Explanations in English.

Owns: the English messages; the other catalogues say the same.
Must not know: which policy decides what.
Invariant: {field} is the title of a field or a record, and every other placeholder is a value
(tests/unit/test_explain.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MESSAGES: Final[Mapping[str, str]] = {
    # What became of a field that both sides changed: by policy and by what was kept; `kept.*` if the policy has none.
    "kept.ours": "{field}: what others entered was kept, not your value.",
    "kept.theirs": "{field}: your value was kept, not what others entered.",
    "kept.combined": "{field}: your change and that of others were brought together.",
    "theirs.theirs": "{field}: others changed it, too; your value was kept.",
    "ours.ours": "{field}: the server works this out itself; its value was kept.",
    "newest.ours": "{field}: others entered theirs later than you, so theirs was kept.",
    "newest.theirs": "{field}: you entered yours later than others, so yours was kept.",
    "tally.combined": "{field}: what you and others counted was added up.",
    "bag.combined": "{field}: what you and others added or took out was brought together.",
    "highest.ours": "{field}: the larger value counts; that is the one others entered.",
    "highest.theirs": "{field}: the larger value counts; that is yours.",
    "lowest.ours": "{field}: the smaller value counts; that is the one others entered.",
    "lowest.theirs": "{field}: the smaller value counts; that is yours.",
    "prose.combined": "{field}: you and others wrote in different places of the text; both are in it now.",
    "guarded.ours": "{field}: others had already taken it further, so their step counts.",
    "guarded.theirs": "{field}: you had taken it further than others, so your step counts.",
    "once.theirs": "{field}: it was empty, so your value was entered.",
    "locked.theirs": "{field}: it was still open to change, so your value was kept.",
    # Why a field, or a record, waits for a decision.
    "why.base_unknown": "{field}: your change is so old that it cannot be compared with what others did since.",
    "why.out_of_bounds": "{field}: together with what others counted it is more, or less, than there can be.",
    "why.overlapping_edits": "{field}: you and others changed the same place of the text.",
    "why.no_common_state": "{field}: you and others took two steps that do not go together.",
    "why.set_once": "{field}: this is entered only once, and there is a value already.",
    "why.locked": "{field}: this is settled and can no longer be changed just like that.",
    "why.needs_review": "{field}: every change of this is looked at before it counts.",
    "why.stale": "{field}: your change waited too long while others went on working on it.",
    "why.deleted_meanwhile": "{field}: others deleted it while you were changing it.",
    "why.changed_meanwhile": "{field}: others changed it while you were deleting it.",
    "why.foreign_author": "{field}: this was changed on this phone by another user than the one who is logged in.",
    "why.waits_with": "{field}: this belongs together with another change that is still waiting.",
    "why.issue_closed": "{field}: somebody settled this before you did.",
    "why.issue_changed": "{field}: more of what you wanted was filed here since you decided.",
    "why.other": "{field}: this cannot be decided without a person.",
    # What to do about it.
    "do.base_unknown": "Look at the value as it is now, and enter yours again if it still holds.",
    "do.out_of_bounds": "Check how many there really are, and enter the number that is right now.",
    "do.overlapping_edits": "Read both texts, write the one that should stand, and send it again.",
    "do.no_common_state": "Speak to those who took the other step, and choose the one that holds.",
    "do.set_once": "Keep the value that is there; if it is wrong, ask the office to correct it.",
    "do.locked": "Ask the office to change it; if it is in a contract, agree it with the other side first.",
    "do.needs_review": "Nothing for you to do: the office will accept your change or reject it.",
    "do.stale": "Look at the record as it is now, and enter again what still holds.",
    "do.deleted_meanwhile": "If the record is still needed, enter it again; otherwise discard your change.",
    "do.changed_meanwhile": "Look at what changed, and delete the record again if it should still go.",
    "do.foreign_author": "Log in as the user who made the change, and send it again or discard it.",
    "do.waits_with": "Decide the other change first; this one can be sent again with it.",
    "do.issue_closed": "Look at the record as it is now; send your change again if it still holds.",
    "do.issue_changed": "Look at all that waits here, and decide again.",
    "do.other": "Look at the record as it is now, and choose: your change, or what is there.",
    # What to do about a change that was refused; `do.refused` if its reason has none of its own.
    "do.unknown_reference": "Choose another record in its place.",
    "do.refused_together": "Correct the record it belongs to, and send both again.",
    "do.read_only": "This is kept by the office: ask there to have it changed.",
    "do.not_allowed": "Your role does not admit this: ask your manager, or discard your change.",
    "do.out_of_scope": "This record is not in your hands: ask your manager, or discard your change.",
    "do.refused": "Correct the fields that are named, and send it again.",
    # The values beside a sentence, and how they are written.
    "part.base": "before: {value}",
    "part.ours": "others: {value}",
    "part.theirs": "you: {value}",
    "part.kept": "now: {value}",
    "value.empty": "nothing",
    "value.yes": "yes",
    "value.no": "no",
    "value.hidden": "A field that you do not see had a part in this.",
}
