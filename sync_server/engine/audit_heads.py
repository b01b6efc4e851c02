"""Published heads compared with the chains: what was rewritten together with its seals, or cut off with them.

Owns: which heads agree, what the first that does not is told as, and which were lost because history was moved back.
Must not know: SQL, where heads were published, how they are signed.
Invariant: a chain that is another one at any published position is told, between which heads; what an epoch cut off is
told as that (tests/integration/test_published_heads.py).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sync_server.engine.audit_faults import Fault, Harm
from sync_server.store import auditing as store
from sync_server.store.auditing import Answer, Claim
from sync_server.store.database import Connection


@dataclass(slots=True)
class Lost:
    """Heads whose part of history was cut off when an epoch began; `newest`: the position of the last."""

    heads: int = 0
    newest: int = 0


@dataclass(slots=True)
class Compared:
    """What the heads of one organisation came to. `lost`: epoch -> the heads that it cut off."""

    agreeing: int = 0
    agreed: int = 0
    wrong: Answer | None = None
    lost: dict[int, Lost] = field(default_factory=dict)


class Heads:
    """All heads that were published, as far as they were compared; in memory is a line for each organisation."""

    def __init__(self) -> None:
        self._of: dict[str, Compared] = {}

    def organisations(self) -> Collection[str]:
        return self._of.keys()

    def of(self, org_id: str) -> Compared:
        return self._of.get(org_id) or Compared()

    async def compare(self, connection: Connection, claims: Sequence[Claim]) -> None:
        """Compare some heads, oldest first. Cost: one statement."""
        for answer in await store.answer(connection, claims):
            _count(self._of.setdefault(answer.claim.org_id, Compared()), answer)

    async def fault(self, connection: Connection, org_id: str) -> Fault | None:
        """Tell the first head that does not agree. Cost: a statement, if there is one."""
        compared = self.of(org_id)
        if compared.wrong is None:
            return None
        position = compared.wrong.claim.position
        if compared.wrong.digest is not None:
            detail = f"the head published at position {position} is another"
            return Fault(Harm.MADE_ANEW, compared.agreed, position, detail)
        last = await store.last_seal(connection, org_id, position)
        return Fault(Harm.CUT_OFF, last, last, f"a head was published at position {position}")


def _count(compared: Compared, answer: Answer) -> None:
    position = answer.claim.position
    first = compared.wrong.claim.position if compared.wrong else None
    if answer.digest == answer.claim.digest:
        compared.agreeing += 1
        if first is None or position < first:
            compared.agreed = max(compared.agreed, position)
    elif answer.epoch is not None:
        lost = compared.lost.setdefault(answer.epoch, Lost())
        lost.heads, lost.newest = lost.heads + 1, max(lost.newest, position)
    elif first is None or position < first:
        compared.wrong = answer
        compared.agreed = compared.agreed if compared.agreed < position else 0
