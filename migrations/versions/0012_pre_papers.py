"""The papers of a deal, captured from their first row: what is offered, amended, weighed, invoiced and paid.

Written from the catalogue of its day (`sync_server/store/tables.py`, `sync_server/store/labels.py`), then frozen. A program from
before goes on working: it knows none of these tables.

Revision ID: 0012
Revises: 0011
Create Date: 2026-11-23
"""

from __future__ import annotations

from collections.abc import Sequence

from alembic import op

from migrations.capture import remove_capture
from migrations.scoped_capture import Captured, install_capture, install_follower, remove_follower
from migrations.script import run_script
from migrations.searching import install_search
from migrations.walls import close_functions, tear_down, wall

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

PAPERS = (
    # parents first
    Captured(
        "matches",
        "coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_availability_id.branch_id, 'partner:' || n_availability_id.seller_id, CASE WHEN NOT (n_availability_id.state IN ('draft')) THEN 'side:' || n_availability_id.seller_id END, CASE WHEN n_availability_id.visibility IN ('partners') AND n_availability_id.state IN ('active', 'reserved') THEN 'partners' END], NULL) FROM availabilities n_availability_id WHERE n_availability_id.org_id = n.org_id AND n_availability_id.id = n.availability_id), '{}') || coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_requirement_id.branch_id, 'partner:' || n_requirement_id.buyer_id, CASE WHEN NOT (n_requirement_id.state IN ('draft')) THEN 'side:' || n_requirement_id.buyer_id END], NULL) FROM requirements n_requirement_id WHERE n_requirement_id.org_id = n.org_id AND n_requirement_id.id = n.requirement_id), '{}')",
        assignee=None,
        turns_rights=False,
        followers=(),
        follows=("availability_id", "requirement_id"),
    ),
    Captured(
        "negotiations",
        "array_remove(ARRAY['branch', 'branch:' || n.branch_id, 'partner:' || n.buyer_id, 'partner:' || n.seller_id, 'side:' || n.buyer_id, 'side:' || n.seller_id], NULL)",
        assignee=None,
        turns_rights=False,
        followers=(("offers", "negotiation_id"),),
        follows=(),
    ),
    Captured(
        "offers",
        "coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_negotiation_id.branch_id, 'partner:' || n_negotiation_id.buyer_id, 'partner:' || n_negotiation_id.seller_id, 'side:' || n_negotiation_id.buyer_id, 'side:' || n_negotiation_id.seller_id], NULL) FROM negotiations n_negotiation_id WHERE n_negotiation_id.org_id = n.org_id AND n_negotiation_id.id = n.negotiation_id), '{}')",
        assignee=None,
        turns_rights=False,
        followers=(),
        follows=("negotiation_id",),
    ),
    Captured(
        "amendments",
        "ARRAY(SELECT s FROM unnest(coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_trade_id.branch_id, 'partner:' || n_trade_id.buyer_id, 'partner:' || n_trade_id.seller_id, 'partner:' || n_trade_id.broker_id, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.buyer_id END, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.seller_id END, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.broker_id END], NULL) FROM trades n_trade_id WHERE n_trade_id.org_id = n.org_id AND n_trade_id.id = n.trade_id), '{}')) s WHERE NOT (n.state IN ('draft')) OR s NOT LIKE 'side:%')",
        assignee=None,
        turns_rights=False,
        followers=(),
        follows=("trade_id",),
    ),
    Captured(
        "samples",
        "ARRAY(SELECT s FROM unnest(coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_trade_id.branch_id, 'partner:' || n_trade_id.buyer_id, 'partner:' || n_trade_id.seller_id, 'partner:' || n_trade_id.broker_id, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.buyer_id END, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.seller_id END, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.broker_id END], NULL) FROM trades n_trade_id WHERE n_trade_id.org_id = n.org_id AND n_trade_id.id = n.trade_id), '{}')) s WHERE NOT (n.state IN ('draft')) OR s NOT LIKE 'side:%') || ARRAY(SELECT s FROM unnest(coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_availability_id.branch_id, 'partner:' || n_availability_id.seller_id, CASE WHEN NOT (n_availability_id.state IN ('draft')) THEN 'side:' || n_availability_id.seller_id END, CASE WHEN n_availability_id.visibility IN ('partners') AND n_availability_id.state IN ('active', 'reserved') THEN 'partners' END], NULL) FROM availabilities n_availability_id WHERE n_availability_id.org_id = n.org_id AND n_availability_id.id = n.availability_id), '{}')) s WHERE NOT (n.state IN ('draft')) OR s NOT LIKE 'side:%')",
        assignee=None,
        turns_rights=False,
        followers=(),
        follows=("trade_id", "availability_id"),
    ),
    Captured(
        "weighments",
        "coalesce((SELECT ARRAY(SELECT s FROM unnest(coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_inspection_id_trade_id.branch_id, 'partner:' || n_inspection_id_trade_id.buyer_id, 'partner:' || n_inspection_id_trade_id.seller_id, 'partner:' || n_inspection_id_trade_id.broker_id, CASE WHEN NOT (n_inspection_id_trade_id.state IN ('draft')) THEN 'side:' || n_inspection_id_trade_id.buyer_id END, CASE WHEN NOT (n_inspection_id_trade_id.state IN ('draft')) THEN 'side:' || n_inspection_id_trade_id.seller_id END, CASE WHEN NOT (n_inspection_id_trade_id.state IN ('draft')) THEN 'side:' || n_inspection_id_trade_id.broker_id END], NULL) FROM trades n_inspection_id_trade_id WHERE n_inspection_id_trade_id.org_id = n_inspection_id.org_id AND n_inspection_id_trade_id.id = n_inspection_id.trade_id), '{}')) s WHERE NOT (n_inspection_id.state IN ('draft')) OR s NOT LIKE 'side:%') || ARRAY(SELECT s FROM unnest(coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_inspection_id_availability_id.branch_id, 'partner:' || n_inspection_id_availability_id.seller_id, CASE WHEN NOT (n_inspection_id_availability_id.state IN ('draft')) THEN 'side:' || n_inspection_id_availability_id.seller_id END, CASE WHEN n_inspection_id_availability_id.visibility IN ('partners') AND n_inspection_id_availability_id.state IN ('active', 'reserved') THEN 'partners' END], NULL) FROM availabilities n_inspection_id_availability_id WHERE n_inspection_id_availability_id.org_id = n_inspection_id.org_id AND n_inspection_id_availability_id.id = n_inspection_id.availability_id), '{}')) s WHERE NOT (n_inspection_id.state IN ('draft')) OR s NOT LIKE 'side:%') FROM quality_inspections n_inspection_id WHERE n_inspection_id.org_id = n.org_id AND n_inspection_id.id = n.inspection_id), '{}') || coalesce((SELECT array_remove(ARRAY['partner:' || n_dispatch_id.transporter_id, 'side:' || n_dispatch_id.transporter_id], NULL) || coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_dispatch_id_trade_id.branch_id, 'partner:' || n_dispatch_id_trade_id.buyer_id, 'partner:' || n_dispatch_id_trade_id.seller_id, 'partner:' || n_dispatch_id_trade_id.broker_id, CASE WHEN NOT (n_dispatch_id_trade_id.state IN ('draft')) THEN 'side:' || n_dispatch_id_trade_id.buyer_id END, CASE WHEN NOT (n_dispatch_id_trade_id.state IN ('draft')) THEN 'side:' || n_dispatch_id_trade_id.seller_id END, CASE WHEN NOT (n_dispatch_id_trade_id.state IN ('draft')) THEN 'side:' || n_dispatch_id_trade_id.broker_id END], NULL) FROM trades n_dispatch_id_trade_id WHERE n_dispatch_id_trade_id.org_id = n_dispatch_id.org_id AND n_dispatch_id_trade_id.id = n_dispatch_id.trade_id), '{}') FROM dispatches n_dispatch_id WHERE n_dispatch_id.org_id = n.org_id AND n_dispatch_id.id = n.dispatch_id), '{}')",
        assignee=None,
        turns_rights=False,
        followers=(),
        follows=("inspection_id", "dispatch_id"),
    ),
    Captured(
        "invoices",
        "array_remove(ARRAY['branch', 'branch:' || n.branch_id, 'partner:' || n.buyer_id, 'partner:' || n.seller_id, CASE WHEN NOT (n.state IN ('draft')) THEN 'side:' || n.buyer_id END, CASE WHEN NOT (n.state IN ('draft')) THEN 'side:' || n.seller_id END], NULL)",
        assignee=None,
        turns_rights=False,
        followers=(("invoice_lines", "invoice_id"),),
        follows=(),
    ),
    Captured(
        "invoice_lines",
        "coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_invoice_id.branch_id, 'partner:' || n_invoice_id.buyer_id, 'partner:' || n_invoice_id.seller_id, CASE WHEN NOT (n_invoice_id.state IN ('draft')) THEN 'side:' || n_invoice_id.buyer_id END, CASE WHEN NOT (n_invoice_id.state IN ('draft')) THEN 'side:' || n_invoice_id.seller_id END], NULL) FROM invoices n_invoice_id WHERE n_invoice_id.org_id = n.org_id AND n_invoice_id.id = n.invoice_id), '{}')",
        assignee=None,
        turns_rights=False,
        followers=(),
        follows=("invoice_id",),
    ),
    Captured(
        "payments",
        "array_remove(ARRAY['branch', 'branch:' || n.branch_id, 'partner:' || n.payer_id, 'partner:' || n.payee_id, 'side:' || n.payer_id, 'side:' || n.payee_id], NULL)",
        assignee=None,
        turns_rights=False,
        followers=(("payment_allocations", "payment_id"),),
        follows=(),
    ),
    Captured(
        "payment_allocations",
        "coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_payment_id.branch_id, 'partner:' || n_payment_id.payer_id, 'partner:' || n_payment_id.payee_id, 'side:' || n_payment_id.payer_id, 'side:' || n_payment_id.payee_id], NULL) FROM payments n_payment_id WHERE n_payment_id.org_id = n.org_id AND n_payment_id.id = n.payment_id), '{}')",
        assignee=None,
        turns_rights=False,
        followers=(),
        follows=("payment_id",),
    ),
)

