"""The rest of the trade's tables, captured from their first row: books, terms, papers of partners, visits, tasks.

Written from the catalogue of its day (`sync_server/store/tables.py`, `sync_server/store/labels.py`), then frozen. A program from
before goes on working: it knows none of these tables.

Revision ID: 0010
Revises: 0009
Create Date: 2026-11-23
"""

from __future__ import annotations

from alembic import op

from migrations.capture import remove_capture
from migrations.scoped_capture import install_capture, install_follower, remove_follower
from migrations.script import run_script
from migrations.walls import close_functions, tear_down, wall

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

EVERYBODY = "array_remove(ARRAY['org'], NULL)"
OF_PARTNER = "coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_partner_id.branch_id, 'agent:' || n_partner_id.assigned_agent_id, 'partner:' || n_partner_id.id, 'side:' || n_partner_id.id], NULL) FROM business_partners n_partner_id WHERE n_partner_id.org_id = n.org_id AND n_partner_id.id = n.partner_id), '{}')"

CAPTURED = (
    # table, its labels, the columns whose records' labels it carries; parents first
    ("financial_years", EVERYBODY, ()),
    ("document_series", EVERYBODY, ()),
    ("organisation_bank_accounts", "array_remove(ARRAY['org', 'branch', 'branch:' || n.branch_id], NULL)", ()),
    ("unit_conversions", EVERYBODY, ()),
    ("quality_parameters", EVERYBODY, ()),
    ("payment_terms", EVERYBODY, ()),
    ("delivery_terms", EVERYBODY, ()),
    ("weighment_terms", EVERYBODY, ()),
    ("passing_terms", EVERYBODY, ()),
    ("trade_types", EVERYBODY, ()),
    ("bargain_types", EVERYBODY, ()),
    ("commission_structures", EVERYBODY, ()),
    ("partner_documents", OF_PARTNER, ("partner_id",)),
    ("partner_vehicles", OF_PARTNER, ("partner_id",)),
    ("partner_bank_accounts", OF_PARTNER, ("partner_id",)),
    (
        "visits",
        "array_remove(ARRAY['branch', 'branch:' || n.branch_id, 'agent:' || n.agent_id, 'user:' || n.agent_id], NULL)",
        (),
    ),
    (
        "tasks",
        "array_remove(ARRAY['branch', 'branch:' || n.branch_id, 'agent:' || n.assignee_id, 'user:' || n.assignee_id], NULL)",
        (),
    ),
    ("notifications", "array_remove(ARRAY['user:' || n.reader_id], NULL)", ()),
)

PARTNER = "array_remove(ARRAY['branch', 'branch:' || n.branch_id, 'agent:' || n.assigned_agent_id, 'partner:' || n.id, 'side:' || n.id], NULL)"
FOLLOWED_BEFORE = (("partner_locations", "partner_id"), ("partner_contacts", "partner_id"))
FOLLOWED = (*FOLLOWED_BEFORE, *((table, via) for table, _, follows in CAPTURED for via in follows))
"""What carries the labels of a partner."""

