"""The desk: positions, exposure, deliveries and ageing, kept from the log.

A program from before goes on working: it uses none of the tables. They are empty at first; the first look at the log of an
organisation builds them.

Revision ID: 0020
Revises: 0019
Create Date: 2026-11-24
"""

from __future__ import annotations

from migrations.script import run_script
from migrations.walls import tear_down, wall

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE desk_cursor (
  org_id text NOT NULL PRIMARY KEY,
  position bigint NOT NULL
);
COMMENT ON TABLE desk_cursor IS 'How far the log was followed: the desk''s tables have what is before it. 0, or no row: they were never built.';

CREATE TABLE desk_position (
  org_id text NOT NULL,
  key text COLLATE "C" NOT NULL,
  branch_id text NOT NULL,
  commodity_id text NOT NULL,
  variety_id text,
  bales_open bigint NOT NULL,
  bales_asked bigint NOT NULL,
  bales_net bigint NOT NULL,
  bales_traded bigint NOT NULL,
  price_open numeric,
  price_traded numeric,
  PRIMARY KEY (org_id, key)
);
COMMENT ON TABLE desk_position IS 'What a branch has on offer, is asked for and has to deliver, by variety (erp_core/desk.py).';

CREATE TABLE desk_exposure (
  org_id text NOT NULL,
  key text COLLATE "C" NOT NULL,
  branch_id text NOT NULL,
  partner_id text NOT NULL,
  exposure numeric NOT NULL,
  open_trades bigint NOT NULL,
  credit_limit numeric,
  credit_left numeric,
  PRIMARY KEY (org_id, key)
);
COMMENT ON TABLE desk_exposure IS 'Open purchases of a partner against its credit limit; the branch is the partner''s own.';

CREATE TABLE desk_delivery (
  org_id text NOT NULL,
  key text COLLATE "C" NOT NULL,
  branch_id text NOT NULL,
  trade_id text NOT NULL,
  number text,
  state text NOT NULL,
  buyer_id text NOT NULL,
  seller_id text NOT NULL,
  commodity_id text NOT NULL,
  variety_id text,
  deliver_from date,
  deliver_until date,
  bales bigint NOT NULL,
  bales_dispatched bigint NOT NULL,
  bales_delivered bigint NOT NULL,
  bales_left bigint NOT NULL,
  PRIMARY KEY (org_id, key)
);
COMMENT ON TABLE desk_delivery IS 'How far the delivery of each confirmed trade has come.';

CREATE TABLE desk_ageing (
  org_id text NOT NULL,
  key text COLLATE "C" NOT NULL,
  branch_id text NOT NULL,
  partner_id text NOT NULL,
  due_days date[] NOT NULL,
  amounts numeric[] NOT NULL,
  PRIMARY KEY (org_id, key)
);
COMMENT ON TABLE desk_ageing IS 'What a partner owes on invoices of a branch, by the day it is due; the day of reading makes the buckets.';
"""

LINES = ("desk_position", "desk_exposure", "desk_delivery", "desk_ageing")


def upgrade() -> None:
    run_script(TABLES)
    wall("desk_cursor", "SELECT, INSERT, UPDATE (position)")
    for table in LINES:
        wall(table, "SELECT, INSERT, DELETE")


def downgrade() -> None:
    tear_down(["desk_cursor", *LINES])
    for table in ("desk_cursor", *LINES):
        run_script(f"DROP TABLE {table}")
