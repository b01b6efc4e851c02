"""Receipts: which pushes were applied, and what they were answered, so that a repetition has no second effect.

Owns: `push_receipt`.
Must not know: what a push or an answer means.
Invariant: a claim commits with what its push did, or vanishes with it; a second attempt waits for the first
(tests/integration/test_push.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from sync_server.store.clock import POSITION, UNTURNED, Rights
from sync_server.store.database import Connection

Receipt: TypeAlias = tuple[str, bytes]
"""(user_id, digest) of a push."""


@dataclass(frozen=True, slots=True)
class Claims:
    """`earlier`: the answers that repeated pushes got the first time; `position`: the clock, None before any change;
    `rights`: when somebody's rights may have changed last."""

    earlier: Mapping[Receipt, Mapping[str, Any]]
    position: int | None
    rights: Rights = UNTURNED


async def claim_receipts(connection: Connection, org_id: str, receipts: Sequence[Receipt]) -> Claims:
    """Claim pushes, waiting for first attempts that are still under way; give the answers of those that were first.

    What is not in `earlier` is a first attempt: its claim, with an empty answer, commits or vanishes with the unit of
    work. Cost: one statement, a second one if there are repetitions.
    """
    users, digests = [user for user, _ in receipts], [digest for _, digest in receipts]
    claimed = await connection.fetch(
        "INSERT INTO push_receipt (org_id, user_id, digest, answer)"
        " SELECT $1, t.user_id, t.digest, '{}' FROM unnest($2::text[], $3::bytea[]) AS t(user_id, digest)"
        " ORDER BY t.digest ON CONFLICT DO NOTHING RETURNING user_id, digest,"
        f" (SELECT {POSITION} FROM org_clock k WHERE k.org_id = $1) AS position,"
        " (SELECT k.rights FROM org_clock k WHERE k.org_id = $1) AS rights,"
        " (SELECT k.assigned FROM org_clock k WHERE k.org_id = $1) AS assigned",
        org_id,
        users,
        digests,
    )
    repeated = set(receipts) - {(row["user_id"], row["digest"]) for row in claimed}
    position = claimed[0]["position"] if claimed else None
    rights = Rights(claimed[0]["rights"] or 0, claimed[0]["assigned"] or 0) if claimed else UNTURNED
    if not repeated:
        return Claims({}, position, rights)
    found = await connection.fetch(
        "SELECT user_id, digest, answer FROM push_receipt WHERE org_id = $1 AND digest = ANY($2)",
        org_id,
        [digest for _, digest in repeated],
    )
    answers = {(row["user_id"], row["digest"]): orjson.loads(row["answer"]) for row in found}
    return Claims({receipt: answers[receipt] for receipt in repeated}, position, rights)


async def keep_receipt(connection: Connection, org_id: str, receipt: Receipt, answer: Mapping[str, Any]) -> None:
    """Write down the answer that a repetition of this push will get, if it is not the empty one."""
    await connection.execute(
        "UPDATE push_receipt SET answer = $4::json WHERE org_id = $1 AND user_id = $2 AND digest = $3",
        org_id,
        *receipt,
        orjson.dumps(answer).decode(),
    )


async def drop_receipts(connection: Connection, org_id: str, receipts: Collection[Receipt]) -> None:
    """Give claims back: nothing of these pushes was applied, and their repetition is to be tried anew."""
    if receipts:
        await connection.execute(
            "DELETE FROM push_receipt p USING unnest($2::text[], $3::bytea[]) AS t(user_id, digest)"
            " WHERE p.org_id = $1 AND p.user_id = t.user_id AND p.digest = t.digest",
            org_id,
            [user for user, _ in receipts],
            [digest for _, digest in receipts],
        )