LEADERS = (
    # What was there before, and is followed by papers from now on.
    Captured(
        "availabilities",
        "array_remove(ARRAY['branch', 'branch:' || n.branch_id, 'partner:' || n.seller_id, CASE WHEN NOT (n.state IN ('draft')) THEN 'side:' || n.seller_id END, CASE WHEN n.visibility IN ('partners') AND n.state IN ('active', 'reserved') THEN 'partners' END], NULL)",
        assignee=None,
        turns_rights=False,
        followers=(
            ("matches", "availability_id"),
            ("samples", "availability_id"),
            ("quality_inspections", "availability_id"),
        ),
        follows=(),
    ),
    Captured(
        "requirements",
        "array_remove(ARRAY['branch', 'branch:' || n.branch_id, 'partner:' || n.buyer_id, CASE WHEN NOT (n.state IN ('draft')) THEN 'side:' || n.buyer_id END], NULL)",
        assignee=None,
        turns_rights=False,
        followers=(("matches", "requirement_id"),),
        follows=(),
    ),
    Captured(
        "trades",
        "array_remove(ARRAY['branch', 'branch:' || n.branch_id, 'partner:' || n.buyer_id, 'partner:' || n.seller_id, 'partner:' || n.broker_id, CASE WHEN NOT (n.state IN ('draft')) THEN 'side:' || n.buyer_id END, CASE WHEN NOT (n.state IN ('draft')) THEN 'side:' || n.seller_id END, CASE WHEN NOT (n.state IN ('draft')) THEN 'side:' || n.broker_id END], NULL)",
        assignee=None,
        turns_rights=False,
        followers=(
            ("amendments", "trade_id"),
            ("samples", "trade_id"),
            ("quality_inspections", "trade_id"),
            ("dispatches", "trade_id"),
        ),
        follows=(),
    ),
    Captured(
        "quality_inspections",
        "ARRAY(SELECT s FROM unnest(coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_trade_id.branch_id, 'partner:' || n_trade_id.buyer_id, 'partner:' || n_trade_id.seller_id, 'partner:' || n_trade_id.broker_id, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.buyer_id END, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.seller_id END, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.broker_id END], NULL) FROM trades n_trade_id WHERE n_trade_id.org_id = n.org_id AND n_trade_id.id = n.trade_id), '{}')) s WHERE NOT (n.state IN ('draft')) OR s NOT LIKE 'side:%') || ARRAY(SELECT s FROM unnest(coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_availability_id.branch_id, 'partner:' || n_availability_id.seller_id, CASE WHEN NOT (n_availability_id.state IN ('draft')) THEN 'side:' || n_availability_id.seller_id END, CASE WHEN n_availability_id.visibility IN ('partners') AND n_availability_id.state IN ('active', 'reserved') THEN 'partners' END], NULL) FROM availabilities n_availability_id WHERE n_availability_id.org_id = n.org_id AND n_availability_id.id = n.availability_id), '{}')) s WHERE NOT (n.state IN ('draft')) OR s NOT LIKE 'side:%')",
        assignee=None,
        turns_rights=False,
        followers=(("weighments", "inspection_id"),),
        follows=("trade_id", "availability_id"),
    ),
    Captured(
        "dispatches",
        "array_remove(ARRAY['partner:' || n.transporter_id, 'side:' || n.transporter_id], NULL) || coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_trade_id.branch_id, 'partner:' || n_trade_id.buyer_id, 'partner:' || n_trade_id.seller_id, 'partner:' || n_trade_id.broker_id, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.buyer_id END, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.seller_id END, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.broker_id END], NULL) FROM trades n_trade_id WHERE n_trade_id.org_id = n.org_id AND n_trade_id.id = n.trade_id), '{}')",
        assignee=None,
        turns_rights=False,
        followers=(("weighments", "dispatch_id"),),
        follows=("trade_id",),
    ),
)

