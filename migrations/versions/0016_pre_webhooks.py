"""Webhooks: who is to be told of which changes, how far each has been followed in the log, and what became of every delivery.

A program from before goes on working: it uses neither table.

Revision ID: 0016
Revises: 0015
Create Date: 2026-11-24
"""

from __future__ import annotations

from alembic import op

from migrations.script import run_script
from migrations.walls import tear_down, wall

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE webhook (
  org_id text NOT NULL,
  id text NOT NULL,
  owner_id text NOT NULL,
  name text NOT NULL,
  url text NOT NULL,
  events text[] NOT NULL,
  scopes text[] NOT NULL,
  state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'broken')),
  reason text NOT NULL DEFAULT '',
  position bigint NOT NULL,
  secret bytea NOT NULL,
  secret_before bytea,
  secret_before_until timestamptz,
  failures integer NOT NULL DEFAULT 0,
  closed_until timestamptz,
  made_at timestamptz NOT NULL,
  changed_at timestamptz NOT NULL,
  PRIMARY KEY (org_id, id)
);
COMMENT ON TABLE webhook IS 'Who is told of which changes over HTTP. Its owner''s rights decide what is told, at the moment of telling.';
COMMENT ON COLUMN webhook.position IS 'How far the log was read: what is behind it has its rows in webhook_delivery, or does not concern this webhook.';
COMMENT ON COLUMN webhook.secret IS 'Encrypted with the secret key of the server, which is not in the database.';
COMMENT ON COLUMN webhook.closed_until IS 'The circuit: until then nothing is sent to an endpoint that keeps failing.';

CREATE TABLE webhook_delivery (
  org_id text NOT NULL,
  id text NOT NULL,
  number bigint GENERATED ALWAYS AS IDENTITY,
  webhook_id text NOT NULL,
  position bigint,
  entity text NOT NULL DEFAULT '',
  record_id text NOT NULL DEFAULT '',
  type text NOT NULL,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead', 'withheld')),
  attempts integer NOT NULL DEFAULT 0,
  made_at timestamptz NOT NULL,
  next_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  leased_until timestamptz,
  tried_at timestamptz,
  status integer,
  error text NOT NULL DEFAULT '',
  ms integer,
  PRIMARY KEY (org_id, id),
  UNIQUE (org_id, webhook_id, position),
  FOREIGN KEY (org_id, webhook_id) REFERENCES webhook (org_id, id) ON DELETE CASCADE
);
CREATE INDEX webhook_delivery_listed ON webhook_delivery (org_id, webhook_id, number);
CREATE INDEX webhook_delivery_due ON webhook_delivery (org_id, webhook_id, next_at) WHERE state = 'pending';
CREATE INDEX webhook_delivery_of_record ON webhook_delivery (org_id, webhook_id, entity, record_id, position) WHERE state = 'pending';
CREATE INDEX webhook_delivery_settled ON webhook_delivery (tried_at) WHERE state <> 'pending';
COMMENT ON TABLE webhook_delivery IS 'One event on its way to one webhook. What is sent is not kept: it is made anew of the log for every attempt.';
COMMENT ON COLUMN webhook_delivery.leased_until IS 'A process is at it; should that process die, another one takes it up then.';
"""


def upgrade() -> None:
    run_script(TABLES)
    wall("webhook", "SELECT, INSERT, UPDATE, DELETE")
    wall("webhook_delivery", "SELECT, INSERT, UPDATE, DELETE")


def downgrade() -> None:
    tear_down(["webhook_delivery", "webhook"])
    op.execute("DROP TABLE webhook_delivery")
    op.execute("DROP TABLE webhook")
