"""The catalogue: every entity of the house, parents before children.

Owns: the one list of entities and the look-ups over it.
Must not know: who reads it.
Invariant: an entity comes after every entity it refers to, names and tables are unique, and every declared reference,
gather and rollup exists (checked on import by `_checked`; tests/unit/test_catalogue.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from erp_core.entities.amendment import AMENDMENT
from erp_core.entities.attachment import ATTACHMENT
from erp_core.entities.availability import AVAILABILITY
from erp_core.entities.branch import BRANCH
from erp_core.entities.business_partner import BUSINESS_PARTNER
from erp_core.entities.commission_structure import COMMISSION_STRUCTURE
from erp_core.entities.commodity import COMMODITY
from erp_core.entities.dispatch import DISPATCH
from erp_core.entities.document_series import DOCUMENT_SERIES
from erp_core.entities.financial_year import FINANCIAL_YEAR
from erp_core.entities.grant import GRANT
from erp_core.entities.invoice import INVOICE
from erp_core.entities.invoice_line import INVOICE_LINE
from erp_core.entities.location import LOCATION
from erp_core.entities.match import MATCH
from erp_core.entities.negotiation import NEGOTIATION
from erp_core.entities.notification import NOTIFICATION
from erp_core.entities.offer import OFFER
from erp_core.entities.organisation import ORGANISATION
from erp_core.entities.organisation_bank_account import ORGANISATION_BANK_ACCOUNT
from erp_core.entities.partner_bank_account import PARTNER_BANK_ACCOUNT
from erp_core.entities.partner_contact import PARTNER_CONTACT
from erp_core.entities.partner_document import PARTNER_DOCUMENT
from erp_core.entities.partner_location import PARTNER_LOCATION
from erp_core.entities.partner_vehicle import PARTNER_VEHICLE
from erp_core.entities.payment import PAYMENT
from erp_core.entities.payment_allocation import PAYMENT_ALLOCATION
from erp_core.entities.quality_inspection import QUALITY_INSPECTION
from erp_core.entities.quality_parameter import QUALITY_PARAMETER
from erp_core.entities.requirement import REQUIREMENT
from erp_core.entities.role import ROLE
from erp_core.entities.sample import SAMPLE
from erp_core.entities.setting import SETTING
from erp_core.entities.sync_issue import SYNC_ISSUE
from erp_core.entities.task import TASK
from erp_core.entities.terms import (
    BARGAIN_TYPE,
    DELIVERY_TERM,
    PASSING_TERM,
    PAYMENT_TERM,
    TRADE_TYPE,
    WEIGHMENT_TERM,
)
from erp_core.entities.trade import TRADE
from erp_core.entities.unit import UNIT
from erp_core.entities.unit_conversion import UNIT_CONVERSION
from erp_core.entities.user import USER
from erp_core.entities.variety import VARIETY
from erp_core.entities.visit import VISIT
from erp_core.entities.weighment import WEIGHMENT
from erp_core.language import Entity, Phone
from erp_core.scopes import Follows

SCHEMA_VERSION: Final = 5
"""The newest schema of the phones; entities and fields say in `since` which version first had them."""


def _checked(*entities: Entity) -> tuple[Entity, ...]:
    seen: dict[str, Entity] = {}
    for entity in entities:
        for field, target in entity.references:
            if target != entity.name and target not in seen:
                raise ValueError(f"{entity.name}.{field.name} refers to {target!r}, which does not come before it")
        if entity.name in seen or entity.table in {e.table for e in seen.values()}:
            raise ValueError(f"{entity.name} is declared twice")
        seen[entity.name] = entity
    for entity in entities:
        for gather in entity.gathers:
            seen[gather.entity].by_name[gather.field]
        for label in entity.labels:
            if isinstance(label, Follows):
                seen[label.entity]
        for rollup in entity.rollups:
            seen[rollup.into], entity.by_name[rollup.via]
    return entities


ENTITIES: Final = _checked(
    ORGANISATION,
    BRANCH,
    USER,
    ROLE,
    FINANCIAL_YEAR,
    DOCUMENT_SERIES,
    ORGANISATION_BANK_ACCOUNT,
    UNIT,
    LOCATION,
    COMMODITY,
    VARIETY,
    UNIT_CONVERSION,
    QUALITY_PARAMETER,
    PAYMENT_TERM,
    DELIVERY_TERM,
    WEIGHMENT_TERM,
    PASSING_TERM,
    TRADE_TYPE,
    BARGAIN_TYPE,
    COMMISSION_STRUCTURE,
    BUSINESS_PARTNER,
    GRANT,
    PARTNER_LOCATION,
    PARTNER_CONTACT,
    PARTNER_DOCUMENT,
    PARTNER_VEHICLE,
    PARTNER_BANK_ACCOUNT,
    AVAILABILITY,
    REQUIREMENT,
    MATCH,
    NEGOTIATION,
    OFFER,
    TRADE,
    AMENDMENT,
    SAMPLE,
    QUALITY_INSPECTION,
    DISPATCH,
    WEIGHMENT,
    ATTACHMENT,
    INVOICE,
    INVOICE_LINE,
    PAYMENT,
    PAYMENT_ALLOCATION,
    VISIT,
    TASK,
    SETTING,
    NOTIFICATION,
    SYNC_ISSUE,
)
BY_NAME: Final[Mapping[str, Entity]] = {e.name: e for e in ENTITIES}
BY_TABLE: Final[Mapping[str, Entity]] = {e.table: e for e in ENTITIES}
ORDER: Final[Mapping[str, int]] = {e.table: n for n, e in enumerate(ENTITIES)}
"""Table -> its place, parents before children: the order in which rows are written (deletes go backwards)."""
SYNCED: Final = tuple(e for e in ENTITIES if e.phone is not Phone.NONE)
"""What phones hold, in catalogue order."""


def synced_at(schema_version: int | None) -> tuple[Entity, ...]:
    """Give the entities that an app at `schema_version` knows; None or a newer version than ours: all."""
    if schema_version is None:
        return SYNCED
    return tuple(e for e in SYNCED if e.since <= schema_version)
