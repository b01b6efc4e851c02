"""Attachments, captured from their first row, and where their bytes are: uploads under way, their parts, and what was kept.

`attachments` was written from the catalogue of its day (`sync_server/store/tables.py`, `sync_server/store/labels.py`), then
frozen. A program from before goes on working: it knows none of these tables.

Revision ID: 0013
Revises: 0012
Create Date: 2026-11-24
"""

from __future__ import annotations

from collections.abc import Sequence

from alembic import op

from migrations.capture import remove_capture
from migrations.scoped_capture import Captured, install_capture, install_follower, remove_follower
from migrations.script import run_script
from migrations.walls import close_functions, tear_down, wall

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ATTACHMENTS = Captured(
    "attachments",
    "coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_partner_id.branch_id, 'agent:' || n_partner_id.assigned_agent_id, 'partner:' || n_partner_id.id, 'side:' || n_partner_id.id], NULL) FROM business_partners n_partner_id WHERE n_partner_id.org_id = n.org_id AND n_partner_id.id = n.partner_id), '{}') || coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_availability_id.branch_id, 'partner:' || n_availability_id.seller_id, CASE WHEN NOT (n_availability_id.state IN ('draft')) THEN 'side:' || n_availability_id.seller_id END, CASE WHEN n_availability_id.visibility IN ('partners') AND n_availability_id.state IN ('active', 'reserved') THEN 'partners' END], NULL) FROM availabilities n_availability_id WHERE n_availability_id.org_id = n.org_id AND n_availability_id.id = n.availability_id), '{}') || coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_trade_id.branch_id, 'partner:' || n_trade_id.buyer_id, 'partner:' || n_trade_id.seller_id, 'partner:' || n_trade_id.broker_id, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.buyer_id END, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.seller_id END, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.broker_id END], NULL) FROM trades n_trade_id WHERE n_trade_id.org_id = n.org_id AND n_trade_id.id = n.trade_id), '{}') || coalesce((SELECT ARRAY(SELECT s FROM unnest(coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_inspection_id_trade_id.branch_id, 'partner:' || n_inspection_id_trade_id.buyer_id, 'partner:' || n_inspection_id_trade_id.seller_id, 'partner:' || n_inspection_id_trade_id.broker_id, CASE WHEN NOT (n_inspection_id_trade_id.state IN ('draft')) THEN 'side:' || n_inspection_id_trade_id.buyer_id END, CASE WHEN NOT (n_inspection_id_trade_id.state IN ('draft')) THEN 'side:' || n_inspection_id_trade_id.seller_id END, CASE WHEN NOT (n_inspection_id_trade_id.state IN ('draft')) THEN 'side:' || n_inspection_id_trade_id.broker_id END], NULL) FROM trades n_inspection_id_trade_id WHERE n_inspection_id_trade_id.org_id = n_inspection_id.org_id AND n_inspection_id_trade_id.id = n_inspection_id.trade_id), '{}')) s WHERE NOT (n_inspection_id.state IN ('draft')) OR s NOT LIKE 'side:%') || ARRAY(SELECT s FROM unnest(coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_inspection_id_availability_id.branch_id, 'partner:' || n_inspection_id_availability_id.seller_id, CASE WHEN NOT (n_inspection_id_availability_id.state IN ('draft')) THEN 'side:' || n_inspection_id_availability_id.seller_id END, CASE WHEN n_inspection_id_availability_id.visibility IN ('partners') AND n_inspection_id_availability_id.state IN ('active', 'reserved') THEN 'partners' END], NULL) FROM availabilities n_inspection_id_availability_id WHERE n_inspection_id_availability_id.org_id = n_inspection_id.org_id AND n_inspection_id_availability_id.id = n_inspection_id.availability_id), '{}')) s WHERE NOT (n_inspection_id.state IN ('draft')) OR s NOT LIKE 'side:%') FROM quality_inspections n_inspection_id WHERE n_inspection_id.org_id = n.org_id AND n_inspection_id.id = n.inspection_id), '{}') || coalesce((SELECT coalesce((SELECT ARRAY(SELECT s FROM unnest(coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_weighment_id_inspection_id_trade_id.branch_id, 'partner:' || n_weighment_id_inspection_id_trade_id.buyer_id, 'partner:' || n_weighment_id_inspection_id_trade_id.seller_id, 'partner:' || n_weighment_id_inspection_id_trade_id.broker_id, CASE WHEN NOT (n_weighment_id_inspection_id_trade_id.state IN ('draft')) THEN 'side:' || n_weighment_id_inspection_id_trade_id.buyer_id END, CASE WHEN NOT (n_weighment_id_inspection_id_trade_id.state IN ('draft')) THEN 'side:' || n_weighment_id_inspection_id_trade_id.seller_id END, CASE WHEN NOT (n_weighment_id_inspection_id_trade_id.state IN ('draft')) THEN 'side:' || n_weighment_id_inspection_id_trade_id.broker_id END], NULL) FROM trades n_weighment_id_inspection_id_trade_id WHERE n_weighment_id_inspection_id_trade_id.org_id = n_weighment_id_inspection_id.org_id AND n_weighment_id_inspection_id_trade_id.id = n_weighment_id_inspection_id.trade_id), '{}')) s WHERE NOT (n_weighment_id_inspection_id.state IN ('draft')) OR s NOT LIKE 'side:%') || ARRAY(SELECT s FROM unnest(coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_weighment_id_inspection_id_availability_id.branch_id, 'partner:' || n_weighment_id_inspection_id_availability_id.seller_id, CASE WHEN NOT (n_weighment_id_inspection_id_availability_id.state IN ('draft')) THEN 'side:' || n_weighment_id_inspection_id_availability_id.seller_id END, CASE WHEN n_weighment_id_inspection_id_availability_id.visibility IN ('partners') AND n_weighment_id_inspection_id_availability_id.state IN ('active', 'reserved') THEN 'partners' END], NULL) FROM availabilities n_weighment_id_inspection_id_availability_id WHERE n_weighment_id_inspection_id_availability_id.org_id = n_weighment_id_inspection_id.org_id AND n_weighment_id_inspection_id_availability_id.id = n_weighment_id_inspection_id.availability_id), '{}')) s WHERE NOT (n_weighment_id_inspection_id.state IN ('draft')) OR s NOT LIKE 'side:%') FROM quality_inspections n_weighment_id_inspection_id WHERE n_weighment_id_inspection_id.org_id = n_weighment_id.org_id AND n_weighment_id_inspection_id.id = n_weighment_id.inspection_id), '{}') || coalesce((SELECT array_remove(ARRAY['partner:' || n_weighment_id_dispatch_id.transporter_id, 'side:' || n_weighment_id_dispatch_id.transporter_id], NULL) || coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_weighment_id_dispatch_id_trade_id.branch_id, 'partner:' || n_weighment_id_dispatch_id_trade_id.buyer_id, 'partner:' || n_weighment_id_dispatch_id_trade_id.seller_id, 'partner:' || n_weighment_id_dispatch_id_trade_id.broker_id, CASE WHEN NOT (n_weighment_id_dispatch_id_trade_id.state IN ('draft')) THEN 'side:' || n_weighment_id_dispatch_id_trade_id.buyer_id END, CASE WHEN NOT (n_weighment_id_dispatch_id_trade_id.state IN ('draft')) THEN 'side:' || n_weighment_id_dispatch_id_trade_id.seller_id END, CASE WHEN NOT (n_weighment_id_dispatch_id_trade_id.state IN ('draft')) THEN 'side:' || n_weighment_id_dispatch_id_trade_id.broker_id END], NULL) FROM trades n_weighment_id_dispatch_id_trade_id WHERE n_weighment_id_dispatch_id_trade_id.org_id = n_weighment_id_dispatch_id.org_id AND n_weighment_id_dispatch_id_trade_id.id = n_weighment_id_dispatch_id.trade_id), '{}') FROM dispatches n_weighment_id_dispatch_id WHERE n_weighment_id_dispatch_id.org_id = n_weighment_id.org_id AND n_weighment_id_dispatch_id.id = n_weighment_id.dispatch_id), '{}') FROM weighments n_weighment_id WHERE n_weighment_id.org_id = n.org_id AND n_weighment_id.id = n.weighment_id), '{}') || coalesce((SELECT array_remove(ARRAY['partner:' || n_dispatch_id.transporter_id, 'side:' || n_dispatch_id.transporter_id], NULL) || coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_dispatch_id_trade_id.branch_id, 'partner:' || n_dispatch_id_trade_id.buyer_id, 'partner:' || n_dispatch_id_trade_id.seller_id, 'partner:' || n_dispatch_id_trade_id.broker_id, CASE WHEN NOT (n_dispatch_id_trade_id.state IN ('draft')) THEN 'side:' || n_dispatch_id_trade_id.buyer_id END, CASE WHEN NOT (n_dispatch_id_trade_id.state IN ('draft')) THEN 'side:' || n_dispatch_id_trade_id.seller_id END, CASE WHEN NOT (n_dispatch_id_trade_id.state IN ('draft')) THEN 'side:' || n_dispatch_id_trade_id.broker_id END], NULL) FROM trades n_dispatch_id_trade_id WHERE n_dispatch_id_trade_id.org_id = n_dispatch_id.org_id AND n_dispatch_id_trade_id.id = n_dispatch_id.trade_id), '{}') FROM dispatches n_dispatch_id WHERE n_dispatch_id.org_id = n.org_id AND n_dispatch_id.id = n.dispatch_id), '{}')",
    assignee=None,
    turns_rights=False,
    followers=(),
    follows=(
        "partner_id",
        "availability_id",
        "trade_id",
        "inspection_id",
        "weighment_id",
        "dispatch_id",
    ),
)

