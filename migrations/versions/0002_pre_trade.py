"""The tables of the trade, captured from their first row.

Written from the catalogue of its day (`sync_server/store/tables.py`), then frozen.

Revision ID: 0002
Revises: 0001
Create Date: 2026-11-23
"""

from __future__ import annotations

from alembic import op

from migrations.capture import install_capture, remove_capture
from migrations.script import run_script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

CAPTURED = (
    # table, the column with the user who alone sees a row
    ("organisations", None),
    ("branches", None),
    ("units", None),
    ("locations", None),
    ("commodities", None),
    ("varieties", None),
    ("business_partners", None),
    ("partner_locations", None),
    ("partner_contacts", None),
    ("availabilities", None),
    ("requirements", None),
    ("trades", None),
    ("quality_inspections", None),
    ("dispatches", None),
    ("settings", None),
    ("sync_issues", "author_id"),
)

TABLES = """
CREATE TABLE organisations (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  legal_name TEXT NOT NULL,
  cin TEXT,
  pan TEXT,
  gstin TEXT,
  base_currency TEXT DEFAULT 'INR' NOT NULL,
  registered_address TEXT,
  state TEXT,
  financial_year_start_month INTEGER DEFAULT 4 NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT organisations_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT organisations_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT organisations_own_organisation_check CHECK (org_id = id),
  CONSTRAINT organisations_state_check CHECK (state IN ('Andaman and Nicobar Islands', 'Andhra Pradesh', 'Arunachal Pradesh', 'Assam', 'Bihar', 'Chandigarh', 'Chhattisgarh', 'Dadra and Nagar Haveli and Daman and Diu', 'Delhi', 'Goa', 'Gujarat', 'Haryana', 'Himachal Pradesh', 'Jammu and Kashmir', 'Jharkhand', 'Karnataka', 'Kerala', 'Ladakh', 'Lakshadweep', 'Madhya Pradesh', 'Maharashtra', 'Manipur', 'Meghalaya', 'Mizoram', 'Nagaland', 'Odisha', 'Puducherry', 'Punjab', 'Rajasthan', 'Sikkim', 'Tamil Nadu', 'Telangana', 'Tripura', 'Uttar Pradesh', 'Uttarakhand', 'West Bengal')),
  CONSTRAINT organisations_financial_year_start_month_check CHECK (financial_year_start_month BETWEEN 1 AND 12)
);

CREATE TABLE branches (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  code TEXT NOT NULL,
  name TEXT NOT NULL,
  gstin TEXT,
  state TEXT NOT NULL,
  address TEXT,
  is_active BOOLEAN DEFAULT true NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT branches_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT branches_code_key UNIQUE (org_id, code),
  CONSTRAINT branches_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT branches_state_check CHECK (state IN ('Andaman and Nicobar Islands', 'Andhra Pradesh', 'Arunachal Pradesh', 'Assam', 'Bihar', 'Chandigarh', 'Chhattisgarh', 'Dadra and Nagar Haveli and Daman and Diu', 'Delhi', 'Goa', 'Gujarat', 'Haryana', 'Himachal Pradesh', 'Jammu and Kashmir', 'Jharkhand', 'Karnataka', 'Kerala', 'Ladakh', 'Lakshadweep', 'Madhya Pradesh', 'Maharashtra', 'Manipur', 'Meghalaya', 'Mizoram', 'Nagaland', 'Odisha', 'Puducherry', 'Punjab', 'Rajasthan', 'Sikkim', 'Tamil Nadu', 'Telangana', 'Tripura', 'Uttar Pradesh', 'Uttarakhand', 'West Bengal'))
);

CREATE TABLE units (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  code TEXT NOT NULL,
  name TEXT NOT NULL,
  dimension TEXT NOT NULL,
  factor_to_base NUMERIC(15, 6) NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT units_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT units_code_key UNIQUE (org_id, code),
  CONSTRAINT units_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT units_dimension_check CHECK (dimension IN ('mass', 'length', 'count', 'percentage', 'currency')),
  CONSTRAINT units_factor_to_base_check CHECK (factor_to_base BETWEEN 0.000001 AND 999999999.999999)
);

CREATE TABLE locations (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  place_id TEXT,
  address TEXT,
  pincode TEXT,
  district TEXT,
  state TEXT,
  country TEXT DEFAULT 'IN' NOT NULL,
  latitude NUMERIC(9, 6),
  longitude NUMERIC(9, 6),
  geohash TEXT,
  timezone TEXT DEFAULT 'Asia/Kolkata' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT locations_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT locations_place_id_key UNIQUE (org_id, place_id),
  CONSTRAINT locations_name_pincode_key UNIQUE (org_id, name, pincode),
  CONSTRAINT locations_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT locations_kind_check CHECK (kind IN ('gin', 'warehouse', 'market_yard', 'port', 'mill', 'office')),
  CONSTRAINT locations_state_check CHECK (state IN ('Andaman and Nicobar Islands', 'Andhra Pradesh', 'Arunachal Pradesh', 'Assam', 'Bihar', 'Chandigarh', 'Chhattisgarh', 'Dadra and Nagar Haveli and Daman and Diu', 'Delhi', 'Goa', 'Gujarat', 'Haryana', 'Himachal Pradesh', 'Jammu and Kashmir', 'Jharkhand', 'Karnataka', 'Kerala', 'Ladakh', 'Lakshadweep', 'Madhya Pradesh', 'Maharashtra', 'Manipur', 'Meghalaya', 'Mizoram', 'Nagaland', 'Odisha', 'Puducherry', 'Punjab', 'Rajasthan', 'Sikkim', 'Tamil Nadu', 'Telangana', 'Tripura', 'Uttar Pradesh', 'Uttarakhand', 'West Bengal')),
  CONSTRAINT locations_latitude_check CHECK (latitude BETWEEN -90 AND 90),
  CONSTRAINT locations_longitude_check CHECK (longitude BETWEEN -180 AND 180)
);

CREATE TABLE commodities (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  category TEXT NOT NULL,
  hsn TEXT NOT NULL,
  base_unit_id TEXT NOT NULL,
  trade_unit_id TEXT NOT NULL,
  rate_unit_id TEXT NOT NULL,
  standard_weight_kg NUMERIC(10, 3),
  gst_rate_pct NUMERIC(5, 2) NOT NULL,
  grades TEXT[] DEFAULT '{}' NOT NULL,
  is_active BOOLEAN DEFAULT true NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT commodities_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT commodities_base_unit_id_fkey FOREIGN KEY(org_id, base_unit_id) REFERENCES units (org_id, id),
  CONSTRAINT commodities_trade_unit_id_fkey FOREIGN KEY(org_id, trade_unit_id) REFERENCES units (org_id, id),
  CONSTRAINT commodities_rate_unit_id_fkey FOREIGN KEY(org_id, rate_unit_id) REFERENCES units (org_id, id),
  CONSTRAINT commodities_name_key UNIQUE (org_id, name),
  CONSTRAINT commodities_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT commodities_category_check CHECK (category IN ('lint', 'seed_cotton', 'cotton_seed', 'waste', 'yarn', 'oil_cake')),
  CONSTRAINT commodities_standard_weight_kg_check CHECK (standard_weight_kg BETWEEN 0.001 AND 9999999.999),
  CONSTRAINT commodities_gst_rate_pct_check CHECK (gst_rate_pct BETWEEN 0 AND 100)
);
CREATE INDEX commodities_base_unit_id_idx ON commodities (org_id, base_unit_id);
CREATE INDEX commodities_rate_unit_id_idx ON commodities (org_id, rate_unit_id);
CREATE INDEX commodities_trade_unit_id_idx ON commodities (org_id, trade_unit_id);

CREATE TABLE varieties (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  commodity_id TEXT NOT NULL,
  name TEXT NOT NULL,
  staple_min_mm NUMERIC(4, 1),
  staple_max_mm NUMERIC(4, 1),
  micronaire_min NUMERIC(4, 2),
  micronaire_max NUMERIC(4, 2),
  is_active BOOLEAN DEFAULT true NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT varieties_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT varieties_commodity_id_fkey FOREIGN KEY(org_id, commodity_id) REFERENCES commodities (org_id, id),
  CONSTRAINT varieties_commodity_id_name_key UNIQUE (org_id, commodity_id, name),
  CONSTRAINT varieties_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT varieties_staple_min_mm_check CHECK (staple_min_mm BETWEEN 15 AND 45),
  CONSTRAINT varieties_staple_max_mm_check CHECK (staple_max_mm BETWEEN 15 AND 45),
  CONSTRAINT varieties_micronaire_min_check CHECK (micronaire_min BETWEEN 2 AND 8),
  CONSTRAINT varieties_micronaire_max_check CHECK (micronaire_max BETWEEN 2 AND 8)
);

CREATE TABLE business_partners (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  branch_id TEXT NOT NULL,
  kind TEXT[] DEFAULT '{}' NOT NULL,
  legal_name TEXT NOT NULL,
  trade_name TEXT,
  entity_type TEXT,
  pan TEXT,
  gstin TEXT,
  phone TEXT,
  email TEXT,
  address TEXT,
  pincode TEXT,
  address_state TEXT,
  location_id TEXT,
  assigned_agent_id TEXT,
  credit_limit NUMERIC(14, 2),
  exposure NUMERIC(14, 2) DEFAULT 0.00 NOT NULL,
  kyc_state TEXT DEFAULT 'pending' NOT NULL,
  state TEXT DEFAULT 'draft' NOT NULL,
  tags TEXT[] DEFAULT '{}' NOT NULL,
  remarks TEXT,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT business_partners_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT business_partners_branch_id_fkey FOREIGN KEY(org_id, branch_id) REFERENCES branches (org_id, id),
  CONSTRAINT business_partners_location_id_fkey FOREIGN KEY(org_id, location_id) REFERENCES locations (org_id, id),
  CONSTRAINT business_partners_pan_key UNIQUE (org_id, pan),
  CONSTRAINT business_partners_gstin_key UNIQUE (org_id, gstin),
  CONSTRAINT business_partners_phone_key UNIQUE (org_id, phone),
  CONSTRAINT business_partners_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT business_partners_entity_type_check CHECK (entity_type IN ('proprietor', 'partnership', 'llp', 'private', 'public', 'cooperative', 'individual')),
  CONSTRAINT business_partners_address_state_check CHECK (address_state IN ('Andaman and Nicobar Islands', 'Andhra Pradesh', 'Arunachal Pradesh', 'Assam', 'Bihar', 'Chandigarh', 'Chhattisgarh', 'Dadra and Nagar Haveli and Daman and Diu', 'Delhi', 'Goa', 'Gujarat', 'Haryana', 'Himachal Pradesh', 'Jammu and Kashmir', 'Jharkhand', 'Karnataka', 'Kerala', 'Ladakh', 'Lakshadweep', 'Madhya Pradesh', 'Maharashtra', 'Manipur', 'Meghalaya', 'Mizoram', 'Nagaland', 'Odisha', 'Puducherry', 'Punjab', 'Rajasthan', 'Sikkim', 'Tamil Nadu', 'Telangana', 'Tripura', 'Uttar Pradesh', 'Uttarakhand', 'West Bengal')),
  CONSTRAINT business_partners_credit_limit_check CHECK (credit_limit BETWEEN 0 AND 999999999999.99),
  CONSTRAINT business_partners_exposure_check CHECK (exposure BETWEEN 0 AND 999999999999.99),
  CONSTRAINT business_partners_kyc_state_check CHECK (kyc_state IN ('pending', 'verified', 'expired')),
  CONSTRAINT business_partners_state_check CHECK (state IN ('draft', 'submitted', 'approved', 'suspended', 'inactive', 'rejected'))
);
CREATE INDEX business_partners_branch_id_idx ON business_partners (org_id, branch_id);
CREATE INDEX business_partners_location_id_idx ON business_partners (org_id, location_id);

CREATE TABLE partner_locations (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  partner_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  is_primary BOOLEAN DEFAULT false NOT NULL,
  location_id TEXT,
  address TEXT,
  pincode TEXT,
  state TEXT,
  gstin TEXT,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT partner_locations_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT partner_locations_partner_id_fkey FOREIGN KEY(org_id, partner_id) REFERENCES business_partners (org_id, id) ON DELETE CASCADE,
  CONSTRAINT partner_locations_location_id_fkey FOREIGN KEY(org_id, location_id) REFERENCES locations (org_id, id),
  CONSTRAINT partner_locations_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT partner_locations_kind_check CHECK (kind IN ('registered', 'billing', 'shipping', 'gin', 'warehouse')),
  CONSTRAINT partner_locations_state_check CHECK (state IN ('Andaman and Nicobar Islands', 'Andhra Pradesh', 'Arunachal Pradesh', 'Assam', 'Bihar', 'Chandigarh', 'Chhattisgarh', 'Dadra and Nagar Haveli and Daman and Diu', 'Delhi', 'Goa', 'Gujarat', 'Haryana', 'Himachal Pradesh', 'Jammu and Kashmir', 'Jharkhand', 'Karnataka', 'Kerala', 'Ladakh', 'Lakshadweep', 'Madhya Pradesh', 'Maharashtra', 'Manipur', 'Meghalaya', 'Mizoram', 'Nagaland', 'Odisha', 'Puducherry', 'Punjab', 'Rajasthan', 'Sikkim', 'Tamil Nadu', 'Telangana', 'Tripura', 'Uttar Pradesh', 'Uttarakhand', 'West Bengal'))
);
CREATE INDEX partner_locations_location_id_idx ON partner_locations (org_id, location_id);
CREATE INDEX partner_locations_partner_id_idx ON partner_locations (org_id, partner_id);

CREATE TABLE partner_contacts (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  partner_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  is_primary BOOLEAN DEFAULT false NOT NULL,
  name TEXT NOT NULL,
  phone TEXT,
  email TEXT,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT partner_contacts_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT partner_contacts_partner_id_fkey FOREIGN KEY(org_id, partner_id) REFERENCES business_partners (org_id, id) ON DELETE CASCADE,
  CONSTRAINT partner_contacts_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT partner_contacts_kind_check CHECK (kind IN ('owner', 'manager', 'accounts', 'dispatch', 'other'))
);
CREATE INDEX partner_contacts_partner_id_idx ON partner_contacts (org_id, partner_id);

CREATE TABLE availabilities (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  branch_id TEXT NOT NULL,
  number TEXT,
  seller_id TEXT NOT NULL,
  location_id TEXT,
  commodity_id TEXT NOT NULL,
  variety_id TEXT,
  crop_year TEXT NOT NULL,
  bales_offered INTEGER NOT NULL,
  bales_reserved INTEGER DEFAULT 0 NOT NULL,
  bales_sold INTEGER DEFAULT 0 NOT NULL,
  asking_price_per_candy NUMERIC(12, 2) NOT NULL,
  price_kind TEXT DEFAULT 'negotiable' NOT NULL,
  quality JSONB,
  delivery_terms TEXT,
  payment_terms TEXT,
  valid_until DATE,
  visibility TEXT DEFAULT 'organisation' NOT NULL,
  state TEXT DEFAULT 'draft' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT availabilities_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT availabilities_branch_id_fkey FOREIGN KEY(org_id, branch_id) REFERENCES branches (org_id, id),
  CONSTRAINT availabilities_seller_id_fkey FOREIGN KEY(org_id, seller_id) REFERENCES business_partners (org_id, id),
  CONSTRAINT availabilities_location_id_fkey FOREIGN KEY(org_id, location_id) REFERENCES locations (org_id, id),
  CONSTRAINT availabilities_commodity_id_fkey FOREIGN KEY(org_id, commodity_id) REFERENCES commodities (org_id, id),
  CONSTRAINT availabilities_variety_id_fkey FOREIGN KEY(org_id, variety_id) REFERENCES varieties (org_id, id),
  CONSTRAINT availabilities_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT availabilities_bales_offered_check CHECK (bales_offered BETWEEN 1 AND 1000000),
  CONSTRAINT availabilities_bales_reserved_check CHECK (bales_reserved BETWEEN 0 AND 1000000),
  CONSTRAINT availabilities_bales_sold_check CHECK (bales_sold BETWEEN 0 AND 1000000),
  CONSTRAINT availabilities_asking_price_per_candy_check CHECK (asking_price_per_candy BETWEEN 0.01 AND 9999999999.99),
  CONSTRAINT availabilities_price_kind_check CHECK (price_kind IN ('fixed', 'negotiable', 'on_call')),
  CONSTRAINT availabilities_visibility_check CHECK (visibility IN ('organisation', 'partners', 'private')),
  CONSTRAINT availabilities_state_check CHECK (state IN ('draft', 'active', 'reserved', 'sold', 'expired', 'cancelled'))
);
CREATE INDEX availabilities_branch_id_idx ON availabilities (org_id, branch_id);
CREATE INDEX availabilities_commodity_id_idx ON availabilities (org_id, commodity_id);
CREATE INDEX availabilities_location_id_idx ON availabilities (org_id, location_id);
CREATE INDEX availabilities_seller_id_idx ON availabilities (org_id, seller_id);
CREATE INDEX availabilities_variety_id_idx ON availabilities (org_id, variety_id);

CREATE TABLE requirements (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  branch_id TEXT NOT NULL,
  number TEXT,
  buyer_id TEXT NOT NULL,
  commodity_id TEXT NOT NULL,
  variety_id TEXT,
  bales_min INTEGER NOT NULL,
  bales_max INTEGER NOT NULL,
  quality_limits JSONB,
  price_ceiling_per_candy NUMERIC(12, 2),
  deliver_from DATE,
  deliver_until DATE,
  urgency TEXT DEFAULT 'normal' NOT NULL,
  bales_fulfilled INTEGER DEFAULT 0 NOT NULL,
  state TEXT DEFAULT 'draft' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT requirements_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT requirements_branch_id_fkey FOREIGN KEY(org_id, branch_id) REFERENCES branches (org_id, id),
  CONSTRAINT requirements_buyer_id_fkey FOREIGN KEY(org_id, buyer_id) REFERENCES business_partners (org_id, id),
  CONSTRAINT requirements_commodity_id_fkey FOREIGN KEY(org_id, commodity_id) REFERENCES commodities (org_id, id),
  CONSTRAINT requirements_variety_id_fkey FOREIGN KEY(org_id, variety_id) REFERENCES varieties (org_id, id),
  CONSTRAINT requirements_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT requirements_bales_min_check CHECK (bales_min BETWEEN 1 AND 1000000),
  CONSTRAINT requirements_bales_max_check CHECK (bales_max BETWEEN 1 AND 1000000),
  CONSTRAINT requirements_price_ceiling_per_candy_check CHECK (price_ceiling_per_candy BETWEEN 0.01 AND 9999999999.99),
  CONSTRAINT requirements_urgency_check CHECK (urgency IN ('low', 'normal', 'high')),
  CONSTRAINT requirements_bales_fulfilled_check CHECK (bales_fulfilled BETWEEN 0 AND 1000000),
  CONSTRAINT requirements_state_check CHECK (state IN ('draft', 'open', 'part_filled', 'fulfilled', 'expired', 'cancelled'))
);
CREATE INDEX requirements_branch_id_idx ON requirements (org_id, branch_id);
CREATE INDEX requirements_buyer_id_idx ON requirements (org_id, buyer_id);
CREATE INDEX requirements_commodity_id_idx ON requirements (org_id, commodity_id);
CREATE INDEX requirements_variety_id_idx ON requirements (org_id, variety_id);

CREATE TABLE trades (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  branch_id TEXT NOT NULL,
  number TEXT,
  buyer_id TEXT NOT NULL,
  seller_id TEXT NOT NULL,
  broker_id TEXT,
  availability_id TEXT,
  commodity_id TEXT NOT NULL,
  variety_id TEXT,
  bales INTEGER NOT NULL,
  bale_weight_kg NUMERIC(6, 2) DEFAULT 170 NOT NULL,
  price_per_candy NUMERIC(12, 2) NOT NULL,
  brokerage_pct NUMERIC(5, 2) DEFAULT 0.00 NOT NULL,
  tax_pct NUMERIC(5, 2) DEFAULT 0.00 NOT NULL,
  delivery_terms TEXT,
  payment_terms TEXT,
  quality_bases JSONB,
  trade_date DATE NOT NULL,
  deliver_from DATE,
  deliver_until DATE,
  amount NUMERIC(14, 2),
  tax_amount NUMERIC(14, 2),
  bales_dispatched INTEGER DEFAULT 0 NOT NULL,
  state TEXT DEFAULT 'draft' NOT NULL,
  remarks TEXT,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT trades_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT trades_branch_id_fkey FOREIGN KEY(org_id, branch_id) REFERENCES branches (org_id, id),
  CONSTRAINT trades_buyer_id_fkey FOREIGN KEY(org_id, buyer_id) REFERENCES business_partners (org_id, id),
  CONSTRAINT trades_seller_id_fkey FOREIGN KEY(org_id, seller_id) REFERENCES business_partners (org_id, id),
  CONSTRAINT trades_broker_id_fkey FOREIGN KEY(org_id, broker_id) REFERENCES business_partners (org_id, id),
  CONSTRAINT trades_availability_id_fkey FOREIGN KEY(org_id, availability_id) REFERENCES availabilities (org_id, id),
  CONSTRAINT trades_commodity_id_fkey FOREIGN KEY(org_id, commodity_id) REFERENCES commodities (org_id, id),
  CONSTRAINT trades_variety_id_fkey FOREIGN KEY(org_id, variety_id) REFERENCES varieties (org_id, id),
  CONSTRAINT trades_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT trades_bales_check CHECK (bales BETWEEN 1 AND 1000000),
  CONSTRAINT trades_bale_weight_kg_check CHECK (bale_weight_kg BETWEEN 100 AND 300),
  CONSTRAINT trades_price_per_candy_check CHECK (price_per_candy BETWEEN 0.01 AND 9999999999.99),
  CONSTRAINT trades_brokerage_pct_check CHECK (brokerage_pct BETWEEN 0 AND 100),
  CONSTRAINT trades_tax_pct_check CHECK (tax_pct BETWEEN 0 AND 100),
  CONSTRAINT trades_amount_check CHECK (amount BETWEEN 0 AND 999999999999.99),
  CONSTRAINT trades_tax_amount_check CHECK (tax_amount BETWEEN 0 AND 999999999999.99),
  CONSTRAINT trades_bales_dispatched_check CHECK (bales_dispatched BETWEEN 0 AND 1000000),
  CONSTRAINT trades_state_check CHECK (state IN ('draft', 'confirmed', 'in_delivery', 'completed', 'disputed', 'cancelled'))
);
CREATE INDEX trades_availability_id_idx ON trades (org_id, availability_id);
CREATE INDEX trades_branch_id_idx ON trades (org_id, branch_id);
CREATE INDEX trades_broker_id_idx ON trades (org_id, broker_id);
CREATE INDEX trades_buyer_id_idx ON trades (org_id, buyer_id);
CREATE INDEX trades_commodity_id_idx ON trades (org_id, commodity_id);
CREATE INDEX trades_seller_id_idx ON trades (org_id, seller_id);
CREATE INDEX trades_variety_id_idx ON trades (org_id, variety_id);

CREATE TABLE quality_inspections (
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
  staple_mm NUMERIC(4, 1),
  micronaire NUMERIC(4, 2),
  strength_g_tex NUMERIC(4, 1),
  moisture_pct NUMERIC(5, 2),
  trash_pct NUMERIC(5, 2),
  rd NUMERIC(4, 1),
  plus_b NUMERIC(4, 1),
  short_fibre_index NUMERIC(4, 1),
  grade TEXT,
  method TEXT DEFAULT 'hand' NOT NULL,
  result TEXT,
  inspected_at TIMESTAMP WITH TIME ZONE,
  state TEXT DEFAULT 'draft' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT quality_inspections_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT quality_inspections_trade_id_fkey FOREIGN KEY(org_id, trade_id) REFERENCES trades (org_id, id) ON DELETE CASCADE,
  CONSTRAINT quality_inspections_availability_id_fkey FOREIGN KEY(org_id, availability_id) REFERENCES availabilities (org_id, id),
  CONSTRAINT quality_inspections_location_id_fkey FOREIGN KEY(org_id, location_id) REFERENCES locations (org_id, id),
  CONSTRAINT quality_inspections_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT quality_inspections_latitude_check CHECK (latitude BETWEEN -90 AND 90),
  CONSTRAINT quality_inspections_longitude_check CHECK (longitude BETWEEN -180 AND 180),
  CONSTRAINT quality_inspections_staple_mm_check CHECK (staple_mm BETWEEN 15 AND 45),
  CONSTRAINT quality_inspections_micronaire_check CHECK (micronaire BETWEEN 2 AND 8),
  CONSTRAINT quality_inspections_strength_g_tex_check CHECK (strength_g_tex BETWEEN 10 AND 60),
  CONSTRAINT quality_inspections_moisture_pct_check CHECK (moisture_pct BETWEEN 0 AND 30),
  CONSTRAINT quality_inspections_trash_pct_check CHECK (trash_pct BETWEEN 0 AND 30),
  CONSTRAINT quality_inspections_rd_check CHECK (rd BETWEEN 40 AND 95),
  CONSTRAINT quality_inspections_plus_b_check CHECK (plus_b BETWEEN 2 AND 25),
  CONSTRAINT quality_inspections_short_fibre_index_check CHECK (short_fibre_index BETWEEN 0 AND 50),
  CONSTRAINT quality_inspections_method_check CHECK (method IN ('hand', 'hvi')),
  CONSTRAINT quality_inspections_result_check CHECK (result IN ('pass', 'allowance', 'reject')),
  CONSTRAINT quality_inspections_state_check CHECK (state IN ('draft', 'submitted', 'accepted', 'disputed'))
);
CREATE INDEX quality_inspections_availability_id_idx ON quality_inspections (org_id, availability_id);
CREATE INDEX quality_inspections_location_id_idx ON quality_inspections (org_id, location_id);
CREATE INDEX quality_inspections_trade_id_idx ON quality_inspections (org_id, trade_id);

CREATE TABLE dispatches (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  trade_id TEXT NOT NULL,
  transporter_id TEXT,
  vehicle_number TEXT,
  lr_number TEXT,
  eway_bill TEXT,
  bales INTEGER DEFAULT 0 NOT NULL,
  gross_kg NUMERIC(10, 2),
  tare_kg NUMERIC(10, 2),
  net_kg NUMERIC(10, 2),
  from_location_id TEXT,
  to_location_id TEXT,
  loaded_at TIMESTAMP WITH TIME ZONE,
  departed_at TIMESTAMP WITH TIME ZONE,
  arrived_at TIMESTAMP WITH TIME ZONE,
  latitude NUMERIC(9, 6),
  longitude NUMERIC(9, 6),
  state TEXT DEFAULT 'planned' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT dispatches_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT dispatches_trade_id_fkey FOREIGN KEY(org_id, trade_id) REFERENCES trades (org_id, id) ON DELETE CASCADE,
  CONSTRAINT dispatches_transporter_id_fkey FOREIGN KEY(org_id, transporter_id) REFERENCES business_partners (org_id, id),
  CONSTRAINT dispatches_from_location_id_fkey FOREIGN KEY(org_id, from_location_id) REFERENCES locations (org_id, id),
  CONSTRAINT dispatches_to_location_id_fkey FOREIGN KEY(org_id, to_location_id) REFERENCES locations (org_id, id),
  CONSTRAINT dispatches_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT dispatches_bales_check CHECK (bales BETWEEN 0 AND 100000),
  CONSTRAINT dispatches_gross_kg_check CHECK (gross_kg BETWEEN 0 AND 99999999.99),
  CONSTRAINT dispatches_tare_kg_check CHECK (tare_kg BETWEEN 0 AND 99999999.99),
  CONSTRAINT dispatches_net_kg_check CHECK (net_kg BETWEEN 0 AND 99999999.99),
  CONSTRAINT dispatches_latitude_check CHECK (latitude BETWEEN -90 AND 90),
  CONSTRAINT dispatches_longitude_check CHECK (longitude BETWEEN -180 AND 180),
  CONSTRAINT dispatches_state_check CHECK (state IN ('planned', 'loaded', 'in_transit', 'delivered', 'short', 'rejected'))
);
CREATE INDEX dispatches_from_location_id_idx ON dispatches (org_id, from_location_id);
CREATE INDEX dispatches_to_location_id_idx ON dispatches (org_id, to_location_id);
CREATE INDEX dispatches_trade_id_idx ON dispatches (org_id, trade_id);
CREATE INDEX dispatches_transporter_id_idx ON dispatches (org_id, transporter_id);

CREATE TABLE settings (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  scope TEXT NOT NULL,
  scope_id TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT settings_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT settings_scope_scope_id_key_key UNIQUE (org_id, scope, scope_id, key),
  CONSTRAINT settings_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT settings_scope_check CHECK (scope IN ('org', 'branch', 'user'))
);

CREATE TABLE sync_issues (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  author_id TEXT NOT NULL,
  table_name TEXT NOT NULL,
  record_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  operation TEXT NOT NULL,
  reason_code TEXT NOT NULL,
  sentence TEXT NOT NULL,
  fields TEXT[] DEFAULT '{}' NOT NULL,
  payload JSONB,
  ours JSONB,
  suggestion TEXT,
  state TEXT DEFAULT 'open' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT sync_issues_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT sync_issues_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT sync_issues_kind_check CHECK (kind IN ('refused', 'parked')),
  CONSTRAINT sync_issues_operation_check CHECK (operation IN ('created', 'updated', 'deleted')),
  CONSTRAINT sync_issues_state_check CHECK (state IN ('open', 'resubmitted', 'accepted_ours', 'discarded'))
);
"""


def upgrade() -> None:
    run_script(TABLES)
    for table, owner in CAPTURED:
        install_capture(table, owner=owner)


def downgrade() -> None:
    for table, _ in reversed(CAPTURED):
        remove_capture(table)
        op.execute(f"DROP TABLE {table}")
        op.execute(f"DELETE FROM feed WHERE entity = '{table}'")