TABLES = """
CREATE TABLE matches (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  availability_id TEXT NOT NULL,
  requirement_id TEXT NOT NULL,
  score INTEGER DEFAULT 0 NOT NULL,
  parts JSONB,
  is_dismissed BOOLEAN DEFAULT false NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT matches_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT matches_availability_id_fkey FOREIGN KEY(org_id, availability_id) REFERENCES availabilities (org_id, id) ON DELETE CASCADE,
  CONSTRAINT matches_requirement_id_fkey FOREIGN KEY(org_id, requirement_id) REFERENCES requirements (org_id, id),
  CONSTRAINT matches_availability_id_requirement_id_key UNIQUE (org_id, availability_id, requirement_id),
  CONSTRAINT matches_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT matches_score_check CHECK (score BETWEEN 0 AND 100)
);
CREATE INDEX matches_requirement_id_idx ON matches (org_id, requirement_id);

CREATE TABLE negotiations (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  branch_id TEXT NOT NULL,
  number TEXT,
  availability_id TEXT,
  requirement_id TEXT,
  buyer_id TEXT NOT NULL,
  seller_id TEXT NOT NULL,
  commodity_id TEXT NOT NULL,
  valid_until DATE,
  rounds INTEGER DEFAULT 0 NOT NULL,
  accepted_round INTEGER DEFAULT 0 NOT NULL,
  price_per_candy NUMERIC(12, 2),
  bales INTEGER DEFAULT 0 NOT NULL,
  state TEXT DEFAULT 'open' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT negotiations_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT negotiations_branch_id_fkey FOREIGN KEY(org_id, branch_id) REFERENCES branches (org_id, id),
  CONSTRAINT negotiations_availability_id_fkey FOREIGN KEY(org_id, availability_id) REFERENCES availabilities (org_id, id),
  CONSTRAINT negotiations_requirement_id_fkey FOREIGN KEY(org_id, requirement_id) REFERENCES requirements (org_id, id),
  CONSTRAINT negotiations_buyer_id_fkey FOREIGN KEY(org_id, buyer_id) REFERENCES business_partners (org_id, id),
  CONSTRAINT negotiations_seller_id_fkey FOREIGN KEY(org_id, seller_id) REFERENCES business_partners (org_id, id),
  CONSTRAINT negotiations_commodity_id_fkey FOREIGN KEY(org_id, commodity_id) REFERENCES commodities (org_id, id),
  CONSTRAINT negotiations_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT negotiations_rounds_check CHECK (rounds BETWEEN 0 AND 10000),
  CONSTRAINT negotiations_accepted_round_check CHECK (accepted_round BETWEEN 0 AND 10000),
  CONSTRAINT negotiations_price_per_candy_check CHECK (price_per_candy BETWEEN 0.01 AND 9999999999.99),
  CONSTRAINT negotiations_bales_check CHECK (bales BETWEEN 0 AND 1000000),
  CONSTRAINT negotiations_state_check CHECK (state IN ('open', 'accepted', 'rejected', 'withdrawn', 'expired'))
);
CREATE INDEX negotiations_availability_id_idx ON negotiations (org_id, availability_id);
CREATE INDEX negotiations_branch_id_idx ON negotiations (org_id, branch_id);
CREATE INDEX negotiations_buyer_id_idx ON negotiations (org_id, buyer_id);
CREATE INDEX negotiations_commodity_id_idx ON negotiations (org_id, commodity_id);
CREATE INDEX negotiations_requirement_id_idx ON negotiations (org_id, requirement_id);
CREATE INDEX negotiations_seller_id_idx ON negotiations (org_id, seller_id);

CREATE TABLE offers (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  negotiation_id TEXT NOT NULL,
  round INTEGER,
  offered_by TEXT NOT NULL,
  answered_by TEXT,
  price_per_candy NUMERIC(12, 2) NOT NULL,
  bales INTEGER NOT NULL,
  delivery_terms TEXT,
  payment_terms TEXT,
  valid_until DATE,
  state TEXT DEFAULT 'open' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT offers_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT offers_negotiation_id_fkey FOREIGN KEY(org_id, negotiation_id) REFERENCES negotiations (org_id, id) ON DELETE CASCADE,
  CONSTRAINT offers_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT offers_round_check CHECK (round BETWEEN 0 AND 10000),
  CONSTRAINT offers_offered_by_check CHECK (offered_by IN ('buyer', 'seller')),
  CONSTRAINT offers_answered_by_check CHECK (answered_by IN ('buyer', 'seller')),
  CONSTRAINT offers_price_per_candy_check CHECK (price_per_candy BETWEEN 0.01 AND 9999999999.99),
  CONSTRAINT offers_bales_check CHECK (bales BETWEEN 1 AND 1000000),
  CONSTRAINT offers_state_check CHECK (state IN ('open', 'accepted', 'rejected', 'withdrawn', 'expired'))
);
CREATE INDEX offers_negotiation_id_idx ON offers (org_id, negotiation_id);

CREATE TABLE amendments (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  trade_id TEXT NOT NULL,
  number TEXT,
  proposed JSONB NOT NULL,
  reason TEXT NOT NULL,
  state TEXT DEFAULT 'draft' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT amendments_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT amendments_trade_id_fkey FOREIGN KEY(org_id, trade_id) REFERENCES trades (org_id, id) ON DELETE CASCADE,
  CONSTRAINT amendments_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT amendments_state_check CHECK (state IN ('draft', 'approved', 'rejected'))
);
CREATE INDEX amendments_trade_id_idx ON amendments (org_id, trade_id);

CREATE TABLE samples (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  trade_id TEXT,
  availability_id TEXT,
  lot_number TEXT,
  bale_numbers TEXT[] DEFAULT '{}' NOT NULL,
  inspector_id TEXT,
  location_id TEXT,
  latitude NUMERIC(9, 6),
  longitude NUMERIC(9, 6),
  weight_kg NUMERIC(8, 3),
  seal_number TEXT,
  drawn_at TIMESTAMP WITH TIME ZONE,
  state TEXT DEFAULT 'draft' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT samples_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT samples_trade_id_fkey FOREIGN KEY(org_id, trade_id) REFERENCES trades (org_id, id) ON DELETE CASCADE,
  CONSTRAINT samples_availability_id_fkey FOREIGN KEY(org_id, availability_id) REFERENCES availabilities (org_id, id),
  CONSTRAINT samples_location_id_fkey FOREIGN KEY(org_id, location_id) REFERENCES locations (org_id, id),
  CONSTRAINT samples_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT samples_latitude_check CHECK (latitude BETWEEN -90 AND 90),
  CONSTRAINT samples_longitude_check CHECK (longitude BETWEEN -180 AND 180),
  CONSTRAINT samples_weight_kg_check CHECK (weight_kg BETWEEN 0 AND 99999.999),
  CONSTRAINT samples_state_check CHECK (state IN ('draft', 'submitted', 'accepted', 'disputed'))
);
CREATE INDEX samples_availability_id_idx ON samples (org_id, availability_id);
CREATE INDEX samples_location_id_idx ON samples (org_id, location_id);
CREATE INDEX samples_trade_id_idx ON samples (org_id, trade_id);

CREATE TABLE weighments (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  inspection_id TEXT,
  dispatch_id TEXT,
  slip_number TEXT NOT NULL,
  gross_kg NUMERIC(10, 2) NOT NULL,
  tare_kg NUMERIC(10, 2) NOT NULL,
  net_kg NUMERIC(10, 2),
  weighed_at TIMESTAMP WITH TIME ZONE,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT weighments_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT weighments_inspection_id_fkey FOREIGN KEY(org_id, inspection_id) REFERENCES quality_inspections (org_id, id),
  CONSTRAINT weighments_dispatch_id_fkey FOREIGN KEY(org_id, dispatch_id) REFERENCES dispatches (org_id, id) ON DELETE CASCADE,
  CONSTRAINT weighments_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT weighments_gross_kg_check CHECK (gross_kg BETWEEN 0 AND 99999999.99),
  CONSTRAINT weighments_tare_kg_check CHECK (tare_kg BETWEEN 0 AND 99999999.99),
  CONSTRAINT weighments_net_kg_check CHECK (net_kg BETWEEN 0 AND 99999999.99)
);
CREATE INDEX weighments_dispatch_id_idx ON weighments (org_id, dispatch_id);
CREATE INDEX weighments_inspection_id_idx ON weighments (org_id, inspection_id);

CREATE TABLE invoices (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  branch_id TEXT NOT NULL,
  trade_id TEXT,
  number TEXT,
  buyer_id TEXT NOT NULL,
  seller_id TEXT NOT NULL,
  supplier_state TEXT NOT NULL,
  place_of_supply TEXT NOT NULL,
  reverse_charge BOOLEAN DEFAULT false NOT NULL,
  invoice_date DATE,
  due_date DATE,
  amount NUMERIC(14, 2) DEFAULT 0.00 NOT NULL,
  cgst_amount NUMERIC(14, 2) DEFAULT 0.00 NOT NULL,
  sgst_amount NUMERIC(14, 2) DEFAULT 0.00 NOT NULL,
  utgst_amount NUMERIC(14, 2) DEFAULT 0.00 NOT NULL,
  igst_amount NUMERIC(14, 2) DEFAULT 0.00 NOT NULL,
  total_amount NUMERIC(14, 2) DEFAULT 0.00 NOT NULL,
  paid_amount NUMERIC(14, 2) DEFAULT 0.00 NOT NULL,
  outstanding_amount NUMERIC(14, 2) DEFAULT 0.00 NOT NULL,
  state TEXT DEFAULT 'draft' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT invoices_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT invoices_branch_id_fkey FOREIGN KEY(org_id, branch_id) REFERENCES branches (org_id, id),
  CONSTRAINT invoices_trade_id_fkey FOREIGN KEY(org_id, trade_id) REFERENCES trades (org_id, id),
  CONSTRAINT invoices_buyer_id_fkey FOREIGN KEY(org_id, buyer_id) REFERENCES business_partners (org_id, id),
  CONSTRAINT invoices_seller_id_fkey FOREIGN KEY(org_id, seller_id) REFERENCES business_partners (org_id, id),
  CONSTRAINT invoices_number_key UNIQUE (org_id, number),
  CONSTRAINT invoices_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT invoices_supplier_state_check CHECK (supplier_state IN ('Andaman and Nicobar Islands', 'Andhra Pradesh', 'Arunachal Pradesh', 'Assam', 'Bihar', 'Chandigarh', 'Chhattisgarh', 'Dadra and Nagar Haveli and Daman and Diu', 'Delhi', 'Goa', 'Gujarat', 'Haryana', 'Himachal Pradesh', 'Jammu and Kashmir', 'Jharkhand', 'Karnataka', 'Kerala', 'Ladakh', 'Lakshadweep', 'Madhya Pradesh', 'Maharashtra', 'Manipur', 'Meghalaya', 'Mizoram', 'Nagaland', 'Odisha', 'Puducherry', 'Punjab', 'Rajasthan', 'Sikkim', 'Tamil Nadu', 'Telangana', 'Tripura', 'Uttar Pradesh', 'Uttarakhand', 'West Bengal')),
  CONSTRAINT invoices_place_of_supply_check CHECK (place_of_supply IN ('Andaman and Nicobar Islands', 'Andhra Pradesh', 'Arunachal Pradesh', 'Assam', 'Bihar', 'Chandigarh', 'Chhattisgarh', 'Dadra and Nagar Haveli and Daman and Diu', 'Delhi', 'Goa', 'Gujarat', 'Haryana', 'Himachal Pradesh', 'Jammu and Kashmir', 'Jharkhand', 'Karnataka', 'Kerala', 'Ladakh', 'Lakshadweep', 'Madhya Pradesh', 'Maharashtra', 'Manipur', 'Meghalaya', 'Mizoram', 'Nagaland', 'Odisha', 'Puducherry', 'Punjab', 'Rajasthan', 'Sikkim', 'Tamil Nadu', 'Telangana', 'Tripura', 'Uttar Pradesh', 'Uttarakhand', 'West Bengal')),
  CONSTRAINT invoices_amount_check CHECK (amount BETWEEN 0 AND 999999999999.99),
  CONSTRAINT invoices_cgst_amount_check CHECK (cgst_amount BETWEEN 0 AND 999999999999.99),
  CONSTRAINT invoices_sgst_amount_check CHECK (sgst_amount BETWEEN 0 AND 999999999999.99),
  CONSTRAINT invoices_utgst_amount_check CHECK (utgst_amount BETWEEN 0 AND 999999999999.99),
  CONSTRAINT invoices_igst_amount_check CHECK (igst_amount BETWEEN 0 AND 999999999999.99),
  CONSTRAINT invoices_total_amount_check CHECK (total_amount BETWEEN 0 AND 999999999999.99),
  CONSTRAINT invoices_paid_amount_check CHECK (paid_amount BETWEEN 0 AND 999999999999.99),
  CONSTRAINT invoices_outstanding_amount_check CHECK (outstanding_amount BETWEEN 0 AND 999999999999.99),
  CONSTRAINT invoices_state_check CHECK (state IN ('draft', 'issued', 'cancelled'))
);
CREATE INDEX invoices_branch_id_idx ON invoices (org_id, branch_id);
CREATE INDEX invoices_buyer_id_idx ON invoices (org_id, buyer_id);
CREATE INDEX invoices_seller_id_idx ON invoices (org_id, seller_id);
CREATE INDEX invoices_trade_id_idx ON invoices (org_id, trade_id);

CREATE TABLE invoice_lines (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  invoice_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  description TEXT NOT NULL,
  hsn TEXT,
  quantity NUMERIC(12, 3) NOT NULL,
  unit_id TEXT,
  rate_amount NUMERIC(14, 2) NOT NULL,
  tax_pct NUMERIC(5, 2) DEFAULT 0.00 NOT NULL,
  amount NUMERIC(14, 2),
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT invoice_lines_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT invoice_lines_invoice_id_fkey FOREIGN KEY(org_id, invoice_id) REFERENCES invoices (org_id, id) ON DELETE CASCADE,
  CONSTRAINT invoice_lines_unit_id_fkey FOREIGN KEY(org_id, unit_id) REFERENCES units (org_id, id),
  CONSTRAINT invoice_lines_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT invoice_lines_position_check CHECK (position BETWEEN 1 AND 1000),
  CONSTRAINT invoice_lines_quantity_check CHECK (quantity BETWEEN 0 AND 999999999.999),
  CONSTRAINT invoice_lines_rate_amount_check CHECK (rate_amount BETWEEN 0 AND 999999999999.99),
  CONSTRAINT invoice_lines_tax_pct_check CHECK (tax_pct BETWEEN 0 AND 100),
  CONSTRAINT invoice_lines_amount_check CHECK (amount BETWEEN 0 AND 999999999999.99)
);
CREATE INDEX invoice_lines_invoice_id_idx ON invoice_lines (org_id, invoice_id);
CREATE INDEX invoice_lines_unit_id_idx ON invoice_lines (org_id, unit_id);

CREATE TABLE payments (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  branch_id TEXT NOT NULL,
  number TEXT,
  payer_id TEXT NOT NULL,
  payee_id TEXT NOT NULL,
  amount NUMERIC(14, 2) NOT NULL,
  mode TEXT DEFAULT 'rtgs' NOT NULL,
  reference TEXT,
  paid_on DATE NOT NULL,
  allocated_amount NUMERIC(14, 2) DEFAULT 0.00 NOT NULL,
  unallocated_amount NUMERIC(14, 2) DEFAULT 0.00 NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT payments_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT payments_branch_id_fkey FOREIGN KEY(org_id, branch_id) REFERENCES branches (org_id, id),
  CONSTRAINT payments_payer_id_fkey FOREIGN KEY(org_id, payer_id) REFERENCES business_partners (org_id, id),
  CONSTRAINT payments_payee_id_fkey FOREIGN KEY(org_id, payee_id) REFERENCES business_partners (org_id, id),
  CONSTRAINT payments_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT payments_amount_check CHECK (amount BETWEEN 0.01 AND 999999999999.99),
  CONSTRAINT payments_mode_check CHECK (mode IN ('neft', 'rtgs', 'imps', 'upi', 'cheque', 'cash', 'set_off')),
  CONSTRAINT payments_allocated_amount_check CHECK (allocated_amount BETWEEN 0 AND 999999999999.99),
  CONSTRAINT payments_unallocated_amount_check CHECK (unallocated_amount BETWEEN 0 AND 999999999999.99)
);
CREATE INDEX payments_branch_id_idx ON payments (org_id, branch_id);
CREATE INDEX payments_payee_id_idx ON payments (org_id, payee_id);
CREATE INDEX payments_payer_id_idx ON payments (org_id, payer_id);

CREATE TABLE payment_allocations (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  payment_id TEXT NOT NULL,
  invoice_id TEXT NOT NULL,
  amount NUMERIC(14, 2) NOT NULL,
  remarks TEXT,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT payment_allocations_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT payment_allocations_payment_id_fkey FOREIGN KEY(org_id, payment_id) REFERENCES payments (org_id, id),
  CONSTRAINT payment_allocations_invoice_id_fkey FOREIGN KEY(org_id, invoice_id) REFERENCES invoices (org_id, id),
  CONSTRAINT payment_allocations_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT payment_allocations_amount_check CHECK (amount BETWEEN 0.01 AND 999999999999.99)
);
CREATE INDEX payment_allocations_invoice_id_idx ON payment_allocations (org_id, invoice_id);
CREATE INDEX payment_allocations_payment_id_idx ON payment_allocations (org_id, payment_id);
"""