LEADERS = (
    # What was there before, and is followed by attachments from now on.
    Captured(
        "business_partners",
        "array_remove(ARRAY['branch', 'branch:' || n.branch_id, 'agent:' || n.assigned_agent_id, 'partner:' || n.id, 'side:' || n.id], NULL)",
        assignee="assigned_agent_id",
        turns_rights=False,
        followers=(
            ("partner_locations", "partner_id"),
            ("partner_contacts", "partner_id"),
            ("partner_documents", "partner_id"),
            ("partner_vehicles", "partner_id"),
            ("partner_bank_accounts", "partner_id"),
            ("attachments", "partner_id"),
        ),
        follows=(),
    ),
    Captured(
        "availabilities",
        "array_remove(ARRAY['branch', 'branch:' || n.branch_id, 'partner:' || n.seller_id, CASE WHEN NOT (n.state IN ('draft')) THEN 'side:' || n.seller_id END, CASE WHEN n.visibility IN ('partners') AND n.state IN ('active', 'reserved') THEN 'partners' END], NULL)",
        assignee=None,
        turns_rights=False,
        followers=(
            ("matches", "availability_id"),
            ("samples", "availability_id"),
            ("quality_inspections", "availability_id"),
            ("attachments", "availability_id"),
        ),
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
            ("attachments", "trade_id"),
        ),
        follows=(),
    ),
    Captured(
        "quality_inspections",
        "ARRAY(SELECT s FROM unnest(coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_trade_id.branch_id, 'partner:' || n_trade_id.buyer_id, 'partner:' || n_trade_id.seller_id, 'partner:' || n_trade_id.broker_id, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.buyer_id END, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.seller_id END, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.broker_id END], NULL) FROM trades n_trade_id WHERE n_trade_id.org_id = n.org_id AND n_trade_id.id = n.trade_id), '{}')) s WHERE NOT (n.state IN ('draft')) OR s NOT LIKE 'side:%') || ARRAY(SELECT s FROM unnest(coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_availability_id.branch_id, 'partner:' || n_availability_id.seller_id, CASE WHEN NOT (n_availability_id.state IN ('draft')) THEN 'side:' || n_availability_id.seller_id END, CASE WHEN n_availability_id.visibility IN ('partners') AND n_availability_id.state IN ('active', 'reserved') THEN 'partners' END], NULL) FROM availabilities n_availability_id WHERE n_availability_id.org_id = n.org_id AND n_availability_id.id = n.availability_id), '{}')) s WHERE NOT (n.state IN ('draft')) OR s NOT LIKE 'side:%')",
        assignee=None,
        turns_rights=False,
        followers=(
            ("weighments", "inspection_id"),
            ("attachments", "inspection_id"),
        ),
        follows=(
            "trade_id",
            "availability_id",
        ),
    ),
    Captured(
        "weighments",
        "coalesce((SELECT ARRAY(SELECT s FROM unnest(coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_inspection_id_trade_id.branch_id, 'partner:' || n_inspection_id_trade_id.buyer_id, 'partner:' || n_inspection_id_trade_id.seller_id, 'partner:' || n_inspection_id_trade_id.broker_id, CASE WHEN NOT (n_inspection_id_trade_id.state IN ('draft')) THEN 'side:' || n_inspection_id_trade_id.buyer_id END, CASE WHEN NOT (n_inspection_id_trade_id.state IN ('draft')) THEN 'side:' || n_inspection_id_trade_id.seller_id END, CASE WHEN NOT (n_inspection_id_trade_id.state IN ('draft')) THEN 'side:' || n_inspection_id_trade_id.broker_id END], NULL) FROM trades n_inspection_id_trade_id WHERE n_inspection_id_trade_id.org_id = n_inspection_id.org_id AND n_inspection_id_trade_id.id = n_inspection_id.trade_id), '{}')) s WHERE NOT (n_inspection_id.state IN ('draft')) OR s NOT LIKE 'side:%') || ARRAY(SELECT s FROM unnest(coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_inspection_id_availability_id.branch_id, 'partner:' || n_inspection_id_availability_id.seller_id, CASE WHEN NOT (n_inspection_id_availability_id.state IN ('draft')) THEN 'side:' || n_inspection_id_availability_id.seller_id END, CASE WHEN n_inspection_id_availability_id.visibility IN ('partners') AND n_inspection_id_availability_id.state IN ('active', 'reserved') THEN 'partners' END], NULL) FROM availabilities n_inspection_id_availability_id WHERE n_inspection_id_availability_id.org_id = n_inspection_id.org_id AND n_inspection_id_availability_id.id = n_inspection_id.availability_id), '{}')) s WHERE NOT (n_inspection_id.state IN ('draft')) OR s NOT LIKE 'side:%') FROM quality_inspections n_inspection_id WHERE n_inspection_id.org_id = n.org_id AND n_inspection_id.id = n.inspection_id), '{}') || coalesce((SELECT array_remove(ARRAY['partner:' || n_dispatch_id.transporter_id, 'side:' || n_dispatch_id.transporter_id], NULL) || coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_dispatch_id_trade_id.branch_id, 'partner:' || n_dispatch_id_trade_id.buyer_id, 'partner:' || n_dispatch_id_trade_id.seller_id, 'partner:' || n_dispatch_id_trade_id.broker_id, CASE WHEN NOT (n_dispatch_id_trade_id.state IN ('draft')) THEN 'side:' || n_dispatch_id_trade_id.buyer_id END, CASE WHEN NOT (n_dispatch_id_trade_id.state IN ('draft')) THEN 'side:' || n_dispatch_id_trade_id.seller_id END, CASE WHEN NOT (n_dispatch_id_trade_id.state IN ('draft')) THEN 'side:' || n_dispatch_id_trade_id.broker_id END], NULL) FROM trades n_dispatch_id_trade_id WHERE n_dispatch_id_trade_id.org_id = n_dispatch_id.org_id AND n_dispatch_id_trade_id.id = n_dispatch_id.trade_id), '{}') FROM dispatches n_dispatch_id WHERE n_dispatch_id.org_id = n.org_id AND n_dispatch_id.id = n.dispatch_id), '{}')",
        assignee=None,
        turns_rights=False,
        followers=(("attachments", "weighment_id"),),
        follows=(
            "inspection_id",
            "dispatch_id",
        ),
    ),
    Captured(
        "dispatches",
        "array_remove(ARRAY['partner:' || n.transporter_id, 'side:' || n.transporter_id], NULL) || coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_trade_id.branch_id, 'partner:' || n_trade_id.buyer_id, 'partner:' || n_trade_id.seller_id, 'partner:' || n_trade_id.broker_id, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.buyer_id END, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.seller_id END, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.broker_id END], NULL) FROM trades n_trade_id WHERE n_trade_id.org_id = n.org_id AND n_trade_id.id = n.trade_id), '{}')",
        assignee=None,
        turns_rights=False,
        followers=(
            ("weighments", "dispatch_id"),
            ("attachments", "dispatch_id"),
        ),
        follows=("trade_id",),
    ),
)

