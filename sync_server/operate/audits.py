"""An audit: published heads and chains looked at together, organisation by organisation.

Owns: the order, and what an organisation's audit came to.
Must not know: SQL, what a difference means (engine/auditing.py, engine/audit_heads.py).
Invariant: memory holds a piece of the log and a line for each organisation, however long log and file are
(tests/integration/test_audit_command.py).
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from sync_server.config import Settings
from sync_server.engine.audit_faults import Fault
from sync_server.engine.audit_heads import Heads, Lost
from sync_server.engine.auditing import Audited, audit
from sync_server.identity.audit_key import AuditKey
from sync_server.operate import heads
from sync_server.operate.heads import Line
from sync_server.operate.meters import LOG_FAULTS
from sync_server.store.auditing import list_organisations
from sync_server.store.database import Database

PIECE: Final = 500
"""Lines of published heads that are compared at once."""

UNSIGNED_MAX: Final = 10
"""Lines that nobody with the key wrote, of which each is told."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the audit of an organisation came to. `agreeing`: published heads; `lost`: epoch -> heads that it cut off."""

    audited: Audited
    faults: Sequence[Fault]
    agreeing: int
    lost: Mapping[int, Lost]


class Audit:
    """One audit of every organisation, or of one."""

    def __init__(self, database: Database, org: str | None = None) -> None:
        self._database = database
        self._org = org
        self._heads = Heads()
        self.unsigned: list[int] = []
        """Numbers of lines that nobody with the key wrote; the first few."""

    async def compare(self, lines: Iterable[Line]) -> None:
        """Compare published heads, oldest first; before the logs are walked."""
        claims = (line.claim for line in self._signed(lines))
        wanted = (claim for claim in claims if claim is not None and self._org in (None, claim.org_id))
        while piece := list(itertools.islice(wanted, PIECE)):
            async with self._database.acquire_everywhere() as connection:
                await self._heads.compare(connection, piece)

    def _signed(self, lines: Iterable[Line]) -> Iterator[Line]:
        for line in lines:
            if line.claim is not None:
                yield line
            elif len(self.unsigned) < UNSIGNED_MAX:
                self.unsigned.append(line.number)

    async def organisations(self) -> list[str]:
        """Name the organisations that are known to the database or to a published head."""
        async with self._database.acquire_everywhere() as connection:
            known = {*await list_organisations(connection), *self._heads.organisations()}
        return sorted(known if self._org is None else known & {self._org})

    async def verdicts(self) -> AsyncIterator[Verdict]:
        """Walk log after log."""
        for org_id in await self.organisations():
            async with self._database.acquire_everywhere() as connection:
                audited = await audit(connection, org_id)
                published = await self._heads.fault(connection, org_id)
            compared = self._heads.of(org_id)
            faults = audited.faults if published is None else (*audited.faults, published)
            yield Verdict(audited, faults, compared.agreeing, compared.lost)


async def audit_by_night(database: Database, settings: Settings) -> int:
    """Audit everything against the heads that this machine published; log and count what is wrong, and give how much.

    What an epoch cut off is no fault here: that history was moved back was told when the epoch began.
    """
    found = Audit(database)
    path = heads.file_of(settings)
    if path.exists():
        await found.compare(heads.read(path, AuditKey.open(heads.key_file_of(settings)).public))
    faults = len(found.unsigned)
    if found.unsigned:
        log.error("heads_not_signed", path=str(path), lines=found.unsigned)
    async for verdict in found.verdicts():
        for fault in verdict.faults:
            log.error("log_tampered", org=verdict.audited.org_id, position=fault.position, harm=fault.harm.value)
        faults += len(verdict.faults)
    LOG_FAULTS.add(n=faults)
    return faults
