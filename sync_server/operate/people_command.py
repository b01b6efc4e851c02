"""The commands of organisations and people: `cotton-sync org`, `user`, `role` and `grant`.

Owns: their words and options, and asking for a password where nobody else sees it.
Must not know: how anything is found or written (people.py).
Invariant: a password is never an option, and a generated one is shown once (tests/integration/test_people_command.py).
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer

from erp_core.india import IST
from sync_server.identity.passwords import fault_of
from sync_server.operate import people, setup
from sync_server.operate.console import Data, settings_of
from sync_server.operate.named import NotDone
from sync_server.operate.people import Asked, NewPerson
from sync_server.store.database import Database
from sync_server.store.roster import ListedGrant

_Result = TypeVar("_Result")

org = typer.Typer(help="Found an organisation.", no_args_is_help=True)
user = typer.Typer(help="Add people, lock them out, let them in again.", no_args_is_help=True)
sessions = typer.Typer(help="End what somebody has logged in to.", no_args_is_help=True)
role = typer.Typer(help="Show the roles of an organisation.", no_args_is_help=True)
grant = typer.Typer(help="Give and take what people may see and do.", no_args_is_help=True)
user.add_typer(sessions, name="sessions")


_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that are taken for each other when they are read out: i, l, o, 0, 1."""

Org = Annotated[str, typer.Option("--org", help="Id of the organisation")]
Username = Annotated[str, typer.Option("--username", help="Login name, unique over all organisations")]
RoleName = Annotated[str, typer.Option("--role", help="Role, as `cotton-sync role list` shows it")]
Branch = Annotated[str | None, typer.Option(help="For what belongs to this branch: its code")]
Partner = Annotated[str | None, typer.Option(help="For what this partner is a side of: its id, GSTIN or legal name")]
Agent = Annotated[str | None, typer.Option(help="For what is assigned to this agent: the agent's login name")]
From = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day; empty: at once")]
Until = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day; empty: until it is taken")]


def password_made() -> str:
    """Make a password that can be read out: 16 of 31 letters and digits, 79 bits.

    >>> len(password_made()), password_made() != password_made()
    (19, True)
    """
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


# --- Organisations and people -----------------------------------------------------------------------------------------


@org.command("add")
def add_organisation(
    id: Annotated[str, typer.Option("--id", help="Its id for ever: letters, digits, _ . and -")],
    name: Annotated[str, typer.Option(help="Legal name")],
    state: Annotated[str | None, typer.Option(help="State of the registered office")] = None,
    gstin: Annotated[str | None, typer.Option(help="GSTIN")] = None,
    data: Data = None,
) -> None:
    """Found an organisation, with the ten roles that ship."""
    fields = {"legal_name": name, "state": state, "gstin": gstin}
    _run(data, lambda database: people.add_organisation(database, id, fields))
    typer.echo(f"Founded {name}, id {id}.")


@user.command("add")
def add_user(
    org: Org,
    username: Username,
    name: Annotated[str, typer.Option(help="The person's name")],
    role: RoleName,
    branch: Branch = None,
    partner: Partner = None,
    agent: Agent = None,
    until: Until = None,
    phone: Annotated[str | None, typer.Option(help="Where codes are sent, such as +919825012345")] = None,
    id: Annotated[str | None, typer.Option("--id", help="The person's id for ever; empty: a random one")] = None,
    generate_password: Annotated[
        bool, typer.Option("--generate-password", help="Make a password and show it, once")
    ] = False,
    no_password: Annotated[bool, typer.Option("--no-password", help="Codes by telephone only")] = False,
    data: Data = None,
) -> None:
    """Add a person with a first grant; asks for the password, unless one is made or none is wanted."""
    if no_password and phone is None:
        raise NotDone("Without a password there has to be a telephone number to which codes are sent: --phone.")
    password = None if no_password else password_made() if generate_password else _ask_password(username)
    person = NewPerson(username, name, phone, password, id)
    asked = Asked(role, branch, partner, agent, None, _end_of(until))
    given = _run(data, lambda database: people.add_person(database, org, person, asked))
    typer.echo(f"Added {given.username}: {_in_words(given)}.")
    if generate_password:
        typer.echo(f"Password, shown this once: {password}")