TABLE = """
CREATE TABLE attachments (
  org_id TEXT NOT NULL,
  id TEXT NOT NULL,
  partner_id TEXT,
  availability_id TEXT,
  trade_id TEXT,
  inspection_id TEXT,
  weighment_id TEXT,
  dispatch_id TEXT,
  kind TEXT DEFAULT 'photo' NOT NULL,
  sha256 TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  media_type TEXT NOT NULL,
  captured_at TIMESTAMP WITH TIME ZONE,
  latitude NUMERIC(9, 6),
  longitude NUMERIC(9, 6),
  state TEXT DEFAULT 'declared' NOT NULL,
  failure TEXT,
  width INTEGER,
  height INTEGER,
  exif_taken_at TIMESTAMP WITH TIME ZONE,
  exif_latitude NUMERIC(9, 6),
  exif_longitude NUMERIC(9, 6),
  exif_camera TEXT,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_by TEXT,
  updated_by TEXT,
  CONSTRAINT attachments_pkey PRIMARY KEY (org_id, id),
  CONSTRAINT attachments_partner_id_fkey FOREIGN KEY(org_id, partner_id) REFERENCES business_partners (org_id, id),
  CONSTRAINT attachments_availability_id_fkey FOREIGN KEY(org_id, availability_id) REFERENCES availabilities (org_id, id),
  CONSTRAINT attachments_trade_id_fkey FOREIGN KEY(org_id, trade_id) REFERENCES trades (org_id, id),
  CONSTRAINT attachments_inspection_id_fkey FOREIGN KEY(org_id, inspection_id) REFERENCES quality_inspections (org_id, id) ON DELETE CASCADE,
  CONSTRAINT attachments_weighment_id_fkey FOREIGN KEY(org_id, weighment_id) REFERENCES weighments (org_id, id),
  CONSTRAINT attachments_dispatch_id_fkey FOREIGN KEY(org_id, dispatch_id) REFERENCES dispatches (org_id, id),
  CONSTRAINT attachments_id_check CHECK (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  CONSTRAINT attachments_kind_check CHECK (kind IN ('photo', 'document', 'slip', 'report', 'other')),
  CONSTRAINT attachments_size_bytes_check CHECK (size_bytes BETWEEN 1 AND 268435456),
  CONSTRAINT attachments_media_type_check CHECK (media_type IN ('image/jpeg', 'image/png', 'image/webp', 'application/pdf')),
  CONSTRAINT attachments_latitude_check CHECK (latitude BETWEEN -90 AND 90),
  CONSTRAINT attachments_longitude_check CHECK (longitude BETWEEN -180 AND 180),
  CONSTRAINT attachments_state_check CHECK (state IN ('declared', 'received', 'verified')),
  CONSTRAINT attachments_failure_check CHECK (failure IN ('wrong_hash', 'wrong_type', 'unreadable', 'too_many_pixels')),
  CONSTRAINT attachments_width_check CHECK (width BETWEEN 1 AND 2147483647),
  CONSTRAINT attachments_height_check CHECK (height BETWEEN 1 AND 2147483647),
  CONSTRAINT attachments_exif_latitude_check CHECK (exif_latitude BETWEEN -90 AND 90),
  CONSTRAINT attachments_exif_longitude_check CHECK (exif_longitude BETWEEN -180 AND 180)
);
CREATE INDEX attachments_availability_id_idx ON attachments (org_id, availability_id);
CREATE INDEX attachments_dispatch_id_idx ON attachments (org_id, dispatch_id);
CREATE INDEX attachments_inspection_id_idx ON attachments (org_id, inspection_id);
CREATE INDEX attachments_partner_id_idx ON attachments (org_id, partner_id);
CREATE INDEX attachments_trade_id_idx ON attachments (org_id, trade_id);
CREATE INDEX attachments_weighment_id_idx ON attachments (org_id, weighment_id);
"""

