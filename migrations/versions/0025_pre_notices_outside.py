"""Notifications by e-mail and push: what people wish, where their phones are reached, and what is on its way.

Expands only: a program from before goes on writing notifications, which are then told in the app only.

Revision ID: 0025
Revises: 0024
Create Date: 2026-11-24
"""

from __future__ import annotations

from migrations.script import run_script
from migrations.walls import tear_down, wall

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE notice_wish (
  org_id text NOT NULL,
  user_id text NOT NULL,
  email text NOT NULL CHECK (email IN ('at_once', 'daily', 'never')),
  push boolean NOT NULL,
  quiet_from integer NOT NULL CHECK (quiet_from BETWEEN 0 AND 1439),
  quiet_until integer NOT NULL CHECK (quiet_until BETWEEN 0 AND 1439),
  daily_at integer NOT NULL CHECK (daily_at BETWEEN 0 AND 1439),
  zone text NOT NULL,
  muted text[] NOT NULL,
  PRIMARY KEY (org_id, user_id),
  FOREIGN KEY (org_id, user_id) REFERENCES users (org_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE notice_wish IS 'How somebody wants to be told outside of the app; minutes of the day by the clock of zone.';

CREATE TABLE push_address (
  org_id text NOT NULL,
  device_id text NOT NULL,
  user_id text NOT NULL,
  service text NOT NULL CHECK (service IN ('expo', 'fcm', 'apns')),
  token text NOT NULL,
  set_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (org_id, device_id),
  FOREIGN KEY (org_id, device_id) REFERENCES device (org_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE push_address IS 'Where a device is reached by push; it counts while the device is active and of this user.';

CREATE TABLE notice_message (
  org_id text NOT NULL,
  id text NOT NULL,
  notification_id text NOT NULL,
  user_id text NOT NULL,
  way text NOT NULL CHECK (way IN ('email', 'push')),
  device_id text NOT NULL DEFAULT '',
  state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed', 'dropped')),
  due_at timestamptz NOT NULL,
  made_at timestamptz NOT NULL,
  tries integer NOT NULL DEFAULT 0,
  error text NOT NULL DEFAULT '',
  PRIMARY KEY (org_id, id)
);
CREATE INDEX notice_message_due ON notice_message (way, due_at) WHERE state = 'waiting';
COMMENT ON TABLE notice_message IS 'A notification on its way to a person: written with it, taken when it is due, and remembered for a while.';
"""


def upgrade() -> None:
    run_script(TABLES)
    wall("notice_wish", "SELECT, INSERT, UPDATE")
    wall("push_address", "SELECT, INSERT, UPDATE, DELETE")
    wall("notice_message", "SELECT, INSERT")


def downgrade() -> None:
    tear_down(["notice_message", "push_address", "notice_wish"])
    run_script("DROP TABLE notice_message; DROP TABLE push_address; DROP TABLE notice_wish")
