"""The commands of audits: `cotton-sync audit verify`, `publish` and `key`.

Owns: their words and options.
Must not know: how the log is sealed or walked.
Invariant: `verify` ends with 0 only if nothing is wrong, and else names the rows (tests/integration/test_audit_command.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sync_server.engine.sealing import seal_everywhere
from sync_server.identity.audit_key import AuditKey, PublicKey
from sync_server.operate import heads, setup
from sync_server.operate.audits import Audit, Verdict
from sync_server.operate.console import Data, settings_of
from sync_server.operate.named import NotDone
from sync_server.operate.publishing import Publisher
from sync_server.store.database import Database

audit = typer.Typer(help="The log: whether it is as it was, and publishing its heads.", no_args_is_help=True)


@audit.command()
def verify(
    org: Annotated[str | None, typer.Option("--org", help="Of this organisation only")] = None,
    heads_file: Annotated[
        Path | None, typer.Option("--heads", help="Published heads [COTTON_AUDIT_HEADS, <data>/audit/heads.jsonl]")
    ] = None,
    public_key: Annotated[
        Path | None, typer.Option("--public-key", help="Public key of the heads in PEM; without it, this server's")
    ] = None,
    restored: Annotated[
        list[int] | None, typer.Option("--restored", help="Epoch of which you know that a restore began it")
    ] = None,
    data: Data = None,
) -> None:
    """Walk every log along its seals and the heads that were published; say which row is not as it was, and exit with 1."""
    settings = settings_of(data=data)
    path = heads_file or heads.file_of(settings)
    if heads_file is not None and not path.exists():
        raise NotDone(f"There is no file {path}.")
    key = PublicKey.read(public_key) if public_key else AuditKey.open(heads.key_file_of(settings)).public

    async def work(database: Database) -> bool:
        found = Audit(database, org)
        if path.exists():
            await found.compare(heads.read(path, key))
        if org is not None and not await found.organisations():
            raise NotDone(f"There is no organisation {org}.")
        for number in found.unsigned:
            typer.echo(f"{path}, line {number}: not signed with the key. Somebody else wrote it, or altered it.")
        wrong = bool(found.unsigned)
        async for verdict in found.verdicts():
            wrong = _told(verdict, set(restored or ())) or wrong
        if not path.exists():
            typer.echo(f"No heads were published in {path}: a log that was cut off at its end would not be noticed.")
        return wrong

    if setup.run_over(settings, work):
        raise NotDone("The log is not as it was. docs/RUNBOOK.md, CottonLogTampered, says what to do.")


def _told(verdict: Verdict, restored: set[int]) -> bool:
    """Say what the audit of an organisation came to; give whether anything is wrong."""
    audited = verdict.audited
    for fault in verdict.faults:
        typer.echo(f"{audited.org_id}: {fault.sentence}")
    for epoch, lost in sorted(verdict.lost.items()):
        known = "" if epoch in restored else f" If it was, say so with --restored {epoch}; if not, history was cut off."
        typer.echo(
            f"{audited.org_id}: Epoch {epoch} began where history was moved back, as after a restore. {lost.heads} published"
            f" heads up to position {lost.newest} are of what is gone.{known}"
        )
    unknown = verdict.lost.keys() - restored
    if not verdict.faults and not unknown:
        typer.echo(
            f"{audited.org_id}: {audited.sealed} events up to position {audited.position} are as they were sealed,"
            f" {verdict.agreeing} published heads agree, {audited.waiting} newer events wait for their seal."
        )
    return bool(verdict.faults or unknown)


@audit.command()
def publish(data: Data = None) -> None:
    """Seal what is new, and append the heads of all chains to the file outside of the database."""
    settings = settings_of(data=data)
    path, key = heads.file_of(settings), AuditKey.open(heads.key_file_of(settings))

    async def work(database: Database) -> int:
        await seal_everywhere(database)
        return await Publisher(database, path, key).publish()

    typer.echo(f"Published {setup.run_over(settings, work)} heads in {path}.")


@audit.command()
def key(data: Data = None) -> None:
    """Print the public key of published heads, in PEM. Keep it where the server's machine cannot reach."""
    typer.echo(AuditKey.open(heads.key_file_of(settings_of(data=data))).public.pem, nl=False)