UPLOADS = """
CREATE TABLE upload (
  org_id text NOT NULL,
  room text NOT NULL,
  attachment_id text NOT NULL,
  user_id text NOT NULL,
  bytes bigint NOT NULL CHECK (bytes > 0),
  received bigint NOT NULL DEFAULT 0 CHECK (received BETWEEN 0 AND bytes),
  began_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  claimed_at timestamptz,
  ended_at timestamptz,
  PRIMARY KEY (org_id, room)
);
CREATE UNIQUE INDEX upload_open ON upload (org_id, attachment_id) WHERE ended_at IS NULL;
CREATE INDEX upload_of_user ON upload (org_id, user_id) WHERE ended_at IS NULL;
COMMENT ON TABLE upload IS 'Bytes of an attachment on their way in; the row stays until its parts are removed from the store.';
COMMENT ON COLUMN upload.room IS 'A random name below which the store has its parts; never shown to anybody.';
COMMENT ON COLUMN upload.claimed_at IS 'When a process began to check the whole; another may take over after a while.';

CREATE TABLE upload_part (
  org_id text NOT NULL,
  room text NOT NULL,
  begins bigint NOT NULL,
  bytes bigint NOT NULL CHECK (bytes > 0),
  name text NOT NULL,
  PRIMARY KEY (org_id, room, begins),
  FOREIGN KEY (org_id, room) REFERENCES upload (org_id, room) ON DELETE CASCADE
);
COMMENT ON TABLE upload_part IS 'A part that was acknowledged: from which byte, and under which name the store has it.';

CREATE TABLE blob (
  org_id text NOT NULL,
  room text NOT NULL,
  attachment_id text NOT NULL,
  user_id text NOT NULL,
  media_type text NOT NULL,
  bytes bigint NOT NULL,
  stored bigint NOT NULL,
  digest bytea NOT NULL,
  thumbnails integer[] NOT NULL DEFAULT '{}',
  kept_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (org_id, room)
);
CREATE INDEX blob_of_attachment ON blob (org_id, attachment_id);
CREATE INDEX blob_of_user ON blob (org_id, user_id);
COMMENT ON TABLE blob IS 'A file that is handed out: what is left of the bytes that came, once they were checked.';
COMMENT ON COLUMN blob.digest IS 'SHA-256 of the file as it is handed out; what the phone declared is of the bytes that it sent.';
COMMENT ON COLUMN blob.stored IS 'Bytes of the file and its thumbnails together, as quotas count them.';
"""