TABLES = """
CREATE TABLE financial_years (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  organisation_id TEXT NOT NULL,
  name TEXT NOT NULL,
  starts_on DATE NOT NULL,
  ends_on DATE NOT NULL,
  is_closed BOOLEAN DEFAULT false NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT financial_years_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT financial_years_organisation_id_fkey FOREIGN KEY(org_id, organisation_id) REFERENCES organisations (org_id, id),
  CONSTRAINT financial_years_name_key UNIQUE (org_id, name),
  CONSTRAINT financial_years_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$')
);
CREATE INDEX financial_years_organisation_id_idx ON financial_years (org_id, organisation_id);

CREATE TABLE document_series (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  branch_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  financial_year_id TEXT NOT NULL,
  prefix TEXT,
  width INTEGER DEFAULT 6 NOT NULL,
  next_number INTEGER DEFAULT 1 NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT document_series_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT document_series_branch_id_fkey FOREIGN KEY(org_id, branch_id) REFERENCES branches (org_id, id),
  CONSTRAINT document_series_financial_year_id_fkey FOREIGN KEY(org_id, financial_year_id) REFERENCES financial_years (org_id, id),
  CONSTRAINT document_series_branch_id_kind_financial_year_id_key UNIQUE (org_id, branch_id, kind, financial_year_id),
  CONSTRAINT document_series_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT document_series_kind_check CHECK (kind IN ('availability', 'requirement', 'negotiation', 'trade', 'dispatch', 'quality_inspection', 'weighment', 'invoice', 'payment')),
  CONSTRAINT document_series_width_check CHECK (width BETWEEN 1 AND 9),
  CONSTRAINT document_series_next_number_check CHECK (next_number BETWEEN 1 AND 1000000000)
);
CREATE INDEX document_series_financial_year_id_idx ON document_series (org_id, financial_year_id);

CREATE TABLE organisation_bank_accounts (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  branch_id TEXT,
  kind TEXT DEFAULT 'current' NOT NULL,
  account_name TEXT NOT NULL,
  account_number TEXT NOT NULL,
  ifsc TEXT NOT NULL,
  bank_name TEXT,
  is_active BOOLEAN DEFAULT true NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT organisation_bank_accounts_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT organisation_bank_accounts_branch_id_fkey FOREIGN KEY(org_id, branch_id) REFERENCES branches (org_id, id),
  CONSTRAINT organisation_bank_accounts_ifsc_account_number_key UNIQUE (org_id, ifsc, account_number),
  CONSTRAINT organisation_bank_accounts_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT organisation_bank_accounts_kind_check CHECK (kind IN ('current', 'savings', 'cash_credit', 'overdraft'))
);
CREATE INDEX organisation_bank_accounts_branch_id_idx ON organisation_bank_accounts (org_id, branch_id);

CREATE TABLE unit_conversions (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  from_unit_id TEXT NOT NULL,
  to_unit_id TEXT NOT NULL,
  commodity_id TEXT,
  factor NUMERIC(15, 8) NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT unit_conversions_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT unit_conversions_from_unit_id_fkey FOREIGN KEY(org_id, from_unit_id) REFERENCES units (org_id, id),
  CONSTRAINT unit_conversions_to_unit_id_fkey FOREIGN KEY(org_id, to_unit_id) REFERENCES units (org_id, id),
  CONSTRAINT unit_conversions_commodity_id_fkey FOREIGN KEY(org_id, commodity_id) REFERENCES commodities (org_id, id),
  CONSTRAINT unit_conversions_from_unit_id_to_unit_id_commodity_id_key UNIQUE (org_id, from_unit_id, to_unit_id, commodity_id),
  CONSTRAINT unit_conversions_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT unit_conversions_factor_check CHECK (factor BETWEEN 1E-8 AND 9999999.99999999)
);
CREATE INDEX unit_conversions_commodity_id_idx ON unit_conversions (org_id, commodity_id);
CREATE INDEX unit_conversions_to_unit_id_idx ON unit_conversions (org_id, to_unit_id);

CREATE TABLE quality_parameters (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  commodity_id TEXT NOT NULL,
  variety_id TEXT,
  parameter TEXT NOT NULL,
  unit TEXT,
  limit_min NUMERIC(6, 2),
  limit_max NUMERIC(6, 2),
  is_mandatory BOOLEAN DEFAULT false NOT NULL,
  decimals INTEGER DEFAULT 1 NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT quality_parameters_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT quality_parameters_commodity_id_fkey FOREIGN KEY(org_id, commodity_id) REFERENCES commodities (org_id, id),
  CONSTRAINT quality_parameters_variety_id_fkey FOREIGN KEY(org_id, variety_id) REFERENCES varieties (org_id, id),
  CONSTRAINT quality_parameters_commodity_id_variety_id_parameter_key UNIQUE (org_id, commodity_id, variety_id, parameter),
  CONSTRAINT quality_parameters_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT quality_parameters_parameter_check CHECK (parameter IN ('staple_mm', 'micronaire', 'strength_g_tex', 'moisture_pct', 'trash_pct', 'rd', 'plus_b', 'short_fibre_index')),
  CONSTRAINT quality_parameters_limit_min_check CHECK (limit_min BETWEEN 0 AND 9999.99),
  CONSTRAINT quality_parameters_limit_max_check CHECK (limit_max BETWEEN 0 AND 9999.99),
  CONSTRAINT quality_parameters_decimals_check CHECK (decimals BETWEEN 0 AND 2)
);
CREATE INDEX quality_parameters_variety_id_idx ON quality_parameters (org_id, variety_id);

CREATE TABLE payment_terms (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  code TEXT NOT NULL,
  name TEXT NOT NULL,
  days INTEGER DEFAULT 0 NOT NULL,
  advance_pct NUMERIC(5, 2),
  discount_pct NUMERIC(5, 2),
  interest_pct NUMERIC(5, 2),
  is_active BOOLEAN DEFAULT true NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT payment_terms_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT payment_terms_code_key UNIQUE (org_id, code),
  CONSTRAINT payment_terms_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT payment_terms_days_check CHECK (days BETWEEN 0 AND 365),
  CONSTRAINT payment_terms_advance_pct_check CHECK (advance_pct BETWEEN 0 AND 100),
  CONSTRAINT payment_terms_discount_pct_check CHECK (discount_pct BETWEEN 0 AND 100),
  CONSTRAINT payment_terms_interest_pct_check CHECK (interest_pct BETWEEN 0 AND 100)
);

CREATE TABLE delivery_terms (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  code TEXT NOT NULL,
  name TEXT NOT NULL,
  days INTEGER DEFAULT 0 NOT NULL,
  freight_included BOOLEAN DEFAULT false NOT NULL,
  insurance_included BOOLEAN DEFAULT false NOT NULL,
  loading_included BOOLEAN DEFAULT false NOT NULL,
  is_active BOOLEAN DEFAULT true NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT delivery_terms_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT delivery_terms_code_key UNIQUE (org_id, code),
  CONSTRAINT delivery_terms_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT delivery_terms_days_check CHECK (days BETWEEN 0 AND 365)
);

CREATE TABLE weighment_terms (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  code TEXT NOT NULL,
  name TEXT NOT NULL,
  days INTEGER DEFAULT 0 NOT NULL,
  weighed_at TEXT NOT NULL,
  tolerance_pct NUMERIC(5, 2),
  packing_included BOOLEAN DEFAULT false NOT NULL,
  is_active BOOLEAN DEFAULT true NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT weighment_terms_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT weighment_terms_code_key UNIQUE (org_id, code),
  CONSTRAINT weighment_terms_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT weighment_terms_days_check CHECK (days BETWEEN 0 AND 365),
  CONSTRAINT weighment_terms_weighed_at_check CHECK (weighed_at IN ('seller', 'buyer', 'weighbridge')),
  CONSTRAINT weighment_terms_tolerance_pct_check CHECK (tolerance_pct BETWEEN 0 AND 100)
);

CREATE TABLE passing_terms (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  code TEXT NOT NULL,
  name TEXT NOT NULL,
  days INTEGER DEFAULT 0 NOT NULL,
  passed_at TEXT NOT NULL,
  sample_pct NUMERIC(5, 2),
  is_final BOOLEAN DEFAULT false NOT NULL,
  is_active BOOLEAN DEFAULT true NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT passing_terms_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT passing_terms_code_key UNIQUE (org_id, code),
  CONSTRAINT passing_terms_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT passing_terms_days_check CHECK (days BETWEEN 0 AND 365),
  CONSTRAINT passing_terms_passed_at_check CHECK (passed_at IN ('seller', 'buyer', 'laboratory')),
  CONSTRAINT passing_terms_sample_pct_check CHECK (sample_pct BETWEEN 0 AND 100)
);

CREATE TABLE trade_types (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  code TEXT NOT NULL,
  name TEXT NOT NULL,
  kind TEXT DEFAULT 'domestic' NOT NULL,
  tax_included BOOLEAN DEFAULT false NOT NULL,
  is_active BOOLEAN DEFAULT true NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT trade_types_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT trade_types_code_key UNIQUE (org_id, code),
  CONSTRAINT trade_types_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT trade_types_kind_check CHECK (kind IN ('domestic', 'export', 'import'))
);

CREATE TABLE bargain_types (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  code TEXT NOT NULL,
  name TEXT NOT NULL,
  price_kind TEXT NOT NULL,
  brokerage_included BOOLEAN DEFAULT false NOT NULL,
  is_active BOOLEAN DEFAULT true NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT bargain_types_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT bargain_types_code_key UNIQUE (org_id, code),
  CONSTRAINT bargain_types_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT bargain_types_price_kind_check CHECK (price_kind IN ('fixed', 'negotiable', 'on_call'))
);

CREATE TABLE commission_structures (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  code TEXT NOT NULL,
  name TEXT NOT NULL,
  basis TEXT DEFAULT 'percent_of_value' NOT NULL,
  slabs JSONB NOT NULL,
  minimum_amount NUMERIC(14, 2),
  buyer_share INTEGER DEFAULT 1 NOT NULL,
  seller_share INTEGER DEFAULT 1 NOT NULL,
  valid_from DATE,
  valid_until DATE,
  is_active BOOLEAN DEFAULT true NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT commission_structures_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT commission_structures_code_key UNIQUE (org_id, code),
  CONSTRAINT commission_structures_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT commission_structures_basis_check CHECK (basis IN ('percent_of_value', 'rupees_per_bale', 'rupees_per_candy')),
  CONSTRAINT commission_structures_minimum_amount_check CHECK (minimum_amount BETWEEN 0 AND 999999999999.99),
  CONSTRAINT commission_structures_buyer_share_check CHECK (buyer_share BETWEEN 0 AND 100),
  CONSTRAINT commission_structures_seller_share_check CHECK (seller_share BETWEEN 0 AND 100)
);

CREATE TABLE partner_documents (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  partner_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  is_primary BOOLEAN DEFAULT false NOT NULL,
  number TEXT,
  valid_from DATE,
  valid_until DATE,
  attachment_id TEXT,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT partner_documents_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT partner_documents_partner_id_fkey FOREIGN KEY(org_id, partner_id) REFERENCES business_partners (org_id, id) ON DELETE CASCADE,
  CONSTRAINT partner_documents_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT partner_documents_kind_check CHECK (kind IN ('pan_card', 'gst_certificate', 'udyam_certificate', 'incorporation', 'licence', 'agreement', 'cheque', 'other'))
);
CREATE INDEX partner_documents_partner_id_idx ON partner_documents (org_id, partner_id);

CREATE TABLE partner_vehicles (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  partner_id TEXT NOT NULL,
  kind TEXT DEFAULT 'truck' NOT NULL,
  is_primary BOOLEAN DEFAULT false NOT NULL,
  vehicle_number TEXT NOT NULL,
  rc_number TEXT,
  valid_from DATE,
  valid_until DATE,
  capacity_kg INTEGER,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT partner_vehicles_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT partner_vehicles_partner_id_fkey FOREIGN KEY(org_id, partner_id) REFERENCES business_partners (org_id, id) ON DELETE CASCADE,
  CONSTRAINT partner_vehicles_partner_id_vehicle_number_key UNIQUE (org_id, partner_id, vehicle_number),
  CONSTRAINT partner_vehicles_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT partner_vehicles_kind_check CHECK (kind IN ('truck', 'trailer', 'tempo', 'container')),
  CONSTRAINT partner_vehicles_capacity_kg_check CHECK (capacity_kg BETWEEN 1 AND 100000)
);

CREATE TABLE partner_bank_accounts (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  partner_id TEXT NOT NULL,
  kind TEXT DEFAULT 'current' NOT NULL,
  is_primary BOOLEAN DEFAULT false NOT NULL,
  account_name TEXT NOT NULL,
  account_number TEXT NOT NULL,
  ifsc TEXT NOT NULL,
  bank_name TEXT,
  is_verified BOOLEAN DEFAULT false NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT partner_bank_accounts_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT partner_bank_accounts_partner_id_fkey FOREIGN KEY(org_id, partner_id) REFERENCES business_partners (org_id, id) ON DELETE CASCADE,
  CONSTRAINT partner_bank_accounts_partner_id_ifsc_account_number_key UNIQUE (org_id, partner_id, ifsc, account_number),
  CONSTRAINT partner_bank_accounts_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT partner_bank_accounts_kind_check CHECK (kind IN ('current', 'savings', 'cash_credit', 'overdraft'))
);

CREATE TABLE visits (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  branch_id TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  partner_id TEXT,
  location_id TEXT,
  purpose TEXT,
  planned_at TIMESTAMP WITH TIME ZONE,
  done_at TIMESTAMP WITH TIME ZONE,
  checked_in_at TIMESTAMP WITH TIME ZONE,
  latitude NUMERIC(9, 6),
  longitude NUMERIC(9, 6),
  state TEXT DEFAULT 'planned' NOT NULL,
  notes TEXT,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT visits_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT visits_branch_id_fkey FOREIGN KEY(org_id, branch_id) REFERENCES branches (org_id, id),
  CONSTRAINT visits_partner_id_fkey FOREIGN KEY(org_id, partner_id) REFERENCES business_partners (org_id, id),
  CONSTRAINT visits_location_id_fkey FOREIGN KEY(org_id, location_id) REFERENCES locations (org_id, id),
  CONSTRAINT visits_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT visits_latitude_check CHECK (latitude BETWEEN -90 AND 90),
  CONSTRAINT visits_longitude_check CHECK (longitude BETWEEN -180 AND 180),
  CONSTRAINT visits_state_check CHECK (state IN ('planned', 'done', 'cancelled'))
);
CREATE INDEX visits_branch_id_idx ON visits (org_id, branch_id);
CREATE INDEX visits_location_id_idx ON visits (org_id, location_id);
CREATE INDEX visits_partner_id_idx ON visits (org_id, partner_id);

CREATE TABLE tasks (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  branch_id TEXT NOT NULL,
  title TEXT NOT NULL,
  assignee_id TEXT NOT NULL,
  partner_id TEXT,
  table_name TEXT,
  record_id TEXT,
  due_on DATE,
  urgency TEXT DEFAULT 'normal' NOT NULL,
  done_at TIMESTAMP WITH TIME ZONE,
  state TEXT DEFAULT 'open' NOT NULL,
  notes TEXT,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT tasks_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT tasks_branch_id_fkey FOREIGN KEY(org_id, branch_id) REFERENCES branches (org_id, id),
  CONSTRAINT tasks_partner_id_fkey FOREIGN KEY(org_id, partner_id) REFERENCES business_partners (org_id, id),
  CONSTRAINT tasks_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT tasks_urgency_check CHECK (urgency IN ('low', 'normal', 'high')),
  CONSTRAINT tasks_state_check CHECK (state IN ('open', 'in_progress', 'done', 'cancelled'))
);
CREATE INDEX tasks_branch_id_idx ON tasks (org_id, branch_id);
CREATE INDEX tasks_partner_id_idx ON tasks (org_id, partner_id);

CREATE TABLE notifications (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  reader_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  title TEXT NOT NULL,
  body TEXT,
  table_name TEXT,
  record_id TEXT,
  read_at TIMESTAMP WITH TIME ZONE,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT notifications_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT notifications_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$')
);
"""

FORGET = """
DELETE FROM feed WHERE entity = '{table}';
DELETE FROM label WHERE entity = '{table}';
"""


def upgrade() -> None:
    run_script(TABLES)
    for table, labels, follows in CAPTURED:
        for via in follows:
            install_follower(table, via, labels=labels)
        install_capture(table, labels=labels)
        wall(table, "SELECT, INSERT, UPDATE, DELETE")
    install_capture("business_partners", labels=PARTNER, assignee="assigned_agent_id", followers=FOLLOWED)
    close_functions()


def downgrade() -> None:
    install_capture("business_partners", labels=PARTNER, assignee="assigned_agent_id", followers=FOLLOWED_BEFORE)
    for table, _, follows in reversed(CAPTURED):
        tear_down([table])
        remove_capture(table)
        op.execute(f"DROP TABLE {table}")
        for via in follows:
            remove_follower(table, via)
        run_script(FORGET.format(table=table))
