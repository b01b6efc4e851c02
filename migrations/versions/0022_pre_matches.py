"""Matches are kept from the log, and belong to a branch: a pair that crosses branches is for whoever sees all of them.

They followed the labels of both sides, so that somebody who sees one of the two saw the other's id and how well it fits. From now
on a match carries the branch that its two share, or none. A program from before goes on working: it does not know the column,
and what it writes has none until the keeper comes by.

Revision ID: 0022
Revises: 0021
Create Date: 2026-11-24
"""

from __future__ import annotations

from dataclasses import replace

from migrations.capture import rebuild_payloads
from migrations.scoped_capture import Captured, install_capture, install_follower
from migrations.script import run_script
from migrations.walls import close_functions, tear_down, wall

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

BEFORE = (
    # matches first: who follows comes before whom it follows
    Captured(
        "matches",
        "coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_availability_id.branch_id, 'partner:' || n_availability_id.seller_id, CASE WHEN NOT (n_availability_id.state IN ('draft')) THEN 'side:' || n_availability_id.seller_id END, CASE WHEN n_availability_id.visibility IN ('partners') AND n_availability_id.state IN ('active', 'reserved') THEN 'partners' END], NULL) FROM availabilities n_availability_id WHERE n_availability_id.org_id = n.org_id AND n_availability_id.id = n.availability_id), '{}') || coalesce((SELECT array_remove(ARRAY['branch', 'branch:' || n_requirement_id.branch_id, 'partner:' || n_requirement_id.buyer_id, CASE WHEN NOT (n_requirement_id.state IN ('draft')) THEN 'side:' || n_requirement_id.buyer_id END], NULL) FROM requirements n_requirement_id WHERE n_requirement_id.org_id = n.org_id AND n_requirement_id.id = n.requirement_id), '{}')",
        assignee=None,
        turns_rights=False,
        followers=(),
        follows=("availability_id", "requirement_id"),
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
        "requirements",
        "array_remove(ARRAY['branch', 'branch:' || n.branch_id, 'partner:' || n.buyer_id, CASE WHEN NOT (n.state IN ('draft')) THEN 'side:' || n.buyer_id END], NULL)",
        assignee=None,
        turns_rights=False,
        followers=(("matches", "requirement_id"),),
        follows=(),
    ),
)
LABELS = "array_remove(ARRAY['branch', 'branch:' || n.branch_id], NULL)"

COLUMN = """
ALTER TABLE matches ADD COLUMN branch_id TEXT;
-- Some thousand matches at most: looking through them takes milliseconds, and only so can it be taken back with the rest.
-- squawk-ignore adding-foreign-key-constraint, constraint-missing-not-valid
ALTER TABLE matches ADD CONSTRAINT matches_branch_id_fkey FOREIGN KEY(org_id, branch_id) REFERENCES branches (org_id, id);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX matches_branch_id_idx ON matches (org_id, branch_id);
"""

NOBODY_FOLLOWS = """
-- Only the triggers of the two that it followed called them, and those are written anew.
-- squawk-ignore ban-drop-function
DROP FUNCTION follow_matches_by_availability_id(text[], text[]);
-- squawk-ignore ban-drop-function
DROP FUNCTION follow_matches_by_requirement_id(text[], text[]);
"""

RELABEL = """
-- Those of two branches get their labels by moving, too: whoever sees one side only is to lose them.
UPDATE matches m SET branch_id = CASE WHEN a.branch_id = r.branch_id THEN a.branch_id END, updated_at = now()
FROM availabilities a, requirements r
WHERE a.org_id = m.org_id AND a.id = m.availability_id AND r.org_id = m.org_id AND r.id = m.requirement_id;
"""

CURSOR = """
CREATE TABLE match_cursor (
  org_id text NOT NULL PRIMARY KEY,
  position bigint NOT NULL
);
COMMENT ON TABLE match_cursor IS 'How far the log was followed for matches. No row: not at all yet.';
"""


def _capture(one: Captured) -> None:
    install_capture(one.table, labels=one.labels, followers=one.followers)


def upgrade() -> None:
    matches, *leaders = BEFORE
    run_script(COLUMN)
    for one in leaders:
        _capture(replace(one, followers=tuple(pair for pair in one.followers if pair[0] != matches.table)))
    _capture(replace(matches, labels=LABELS))
    run_script(NOBODY_FOLLOWS)
    rebuild_payloads(matches.table)
    run_script(RELABEL)
    run_script(CURSOR)
    wall("match_cursor", "SELECT, INSERT, UPDATE (position)")
    close_functions()


def downgrade() -> None:
    matches = BEFORE[0]
    tear_down(["match_cursor"])
    run_script("DROP TABLE match_cursor; ALTER TABLE matches DROP COLUMN branch_id")
    for via in matches.follows:
        install_follower(matches.table, via, labels=matches.labels, followers=matches.followers)
    for one in BEFORE:
        _capture(one)
    rebuild_payloads(matches.table)
    run_script("UPDATE matches SET updated_at = now()")
    close_functions()