FORGET = """
DELETE FROM feed WHERE entity = 'attachments';
DELETE FROM label WHERE entity = 'attachments';
"""


def _install(one: Captured, followers: Sequence[tuple[str, str]]) -> None:
    for via in one.follows:
        install_follower(one.table, via, labels=one.labels, followers=followers)
    install_capture(
        one.table, labels=one.labels, assignee=one.assignee, turns_rights=one.turns_rights, followers=followers
    )


def upgrade() -> None:
    run_script(TABLE)
    _install(ATTACHMENTS, ())
    wall("attachments", "SELECT, INSERT, UPDATE, DELETE")
    for one in reversed(LEADERS):  # who follows comes before whom it follows: its function is named there
        _install(one, one.followers)
    run_script(UPLOADS)
    wall("upload", "SELECT, INSERT, UPDATE (received, expires_at, claimed_at, ended_at)")
    wall("upload_part", "SELECT, INSERT")
    wall("blob", "SELECT, INSERT")
    close_functions()


def downgrade() -> None:
    tear_down(["blob", "upload_part", "upload"])
    for table in ("blob", "upload_part", "upload"):
        op.execute(f"DROP TABLE {table}")
    for one in reversed(LEADERS):
        _install(one, [(table, via) for table, via in one.followers if table != "attachments"])
    tear_down(["attachments"])
    remove_capture("attachments")
    op.execute("DROP TABLE attachments")
    for via in ATTACHMENTS.follows:
        remove_follower("attachments", via)
    run_script(FORGET)
