"""What a deal is settled by: the negotiation a trade comes of, how its broker and its weight are paid, and the lorries of an invoice.

A program from before goes on working: it does not know the columns, and each may be empty or has what was true before.

Revision ID: 0021
Revises: 0020
Create Date: 2026-11-24
"""

from __future__ import annotations

from migrations.capture import rebuild_payloads
from migrations.scoped_capture import Captured, install_capture
from migrations.script import run_script
from migrations.walls import close_functions

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

CAPTURED = (
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
        "invoice_lines",
        "coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_invoice_id.branch_id, 'partner:' || n_invoice_id.buyer_id, 'partner:' || n_invoice_id.seller_id, CASE WHEN NOT (n_invoice_id.state IN ('draft')) THEN 'side:' || n_invoice_id.buyer_id END, CASE WHEN NOT (n_invoice_id.state IN ('draft')) THEN 'side:' || n_invoice_id.seller_id END], NULL) FROM invoices n_invoice_id WHERE n_invoice_id.org_id = n.org_id AND n_invoice_id.id = n.invoice_id), '{}')",
        assignee=None,
        turns_rights=False,
        followers=(),
        follows=("invoice_id",),
    ),
)
"""As they were; their functions are written from the columns, so they are written anew."""

# Some hundred thousand trades and lines at most: looking through them takes a fraction of a second, and only so can it be taken
# back with the rest.
COLUMNS = """
ALTER TABLE trades ADD COLUMN negotiation_id TEXT, ADD COLUMN commission_structure_id TEXT, ADD COLUMN weight_terms JSONB;
-- squawk-ignore adding-foreign-key-constraint, constraint-missing-not-valid
ALTER TABLE trades ADD CONSTRAINT trades_negotiation_id_fkey FOREIGN KEY(org_id, negotiation_id) REFERENCES negotiations (org_id, id);
-- squawk-ignore adding-foreign-key-constraint, constraint-missing-not-valid
ALTER TABLE trades ADD CONSTRAINT trades_commission_structure_id_fkey FOREIGN KEY(org_id, commission_structure_id) REFERENCES commission_structures (org_id, id);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX trades_negotiation_id_idx ON trades (org_id, negotiation_id);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX trades_commission_structure_id_idx ON trades (org_id, commission_structure_id);

ALTER TABLE invoice_lines ADD COLUMN rate_quantity NUMERIC(12, 3) DEFAULT 1.000 NOT NULL, ADD COLUMN dispatch_id TEXT;
-- squawk-ignore adding-foreign-key-constraint, constraint-missing-not-valid
ALTER TABLE invoice_lines ADD CONSTRAINT invoice_lines_dispatch_id_fkey FOREIGN KEY(org_id, dispatch_id) REFERENCES dispatches (org_id, id);
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE invoice_lines ADD CONSTRAINT invoice_lines_rate_quantity_check CHECK (rate_quantity BETWEEN 0.001 AND 999999999.999);
-- Wider bounds take their place: what is taken off is below 0. A program from before reads and adds up such a line as any other.
-- squawk-ignore ban-drop-constraint
ALTER TABLE invoice_lines DROP CONSTRAINT invoice_lines_rate_amount_check, DROP CONSTRAINT invoice_lines_amount_check;
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE invoice_lines ADD CONSTRAINT invoice_lines_rate_amount_check CHECK (rate_amount BETWEEN -999999999999.99 AND 999999999999.99);
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE invoice_lines ADD CONSTRAINT invoice_lines_amount_check CHECK (amount BETWEEN -999999999999.99 AND 999999999999.99);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX invoice_lines_dispatch_id_idx ON invoice_lines (org_id, dispatch_id);
"""

BACK = """
ALTER TABLE trades DROP COLUMN negotiation_id, DROP COLUMN commission_structure_id, DROP COLUMN weight_terms;
ALTER TABLE invoice_lines DROP COLUMN rate_quantity, DROP COLUMN dispatch_id;
"""

BOUNDS_BACK = """
-- What was taken off on an invoice stays written; the older bounds hold from then on.
DO $$
DECLARE
  name text;
  kept text;
BEGIN
  kept := CASE WHEN EXISTS (SELECT FROM invoice_lines WHERE rate_amount < 0 OR amount < 0) THEN ' NOT VALID' ELSE '' END;
  FOREACH name IN ARRAY ARRAY['rate_amount', 'amount'] LOOP
    EXECUTE format('ALTER TABLE invoice_lines DROP CONSTRAINT invoice_lines_%1$s_check,'
      ' ADD CONSTRAINT invoice_lines_%1$s_check CHECK (%1$s BETWEEN 0 AND 999999999999.99)%2$s', name, kept);
  END LOOP;
END $$;
"""


def _capture_anew() -> None:
    for one in CAPTURED:
        install_capture(
            one.table, labels=one.labels, assignee=one.assignee, turns_rights=one.turns_rights, followers=one.followers
        )
        rebuild_payloads(one.table)
    close_functions()


def upgrade() -> None:
    run_script(COLUMNS)
    _capture_anew()


def downgrade() -> None:
    run_script(BACK)
    run_script(BOUNDS_BACK)
    _capture_anew()
