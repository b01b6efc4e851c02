"""The inbox: where refused mutations wait for a person, as rows of the synced table `sync_issues`.

Owns: making an issue out of a draft that waits, and filing it.
Must not know: the protocol, SQL.
Invariant: a refused mutation is never gone: its issue holds the payload as pushed, the reasons, and what the server has;
what an author wants of a record and has not got is one issue (tests/integration/test_inbox.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from conflict.merge import Outcome
from conflict.mutation import Mutation
from conflict.policies import UNKNOWN
from erp_core.catalogue import BY_NAME, BY_TABLE
from erp_core.values import Plain, Row
from sync_server.engine.draft import Draft, Verdict
from sync_server.engine.entitlements import hidden_fields
from sync_server.engine.wanting import NOTED, with_earlier
from sync_server.engine.wording import advice, languages_of, why
from sync_server.store import log, rows
from sync_server.store.database import Connection
from sync_server.store.unit_of_work import SERVER, act_as_server

ISSUE: Final = BY_NAME["sync_issue"]
IN_BRANCH: Final = "branch:"


async def file_issues(connection: Connection, org_id: str, now: datetime, refused: Iterable[Draft]) -> None:
    """File an issue for each refused draft, in the one that its author has about the record. Cost: at most six statements.

    The last thing a unit does: what follows in it counts as the server's own doing.
    """
    waiting = list(refused)
    if not waiting:
        return
    languages = await languages_of(connection, org_id, waiting)
    issues = {issue_id(draft): _issue(now, draft, languages) for draft in waiting}
    await rows.lock(connection, ISSUE, org_id, issues)
    states = await log.read_states(connection, org_id, [(ISSUE.table, id) for id in issues])
    earlier = {id: state.row for (_, id), state in states.items() if state.row is not None}
    fresh = {id: row for id, row in issues.items() if id not in earlier}
    again = {id: _with_earlier(earlier[id], row) for id, row in issues.items() if id in earlier}
    await act_as_server(connection)
    if fresh:
        await rows.insert(connection, ISSUE, org_id, fresh)
    if again:
        await rows.update(connection, ISSUE, org_id, again)


def _with_earlier(earlier: Row, issue: Row) -> Row:
    """Keep what its author wanted of the record before, as long as that is not settled."""
    return with_earlier(BY_TABLE[issue["table_name"]], earlier, issue) if earlier["state"] == "open" else issue


def issue_id(draft: Draft) -> str:
    """Name the issue that an author has about a record: a repetition, or the next refusal, is filed in the same one."""
    what = (draft.origin.actor.user_id, *draft.mutation.key)
    return hashlib.sha256(repr(what).encode()).hexdigest()[:24]


def _issue(now: datetime, draft: Draft, languages: Mapping[str, str]) -> Row:
    mutation, first, author = draft.mutation, draft.faults[0], draft.origin.actor.user_id
    fields = {field for fault in draft.faults for field in fault.fields}
    return {
        **ISSUE.empty(),
        "author_id": author,
        "table_name": mutation.table,
        "record_id": mutation.id,
        "kind": "parked" if draft.verdict is Verdict.PARKED else "refused",
        "operation": mutation.operation.value,
        "reason_code": first.code,
        "sentence": why(draft, languages),
        "fields": tuple(sorted(fields)),
        "payload": _payload(mutation),
        "ours": plain_row(draft, draft.before),
        "base": plain_row(draft, draft.base),
        "theirs": _wanted(draft),
        "outcomes": {outcome["column"]: outcome for outcome in outcomes_of(draft)} or None,
        "branch_id": _branch_of(draft),
        "device_id": draft.origin.actor.device_id or None,
        "suggestion": advice(draft, languages),
        "created_at": now,
        "updated_at": now,
        "created_by": SERVER,
        "updated_by": SERVER,
    }


def _payload(mutation: Mutation) -> Mapping[str, Plain]:
    """Give what was sent, with the columns that the phone noted as changed."""
    noted = {} if mutation.changed is None else {NOTED: ",".join(sorted(mutation.changed))}
    return {**mutation.values, **noted}


def _wanted(draft: Draft) -> Mapping[str, Plain] | None:
    """Give the record as its author wanted it: what is there, with what was sent."""
    if draft.deletes:
        return None
    if draft.wanted is not None:
        return plain_row(draft, draft.wanted)
    return {**(plain_row(draft, draft.before) or {}), **draft.mutation.values}


def _branch_of(draft: Draft) -> str | None:
    """Say whose branch the record is in: of its labels, or of what was sent if it is not there."""
    of_labels = sorted(label for label in draft.labels if label.startswith(IN_BRANCH))
    if of_labels:
        return of_labels[0].removeprefix(IN_BRANCH)
    sent = draft.sent.get("branch_id")
    return sent if isinstance(sent, str) and f"{IN_BRANCH}{sent}" in draft.origin.entitled.holds else None


def outcomes_of(draft: Draft) -> list[dict[str, Any]]:
    """Give what both sides changed, in plain form, as the author sees it; in column order."""
    hidden = hidden_fields(draft.entity, draft.origin.entitled.mask(draft.entity, draft.labels))
    return [plain_outcome(draft, outcome) for outcome in draft.outcomes if outcome.column not in hidden]


def plain_outcome(draft: Draft, outcome: Outcome) -> dict[str, Any]:
    """Give one of them, whoever sees it."""
    kind = draft.entity.by_name[outcome.column].type

    def plain(value: Any) -> Plain:
        return None if value is None or value is UNKNOWN else kind.plain(value)

    sides = {name: plain(getattr(outcome, name)) for name in ("base", "ours", "theirs", "kept")}
    return {"column": outcome.column, "policy": outcome.policy, **sides, "parked": outcome.parked}


def plain_row(draft: Draft, row: Row | None) -> Mapping[str, Plain] | None:
    """Give a row of the draft's entity in its plain form, as its author sees it."""
    if row is None:
        return None
    hidden = hidden_fields(draft.entity, draft.origin.entitled.mask(draft.entity, draft.labels))
    return {
        field.name: None if row[field.name] is None else field.type.plain(row[field.name])
        for field in draft.entity.all_fields
        if field.name not in hidden
    }
