"""Scopes: records carry labels, users hold scopes, both from a position to a position.

The labels are written from the catalogue of its day (`sync_server/store/labels.py`), then frozen. Every phone has seen its
whole organisation so far, so the floor is raised: each gets its own scope anew with its next pull, as a replacement.

Revision ID: 0005
Revises: 0004
Create Date: 2026-11-23
"""

from __future__ import annotations

from alembic import op

from migrations import capture, scoped_capture
from migrations.scoped_capture import Captured
from migrations.script import run_script

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE org_clock ADD COLUMN rights bigint NOT NULL DEFAULT 0;
ALTER TABLE org_clock ADD COLUMN assigned bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN org_clock.rights IS 'The newest position at which a user, a role or a grant changed.';
COMMENT ON COLUMN org_clock.assigned IS 'The newest position at which a partner was assigned to an agent, or taken from one.';

ALTER TABLE feed ADD COLUMN scopes text[] NOT NULL DEFAULT '{}';
ALTER TABLE feed ADD COLUMN past text[] NOT NULL DEFAULT '{}';
ALTER TABLE feed ADD COLUMN relabelled bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN feed.scopes IS 'The labels that the record carries: whoever holds one of these scopes may see it.';
COMMENT ON COLUMN feed.past IS 'Labels that it carried before and carries no more.';
COMMENT ON COLUMN feed.relabelled IS 'The position at which its labels last changed.';

CREATE TABLE label (
  org_id text NOT NULL,
  scope text NOT NULL,
  entity text NOT NULL,
  id text NOT NULL,
  since bigint NOT NULL,
  until bigint,
  PRIMARY KEY (org_id, scope, entity, id, since)
);
COMMENT ON TABLE label IS 'Which record carried which label, from a position to a position. None for org and branch: the feed itself is their list.';

CREATE TABLE hold (
  org_id text NOT NULL,
  user_id text NOT NULL,
  scope text NOT NULL,
  since bigint NOT NULL,
  until bigint,
  codes text[] NOT NULL,
  PRIMARY KEY (org_id, user_id, scope, since)
);
COMMENT ON TABLE hold IS 'Which scope a user held with which permission codes, from a position to a position, as pulls were answered.';

