"""Papers of a block's partners, and what its people have to do: documents, accounts, lorries, visits, tasks, news.

Owns: a few rows of each for every block, so that every list of the demo has something in it.
Must not know: trades.
Invariant: it is made after everything else of a block, so what a seed made before stays what it was (tests/unit/test_demo.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from erp_core.demo.deliveries import moment
from erp_core.demo.numbers import vehicle
from erp_core.demo.partners import Partner
from erp_core.demo.places import Region
from erp_core.demo.reference import TODAY
from erp_core.demo.rows import Pile
from erp_core.entities.notification import NOTIFICATION
from erp_core.entities.partner_bank_account import PARTNER_BANK_ACCOUNT
from erp_core.entities.partner_document import PARTNER_DOCUMENT
from erp_core.entities.partner_vehicle import PARTNER_VEHICLE
from erp_core.entities.task import TASK
from erp_core.entities.visit import VISIT

VISITS: Final = ("planned", "done", "done", "cancelled")
TASKS: Final = ("open", "open", "in_progress", "done", "cancelled")
PURPOSES: Final = ("Look at the lot", "Collect papers", "Settle the weight", "First call")
NOTES: Final = ("Lot is dry and well pressed.", "Owner away; come again after the market.", "Papers are complete.")
TITLES: Final = ("Ask for the GST certificate", "Send the contract", "Call about the lorry", "Draw samples")


def add_papers(pile: Pile, region: Region, partners: Sequence[Partner]) -> None:
    """Add a certificate of two partners, an account of each that sells, and a lorry of the transporters."""
    for n, partner in enumerate(partners):
        row = pile.rows["business_partner"][partner.id]
        if n % 4 == 0:
            _document(pile, partner, row)
        if partner.trades and partner.role == "ginner":
            pile.add(
                PARTNER_BANK_ACCOUNT,
                partner_id=partner.id,
                is_primary=True,
                account_name=row["legal_name"],
                account_number=f"0000{pile.rng.randint(10**7, 10**8 - 1)}",
                ifsc="DEMO0000001",
                bank_name=f"Demo Bank, {partner.town.name}",
                is_verified=row["kyc_state"] == "verified",
            )
        if partner.role == "transporter":
            pile.add(
                PARTNER_VEHICLE,
                partner_id=partner.id,
                is_primary=True,
                vehicle_number=vehicle(pile.rng, region.vehicle_prefixes),
                valid_from=date(2024, 4, 1),
                valid_until=TODAY + timedelta(days=pile.rng.randint(30, 900)),
                capacity_kg=17_000,
            )


def _document(pile: Pile, partner: Partner, row: dict[str, Any]) -> None:
    kind, number = ("gst_certificate", row["gstin"]) if row["gstin"] else ("pan_card", row["pan"])
    pile.add(
        PARTNER_DOCUMENT,
        partner_id=partner.id,
        kind=kind,
        is_primary=True,
        number=number,
        valid_from=date(2020, 4, 1) + timedelta(days=pile.rng.randint(0, 1_000)),
    )


def add_work(pile: Pile, region: Region, partners: Sequence[Partner]) -> None:
    """Add a visit and a task for one of the region's people, and a piece of news for who has agents' work to do."""
    rng, partner = pile.rng, pile.rng.choice(partners)
    agent, state = rng.choice(region.agents or ("manager",)), rng.choice(VISITS)
    latitude, longitude = (Decimal(text) for text in (partner.town.latitude, partner.town.longitude))
    planned = TODAY + timedelta(days=rng.randint(0, 5) if state == "planned" else -rng.randint(1, 30))
    at = moment(rng, planned)
    done = {"done_at": at + timedelta(minutes=40), "checked_in_at": at, "latitude": latitude, "longitude": longitude}
    pile.add(
        VISIT,
        branch_id=region.branch_id,
        agent_id=agent,
        partner_id=partner.id,
        purpose=rng.choice(PURPOSES),
        planned_at=at,
        state=state,
        **(done | {"notes": rng.choice(NOTES)} if state == "done" else {}),
    )
    state = rng.choice(TASKS)
    pile.add(
        TASK,
        branch_id=region.branch_id,
        title=rng.choice(TITLES),
        assignee_id=agent,
        partner_id=partner.id,
        table_name="business_partners",
        record_id=partner.id,
        due_on=TODAY + timedelta(days=rng.randint(-3, 10)),
        urgency=rng.choice(("low", "normal", "normal", "high")),
        done_at=moment(rng, TODAY - timedelta(days=1)) if state == "done" else None,
        state=state,
    )
    pile.add(
        NOTIFICATION,
        reader_id=agent,
        kind="task.assigned",
        title="You have a new task",
        table_name="business_partners",
        record_id=partner.id,
    )
