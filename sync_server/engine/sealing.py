"""Sealing: each event of the log gets a digest that holds the one before it, so that none can be changed unnoticed.

Owns: what a digest is made of, and following the log for it, after the commits and in their order.
Must not know: SQL; what becomes of a chain that does not hold (auditing.py).
Invariant: every event gets one seal, in the order of positions, however many seal at once and whoever writes meanwhile
(tests/integration/test_sealing.py).

Of a random salt and an event a digest is made (its *leaf*), and of the digest before it, the position and the leaf the next
digest. So content and salt of an event can be destroyed one day, and the chain still holds. No push waits for its seal:
docs/decisions/0022-seals.md.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from sync_server.store import seals
from sync_server.store.database import Connection, Database
from sync_server.store.seals import FOLLOWER, Content, Seal

TURN_MAX: Final = 500
"""Events that are sealed in one transaction, and are in memory."""

SALT_BYTES: Final = 16

_LEAF: Final = b"cotton-sync event 1"
_SEAL: Final = b"cotton-sync seal 1"
_CHAIN: Final = b"cotton-sync chain 1"
"""What a digest is of comes first, so that none can pass for another; the number changes if what is in it does."""


def first_digest(org_id: str) -> bytes:
    """Give the digest that a chain begins with."""
    return hashlib.sha256(_CHAIN + _framed([org_id])).digest()


def leaf_of(org_id: str, salt: bytes, event: Content) -> bytes:
    """Give the digest of an event's content: all but its position, which is the chain's. Cost: 5 µs, and 1 µs per kB."""
    return hashlib.sha256(_LEAF + salt + _framed([org_id, *event])).digest()


def digest_of(before: bytes, position: int, leaf: bytes) -> bytes:
    """Give the digest that follows `before`."""
    return hashlib.sha256(_SEAL + before + position.to_bytes(8, "big", signed=True) + leaf).digest()


def _framed(texts: list[str | None]) -> bytes:
    """Put texts together, each with its length before it, so that no character can move from one to the next.

    >>> _framed(["a", None, "", "né"])
    b'1:a-0:3:n\\xc3\\xa9'
    """
    encoded = [None if text is None else text.encode() for text in texts]
    return b"".join(b"-" if one is None else b"%d:%b" % (len(one), one) for one in encoded)


async def seal(database: Database, org_id: str, most: int | None = None) -> int:
    """Seal what is new in an organisation's log, with `most` about so many events; give how many.

    Whoever comes while another seals waits for each turn of the other. Cost: seven statements for each `TURN_MAX` events.
    """
    sealed, more = 0, True
    while more and (most is None or sealed < most):
        async with database.acquire_everywhere() as connection, connection.transaction():
            turn = await _turn(connection, org_id)
        sealed, more = sealed + turn, turn == TURN_MAX
    return sealed


async def _turn(connection: Connection, org_id: str) -> int:
    after = await FOLLOWER.hold(connection, org_id)
    events, upto = await seals.read_on(connection, org_id, after, TURN_MAX)
    if events:
        head = await seals.read_head(connection, org_id)
        digest, made = head.digest or first_digest(org_id), []
        for position, event in events:
            salt = secrets.token_bytes(SALT_BYTES)
            leaf = leaf_of(org_id, salt, event)
            digest = digest_of(digest, position, leaf)
            made.append(Seal(position, salt, leaf, digest))
        await seals.append(connection, org_id, made)
    if upto > after:
        await FOLLOWER.move(connection, org_id, upto)
    return len(events)


async def seal_everywhere(database: Database) -> int:
    """Seal what is new in every organisation's log; give how many events were. Raises what the database raises."""
    async with database.acquire_everywhere() as connection:
        organisations = await FOLLOWER.behind(connection)
    return sum([await seal(database, org_id) for org_id in organisations])
