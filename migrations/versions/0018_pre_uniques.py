"""Look for doubles after a statement instead of within it, so that one record can take what another gives up beside it.

A program from before goes on working: to it the keys are what they were. Each is built anew while its table stands still;
a table has some hundred thousand rows at most, which takes a second, and only so can it be taken back with the rest.
SQL of one's own names the key that its ON CONFLICT means, `(org_id, id)`: PostgreSQL takes no bare one on such a table.

Revision ID: 0018
Revises: 0017
Create Date: 2026-11-24
"""

from __future__ import annotations

from migrations.script import run_script

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

KEYS = (
    "branches_code_key",
    "users_username_key",
    "users_phone_key",
    "roles_title_key",
    "financial_years_name_key",
    "document_series_branch_id_kind_financial_year_id_key",
    "organisation_bank_accounts_ifsc_account_number_key",
    "units_code_key",
    "locations_place_id_key",
    "locations_name_pincode_key",
    "commodities_name_key",
    "varieties_commodity_id_name_key",
    "unit_conversions_from_unit_id_to_unit_id_commodity_id_key",
    "quality_parameters_commodity_id_variety_id_parameter_key",
    "payment_terms_code_key",
    "delivery_terms_code_key",
    "weighment_terms_code_key",
    "passing_terms_code_key",
    "trade_types_code_key",
    "bargain_types_code_key",
    "commission_structures_code_key",
    "business_partners_pan_key",
    "business_partners_gstin_key",
    "business_partners_phone_key",
    "partner_vehicles_partner_id_vehicle_number_key",
    "partner_bank_accounts_partner_id_ifsc_account_number_key",
    "matches_availability_id_requirement_id_key",
    "invoices_number_key",
    "settings_scope_scope_id_key_key",
)

MAKE_ANEW = """
DO $$
DECLARE
  key record;
BEGIN
  FOR key IN SELECT conrelid::regclass AS of_table, conname AS name, pg_get_constraintdef(oid) AS definition
             FROM pg_constraint WHERE contype = 'u' AND conname = ANY(ARRAY[{keys}])
             ORDER BY conrelid::regclass::text, conname LOOP
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I %s',
      key.of_table, key.name, key.name, {definition});
  END LOOP;
END
$$;
"""


NAME_THE_KEY = """
DO $$
BEGIN
  EXECUTE replace(pg_get_functiondef('found_roles(text)'::regprocedure), '{old}', '{new}');
END
$$;
"""

BARE, NAMED = "ON CONFLICT DO NOTHING", "ON CONFLICT (org_id, id) DO NOTHING"


def upgrade() -> None:
    run_script(NAME_THE_KEY.format(old=BARE, new=NAMED))
    _make_anew("key.definition || ' DEFERRABLE'")


def downgrade() -> None:
    _make_anew("replace(key.definition, ' DEFERRABLE', '')")
    run_script(NAME_THE_KEY.format(old=NAMED, new=BARE))


def _make_anew(definition: str) -> None:
    keys = ", ".join(f"'{key}'" for key in KEYS)
    run_script(MAKE_ANEW.format(keys=keys, definition=definition))