CREATE TABLE assignment (
  org_id text NOT NULL,
  agent_id text NOT NULL,
  partner_id text NOT NULL,
  since bigint NOT NULL,
  until bigint,
  PRIMARY KEY (org_id, agent_id, partner_id, since)
);
COMMENT ON TABLE assignment IS 'Which partner was assigned to which agent, from a position to a position.';
"""


CAPTURED = (
    Captured(
        "organisations",
        "array_remove(ARRAY['org'], NULL)",
        assignee=None,
        turns_rights=False,
        followers=(),
        follows=(),
    ),
    Captured(
        "branches",
        "array_remove(ARRAY['org'], NULL)",
        assignee=None,
        turns_rights=False,
        followers=(),
        follows=(),
    ),
    Captured(
        "users",
        "array_remove(ARRAY['org', 'user:' || n.id], NULL)",
        assignee=None,
        turns_rights=True,
        followers=(),
        follows=(),
    ),
    Captured(
        "roles",
        "array_remove(ARRAY['org'], NULL)",
        assignee=None,
        turns_rights=True,
        followers=(),
        follows=(),
    ),
    Captured(
        "units",
        "array_remove(ARRAY['org'], NULL)",
        assignee=None,
        turns_rights=False,
        followers=(),
        follows=(),
    ),
    Captured(
        "locations",
        "array_remove(ARRAY['org'], NULL)",
        assignee=None,
        turns_rights=False,
        followers=(),
        follows=(),
    ),
    Captured(
        "commodities",
        "array_remove(ARRAY['org'], NULL)",
        assignee=None,
        turns_rights=False,
        followers=(),
        follows=(),
    ),
    Captured(
        "varieties",
        "array_remove(ARRAY['org'], NULL)",
        assignee=None,
        turns_rights=False,
        followers=(),
        follows=(),
    ),
    Captured(
        "business_partners",
        "array_remove(ARRAY['branch', 'branch:' || n.branch_id, 'agent:' || n.assigned_agent_id, 'partner:' || n.id, 'side:' || n.id], NULL)",
        assignee="assigned_agent_id",
        turns_rights=False,
        followers=(("partner_locations", "partner_id"), ("partner_contacts", "partner_id")),
        follows=(),
    ),
    Captured(
        "grants",
        "array_remove(ARRAY['org', 'user:' || n.user_id], NULL)",
        assignee=None,
        turns_rights=True,
        followers=(),
        follows=(),
    ),
    Captured(
        "partner_locations",
        "coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_partner_id.branch_id, 'agent:' || n_partner_id.assigned_agent_id, 'partner:' || n_partner_id.id, 'side:' || n_partner_id.id], NULL) FROM business_partners n_partner_id WHERE n_partner_id.org_id = n.org_id AND n_partner_id.id = n.partner_id), '{}')",
        assignee=None,
        turns_rights=False,
        followers=(),
        follows=("partner_id",),
    ),
    Captured(
        "partner_contacts",
        "coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_partner_id.branch_id, 'agent:' || n_partner_id.assigned_agent_id, 'partner:' || n_partner_id.id, 'side:' || n_partner_id.id], NULL) FROM business_partners n_partner_id WHERE n_partner_id.org_id = n.org_id AND n_partner_id.id = n.partner_id), '{}')",
        assignee=None,
        turns_rights=False,
        followers=(),
        follows=("partner_id",),
    ),
    Captured(
        "availabilities",
        "array_remove(ARRAY['branch', 'branch:' || n.branch_id, 'partner:' || n.seller_id, CASE WHEN NOT (n.state IN ('draft')) THEN 'side:' || n.seller_id END, CASE WHEN n.visibility IN ('partners') AND n.state IN ('active', 'reserved') THEN 'partners' END], NULL)",
        assignee=None,
        turns_rights=False,
        followers=(("quality_inspections", "availability_id"),),
        follows=(),
    ),
    Captured(
        "requirements",
        "array_remove(ARRAY['branch', 'branch:' || n.branch_id, 'partner:' || n.buyer_id, CASE WHEN NOT (n.state IN ('draft')) THEN 'side:' || n.buyer_id END], NULL)",
        assignee=None,
        turns_rights=False,
        followers=(),
        follows=(),
    ),
    Captured(
        "trades",
        "array_remove(ARRAY['branch', 'branch:' || n.branch_id, 'partner:' || n.buyer_id, 'partner:' || n.seller_id, 'partner:' || n.broker_id, CASE WHEN NOT (n.state IN ('draft')) THEN 'side:' || n.buyer_id END, CASE WHEN NOT (n.state IN ('draft')) THEN 'side:' || n.seller_id END, CASE WHEN NOT (n.state IN ('draft')) THEN 'side:' || n.broker_id END], NULL)",
        assignee=None,
        turns_rights=False,
        followers=(("quality_inspections", "trade_id"), ("dispatches", "trade_id")),
        follows=(),
    ),
    Captured(
        "quality_inspections",
        "ARRAY(SELECT s FROM unnest(coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_trade_id.branch_id, 'partner:' || n_trade_id.buyer_id, 'partner:' || n_trade_id.seller_id, 'partner:' || n_trade_id.broker_id, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.buyer_id END, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.seller_id END, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.broker_id END], NULL) FROM trades n_trade_id WHERE n_trade_id.org_id = n.org_id AND n_trade_id.id = n.trade_id), '{}')) s WHERE NOT (n.state IN ('draft')) OR s NOT LIKE 'side:%') || ARRAY(SELECT s FROM unnest(coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_availability_id.branch_id, 'partner:' || n_availability_id.seller_id, CASE WHEN NOT (n_availability_id.state IN ('draft')) THEN 'side:' || n_availability_id.seller_id END, CASE WHEN n_availability_id.visibility IN ('partners') AND n_availability_id.state IN ('active', 'reserved') THEN 'partners' END], NULL) FROM availabilities n_availability_id WHERE n_availability_id.org_id = n.org_id AND n_availability_id.id = n.availability_id), '{}')) s WHERE NOT (n.state IN ('draft')) OR s NOT LIKE 'side:%')",
        assignee=None,
        turns_rights=False,
        followers=(),
        follows=("trade_id", "availability_id"),
    ),
    Captured(
        "dispatches",
        "array_remove(ARRAY['partner:' || n.transporter_id, 'side:' || n.transporter_id], NULL) || coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_trade_id.branch_id, 'partner:' || n_trade_id.buyer_id, 'partner:' || n_trade_id.seller_id, 'partner:' || n_trade_id.broker_id, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.buyer_id END, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.seller_id END, CASE WHEN NOT (n_trade_id.state IN ('draft')) THEN 'side:' || n_trade_id.broker_id END], NULL) FROM trades n_trade_id WHERE n_trade_id.org_id = n.org_id AND n_trade_id.id = n.trade_id), '{}')",
        assignee=None,
        turns_rights=False,
        followers=(),
        follows=("trade_id",),
    ),
    Captured(
        "settings",
        "array_remove(ARRAY[CASE WHEN n.scope = 'org' THEN 'org' ELSE n.scope || ':' || n.scope_id END, CASE WHEN n.scope = 'branch' THEN 'branch' END], NULL)",
        assignee=None,
        turns_rights=False,
        followers=(),
        follows=(),
    ),
    Captured(
        "sync_issues",
        "array_remove(ARRAY['user:' || n.author_id], NULL)",
        assignee=None,
        turns_rights=False,
        followers=(),
        follows=(),
    ),
)


def upgrade() -> None:
    run_script(TABLES)
    run_script(scoped_capture.INSTALL_SCOPED_CAPTURE_V1)
    run_script(scoped_capture.INSTALL_FOLLOWER_V1)
    for one in CAPTURED:
        for via in one.follows:
            scoped_capture.install_follower(one.table, via, labels=one.labels, followers=one.followers)
        scoped_capture.install_capture(
            one.table,
            labels=one.labels,
            assignee=one.assignee,
            turns_rights=one.turns_rights,
            followers=one.followers,
        )
        run_script(_label_what_is_there(one))
    run_script(
        "UPDATE org_clock SET seq = seq + 1, floor = (epoch::bigint << 40) + seq + 1,"
        " rights = (epoch::bigint << 40) + seq + 1, assigned = (epoch::bigint << 40) + seq + 1"
    )


def _label_what_is_there(one: Captured) -> str:
    script = f"""
    UPDATE feed f SET scopes = {one.labels}, relabelled = f.created_position
      FROM {one.table} n WHERE f.org_id = n.org_id AND f.entity = '{one.table}' AND f.id = n.id;
    INSERT INTO label (org_id, scope, entity, id, since)
      SELECT DISTINCT f.org_id, s, f.entity, f.id, f.created_position FROM feed f CROSS JOIN LATERAL unnest(f.scopes) s
      WHERE f.entity = '{one.table}' AND s NOT IN ('org', 'branch');
    """
    if one.assignee is not None:
        script += f"""
        INSERT INTO assignment (org_id, agent_id, partner_id, since)
          SELECT n.org_id, n.{one.assignee}, n.id, f.created_position
          FROM {one.table} n JOIN feed f ON f.org_id = n.org_id AND f.entity = '{one.table}' AND f.id = n.id
          WHERE n.{one.assignee} IS NOT NULL;
        """
    return script


def downgrade() -> None:
    for one in CAPTURED:
        capture.install_capture(one.table, owner="author_id" if one.table == "sync_issues" else None)
        for via in one.follows:
            scoped_capture.remove_follower(one.table, via)
    op.execute("DROP FUNCTION install_scoped_capture(regclass, text, name, boolean, text[])")
    op.execute("DROP FUNCTION install_follower(regclass, name, text, text[])")
    op.execute("DROP FUNCTION install_triggers(regclass, name, name)")
    op.execute("DROP FUNCTION relabelling(name, name, text)")
    op.execute("DROP FUNCTION relabelled_feed()")
    for table in ("assignment", "hold", "label"):
        op.execute(f"DROP TABLE {table}")
    # What a phone saw of its scope says nothing of the organisation, which it will see again.
    run_script(
        "UPDATE feed f SET scope = 'user:' || n.author_id FROM sync_issues n"
        " WHERE f.org_id = n.org_id AND f.entity = 'sync_issues' AND f.id = n.id;"
        " UPDATE org_clock SET seq = seq + 1, floor = (epoch::bigint << 40) + seq + 1;"
        " ALTER TABLE feed DROP COLUMN scopes, DROP COLUMN past, DROP COLUMN relabelled;"
        " ALTER TABLE org_clock DROP COLUMN rights, DROP COLUMN assigned"
    )