FORGET = """
DELETE FROM feed WHERE entity = '{table}';
DELETE FROM label WHERE entity = '{table}';
"""


def _install(one: Captured, followers: Sequence[tuple[str, str]]) -> None:
    for via in one.follows:
        install_follower(one.table, via, labels=one.labels, followers=followers)
    install_capture(
        one.table, labels=one.labels, assignee=one.assignee, turns_rights=one.turns_rights, followers=followers
    )


WITH_NAMES = ("amendments", "invoices", "negotiations", "payments", "samples")
"""Papers that are searched by their numbers; an index goes with its table."""


def upgrade() -> None:
    run_script(TABLES)
    for one in PAPERS:
        _install(one, one.followers)
        wall(one.table, "SELECT, INSERT, UPDATE, DELETE")
    for table in WITH_NAMES:
        install_search(table)
    for one in LEADERS:
        _install(one, one.followers)
    close_functions()


def downgrade() -> None:
    new = {one.table for one in PAPERS}
    for one in LEADERS:
        _install(one, [(table, via) for table, via in one.followers if table not in new])
    for one in reversed(PAPERS):
        tear_down([one.table])
        remove_capture(one.table)
        op.execute(f"DROP TABLE {one.table}")
        for via in one.follows:
            remove_follower(one.table, via)
        run_script(FORGET.format(table=one.table))