@user.command()
def disable(org: Org, username: Username, data: Data = None) -> None:
    """Lock somebody out: no login, and every session ends."""
    ended = _run(data, lambda database: people.set_active(database, org, username, active=False))
    typer.echo(f"Disabled {username}; {ended} sessions ended.")


@user.command()
def enable(org: Org, username: Username, data: Data = None) -> None:
    """Let somebody in again who was locked out."""
    _run(data, lambda database: people.set_active(database, org, username, active=True))
    typer.echo(f"Enabled {username}.")


@sessions.command()
def end(org: Org, username: Username, data: Data = None) -> None:
    """End every session of somebody; logging in again is open."""
    ended = _run(data, lambda database: people.end_sessions(database, org, username))
    typer.echo(f"{ended} sessions of {username} ended.")


def _ask_password(username: str) -> str:
    typed: str = typer.prompt(f"Password of {username}", hide_input=True, confirmation_prompt=True)
    fault = fault_of(typed, username)
    if fault:
        raise NotDone(fault)
    return typed


# --- Roles and grants -------------------------------------------------------------------------------------------------


@role.command("list")
def list_roles(org: Org, data: Data = None) -> None:
    """List the roles and their codes; docs/ACCESS.md says what a code admits."""
    for found in _run(data, lambda database: people.list_roles(database, org)):
        side = "for people of partners" if found.external else "for people of the house"
        typer.echo(f"{found.id}: {found.title}, {side}{'' if found.ships else ', made here'}")
        typer.echo(f"    {' '.join(found.codes) or 'no codes'}")


@grant.command("give")
def give(
    org: Org,
    username: Username,
    role: RoleName,
    branch: Branch = None,
    partner: Partner = None,
    agent: Agent = None,
    begins: From = None,
    until: Until = None,
    data: Data = None,
) -> None:
    """Give somebody a role: in the whole organisation, or for one branch, partner or agent."""
    first = None if begins is None else _midnight(begins)
    asked = Asked(role, branch, partner, agent, first, _end_of(until))
    given = _run(data, lambda database: people.give(database, org, username, asked))
    typer.echo(f"{given.id}: {given.username} is {_in_words(given)}.")


@grant.command("take")
def take(org: Org, id: Annotated[str, typer.Argument(help="The grant's id, from the list")], data: Data = None) -> None:
    """Take a grant away; what it showed leaves the phones with their next pull."""
    taken = _run(data, lambda database: people.take(database, org, id))
    typer.echo(f"{taken.username} is no longer {_in_words(taken)}.")


@grant.command("list")
def list_grants(
    org: Org, username: Annotated[str | None, typer.Option(help="Of this person only")] = None, data: Data = None
) -> None:
    """List who has which role, where, and until when."""
    found: Sequence[ListedGrant] = _run(data, lambda database: people.list_grants(database, org, username))
    for each in found:
        typer.echo(f"{each.id}: {each.username} is {_in_words(each)}")


# --- Words and days ---------------------------------------------------------------------------------------------------


def _in_words(given: ListedGrant) -> str:
    places = {"branch": given.branch, "partner": given.partner, "agent": given.agent}
    place = next((f"{kind} {name}" for kind, name in places.items() if name is not None), "the whole organisation")
    days = "" if given.valid_from is None else f", from {given.valid_from.astimezone(IST):%Y-%m-%d %H:%M}"
    days += "" if given.valid_until is None else f", until {given.valid_until.astimezone(IST):%Y-%m-%d %H:%M}"
    return f"{given.role} for {place}{days}"


def _midnight(day: datetime) -> datetime:
    return datetime.combine(day.date(), time(), IST)


def _end_of(day: datetime | None) -> datetime | None:
    return None if day is None else _midnight(day + timedelta(days=1))


def _run(data: Path | None, work: Callable[[Database], Awaitable[_Result]]) -> _Result:
    return setup.run_over(settings_of(data=data), work)
