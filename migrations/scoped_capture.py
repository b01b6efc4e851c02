"""Change capture with scopes: every record carries labels, and whoever holds one of them may see it.

Owns: the SQL function `install_scoped_capture`, which writes the capture functions and triggers of one table from its live
columns and the expression of its labels, and the Python helpers that migrations call. It follows migrations/capture.py,
whose head explains how capture works; docs/decisions/0010-scopes.md says why labels are kept this way.
Must not know: the catalogue, who holds what. A migration is frozen; the declarations go on changing.
Invariant: in the transaction in which a record's labels change, `feed.scopes` has the new ones, `label` says from and to
which position it carried each, and the records that follow it got theirs too (tests/integration/test_labels.py).

What is kept, besides what capture.py keeps:
- `feed.scopes`, the labels that a record carries; `feed.past`, those that it carried before and carries no more;
  `feed.relabelled`, the position at which they last changed;
- `label`, a row per record and label, from a position to a position. `org` and `branch` have none: every record of a table
  carries them or none does, so the feed itself is their list;
- `assignment`, which partner was which agent's, from a position to a position;
- `org_clock.rights`, the newest position at which a user, role or grant changed, and `org_clock.assigned`, the same for the
  assignments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from alembic import op

INSTALL_SCOPED_CAPTURE_V1: Final = r"""
CREATE FUNCTION install_scoped_capture(
  target regclass, labels text, assignee name DEFAULT NULL, turns_rights boolean DEFAULT false, followers text[] DEFAULT '{}'
) RETURNS void LANGUAGE plpgsql AS $install$
DECLARE
  home name;
  entity name;
  columns text;
  payload text;
  context text := $$
    actor text := nullif(current_setting('cotton.actor', true), '');
    session text := nullif(current_setting('cotton.session', true), '');
    push text := nullif(current_setting('cotton.push', true), '');
    -- When pushes share a transaction: "table/id" -> [actor, session, push].
    who jsonb := nullif(current_setting('cotton.who', true), '')::jsonb;
    moment timestamptz := clock_timestamp();
    orgs text[];
    ids text[];$$;
  plans text := 'SECURITY DEFINER SET search_path = ' || quote_ident(current_schema()) || ', pg_temp SET enable_seqscan = off';
  -- A row's agent after and before; NULL where the table has none.
  agent text := CASE WHEN assignee IS NULL THEN 'NULL::text' ELSE 'n.' || quote_ident(assignee) END;
  was_agent text := CASE WHEN assignee IS NULL THEN 'NULL::text' ELSE 'o.' || quote_ident(assignee) END;
  clock text;
  log text;
  follow text := '';
  follower text;
BEGIN
  SELECT ns.nspname, c.relname INTO home, entity
  FROM pg_class c JOIN pg_namespace ns ON ns.oid = c.relnamespace WHERE c.oid = target;
  SELECT string_agg(payload_expression(a.atttypid::regtype, a.atttypmod, a.attname), ', ' ORDER BY a.attname <> 'id', a.attnum)
  INTO columns FROM pg_attribute a
  WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'org_id';
  payload := format('row_to_json((SELECT wire FROM (SELECT %s) AS wire))', columns);

  -- `changed` has the rows; its organisations' clocks give them positions, counted down from `top`.
  clock := format($$
    tally AS MATERIALIZED (
      SELECT org_id, count(*) AS moves, %2$L::boolean::integer AS turns, bool_or(agent IS DISTINCT FROM was_agent)::integer AS hands
      FROM changed GROUP BY org_id),
    clock AS MATERIALIZED (
      INSERT INTO %1$I.org_clock AS c (org_id, seq, rights, assigned) SELECT org_id, moves, turns, hands FROM tally ORDER BY org_id
      ON CONFLICT (org_id) DO UPDATE SET seq = c.seq + excluded.seq,
        rights = CASE WHEN excluded.rights > 0 THEN (c.epoch::bigint << 40) + c.seq + excluded.seq ELSE c.rights END,
        assigned = CASE WHEN excluded.assigned > 0 THEN (c.epoch::bigint << 40) + c.seq + excluded.seq ELSE c.assigned END
      RETURNING c.org_id, (c.epoch::bigint << 40) + c.seq AS top)$$, home, turns_rights);
  log := format($$
    INSERT INTO %1$I.event (org_id, position, previous, entity, record_id, op, new, actor, session, push, at)
    SELECT org_id, position, previous, %2$L, id, %%L, %%s, coalesce(doer ->> 0, actor), coalesce(doer ->> 1, session),
      coalesce(doer ->> 2, push), moment FROM moved$$, home, entity);

  -- Labels that a record loses end at its position; those that it gains begin there.
  EXECUTE format($make$
    CREATE OR REPLACE FUNCTION %1$I.capture_insert_%2$s() RETURNS trigger LANGUAGE plpgsql %3$s AS $body$
    DECLARE %4$s
    BEGIN
      IF NOT EXISTS (SELECT FROM new_rows) THEN
        RETURN NULL;  -- an upsert that only updated
      END IF;
      WITH changed AS (SELECT n.*, %5$s AS agent, NULL::text AS was_agent FROM new_rows n), %6$s,
      moved AS MATERIALIZED (
        SELECT n.org_id, n.id, k.top + 1 - row_number() OVER (PARTITION BY n.org_id) AS position,
               f.position AS previous, who -> (%7$L || '/' || n.id) AS doer, %8$s AS scopes, n.agent, %9$s AS payload
        FROM changed n JOIN clock k USING (org_id)
        LEFT JOIN LATERAL (SELECT f.position FROM %1$I.feed f
          WHERE f.org_id = n.org_id AND f.entity = %7$L AND f.id = n.id OFFSET 0) f ON true),
      logged AS (%10$s),
      labelled AS (INSERT INTO %1$I.label (org_id, scope, entity, id, since)
        SELECT DISTINCT m.org_id, s, %7$L, m.id, m.position FROM moved m CROSS JOIN LATERAL unnest(m.scopes) s
        WHERE s NOT IN ('org', 'branch')),
      assigned AS (INSERT INTO %1$I.assignment (org_id, agent_id, partner_id, since)
        SELECT org_id, agent, id, position FROM moved WHERE agent IS NOT NULL)
      INSERT INTO %1$I.feed AS f (org_id, entity, id, position, created_position, author, scope, scopes, relabelled, payload)
      -- scope: what a program from before the labels goes by, while it still runs beside this one.
      SELECT org_id, %7$L, id, position, position, coalesce(doer ->> 0, actor),
        CASE WHEN scopes[1] LIKE 'user:%%' THEN scopes[1] ELSE 'org' END, scopes, position, payload FROM moved
      ON CONFLICT (org_id, entity, id) DO UPDATE SET position = excluded.position,
        created_position = excluded.created_position, author = excluded.author, scope = excluded.scope,
        scopes = excluded.scopes, relabelled = excluded.relabelled, payload = excluded.payload;
      RETURN NULL;
    END $body$$make$, home, entity, plans, context, agent, clock, entity, labels, payload, format(log, 'i', 'payload'));

  FOREACH follower IN ARRAY followers LOOP
    follow := follow || format(E'PERFORM %I.%I(orgs, ids);\n', home, follower);
  END LOOP;

  EXECUTE format($make$
    CREATE OR REPLACE FUNCTION %1$I.capture_update_%2$s() RETURNS trigger LANGUAGE plpgsql %3$s AS $body$
    DECLARE %4$s
    BEGIN
      IF NOT EXISTS (SELECT FROM new_rows) THEN
        RETURN NULL;  -- an upsert that only inserted
      END IF;
      WITH changed AS MATERIALIZED (
        SELECT n.*, %5$s AS agent, %6$s AS was_agent
        FROM new_rows n JOIN old_rows o ON o.org_id = n.org_id AND o.id = n.id WHERE (n.*) IS DISTINCT FROM (o.*)), %7$s,
      moved AS MATERIALIZED (
        SELECT n.org_id, n.id, k.top + 1 - row_number() OVER (PARTITION BY n.org_id) AS position,
               f.position AS previous, f.scopes AS was, who -> (%8$L || '/' || n.id) AS doer, %9$s AS scopes,
               n.agent, n.was_agent, %10$s AS payload
        FROM changed n JOIN clock k USING (org_id)
        LEFT JOIN LATERAL (SELECT f.position, f.scopes FROM %1$I.feed f
          WHERE f.org_id = n.org_id AND f.entity = %8$L AND f.id = n.id OFFSET 0) f ON true),
      logged AS (%11$s),
      %12$s,
      unassigned AS (UPDATE %1$I.assignment a SET until = m.position FROM moved m
        WHERE m.agent IS DISTINCT FROM m.was_agent AND a.org_id = m.org_id AND a.agent_id = m.was_agent
          AND a.partner_id = m.id AND a.until IS NULL),
      assigned AS (INSERT INTO %1$I.assignment (org_id, agent_id, partner_id, since)
        SELECT org_id, agent, id, position FROM moved WHERE agent IS NOT NULL AND agent IS DISTINCT FROM was_agent),
      fed AS (
        INSERT INTO %1$I.feed AS f (org_id, entity, id, position, created_position, author, scope, scopes, relabelled, payload)
        SELECT org_id, %8$L, id, position, position, coalesce(doer ->> 0, actor), 'org', scopes, position, payload FROM moved
        ON CONFLICT (org_id, entity, id) DO UPDATE SET position = excluded.position, payload = excluded.payload, %13$s)
      SELECT array_agg(org_id), array_agg(id) INTO orgs, ids FROM moved WHERE was IS DISTINCT FROM scopes;
      IF orgs IS NOT NULL THEN
        %14$s NULL;
      END IF;
      RETURN NULL;
    END $body$$make$, home, entity, plans, context, agent, was_agent, clock, entity, labels, payload,
    format(log, 'u', 'payload'), relabelling(home, entity, 'scopes'), relabelled_feed(), follow);

  EXECUTE format($make$
    CREATE OR REPLACE FUNCTION %1$I.capture_delete_%2$s() RETURNS trigger LANGUAGE plpgsql %3$s AS $body$
    DECLARE %4$s
    BEGIN
      WITH changed AS (SELECT o.*, NULL::text AS agent, %5$s AS was_agent FROM old_rows o), %6$s,
      moved AS MATERIALIZED (
        SELECT n.org_id, n.id, k.top + 1 - row_number() OVER (PARTITION BY n.org_id) AS position,
               f.position AS previous, f.scopes AS was, who -> (%7$L || '/' || n.id) AS doer, n.was_agent
        FROM changed n JOIN clock k USING (org_id)
        CROSS JOIN LATERAL (SELECT f.position, f.scopes FROM %1$I.feed f
          WHERE f.org_id = n.org_id AND f.entity = %7$L AND f.id = n.id OFFSET 0) f),
      logged AS (%8$s),
      %9$s,
      unassigned AS (UPDATE %1$I.assignment a SET until = m.position FROM moved m
        WHERE a.org_id = m.org_id AND a.agent_id = m.was_agent AND a.partner_id = m.id AND a.until IS NULL)
      INSERT INTO %1$I.feed AS f (org_id, entity, id, position, created_position, author, scope, payload)
      SELECT org_id, %7$L, id, position, position, coalesce(doer ->> 0, actor), 'org', NULL FROM moved
      ON CONFLICT (org_id, entity, id) DO UPDATE SET position = excluded.position, payload = NULL, scopes = '{}',
        relabelled = excluded.position,
        past = ARRAY(SELECT unnest(f.past) UNION SELECT unnest(f.scopes));
      RETURN NULL;
    END $body$$make$, home, entity, plans, context, was_agent, clock, entity, format(log, 'd', 'NULL'),
    relabelling(home, entity, '''{}''::text[]'));

  PERFORM install_triggers(target, home, entity);
END $install$;

CREATE FUNCTION relabelling(home name, entity name, scopes text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  -- The steps by which `label` follows rows of `moved` (was -> scopes); a look-up by primary key per label that ends.
  SELECT format($step$
      ended AS (UPDATE %1$I.label l SET until = gone.position FROM (
          SELECT found.at, m.position FROM moved m CROSS JOIN LATERAL unnest(m.was) s
          CROSS JOIN LATERAL (SELECT l.ctid AS at FROM %1$I.label l WHERE l.org_id = m.org_id AND l.scope = s
            AND l.entity = %2$L AND l.id = m.id AND l.until IS NULL OFFSET 0) found
          WHERE m.was <> %3$s AND s <> ALL (%3$s)) gone
        WHERE l.ctid = gone.at),
      begun AS (INSERT INTO %1$I.label (org_id, scope, entity, id, since)
        SELECT DISTINCT m.org_id, s, %2$L, m.id, m.position FROM moved m CROSS JOIN LATERAL unnest(%3$s) s
        WHERE m.was IS DISTINCT FROM %3$s AND s <> ALL (coalesce(m.was, '{}')) AND s NOT IN ('org', 'branch'))$step$,
    home, entity, scopes)
$$;

CREATE FUNCTION relabelled_feed() RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT $step$scopes = excluded.scopes,
    relabelled = CASE WHEN f.scopes = excluded.scopes THEN f.relabelled ELSE excluded.position END,
    past = CASE WHEN f.scopes = excluded.scopes THEN f.past
      ELSE ARRAY(SELECT unnest(f.past) UNION SELECT unnest(f.scopes) EXCEPT SELECT unnest(excluded.scopes)) END$step$
$$;

CREATE FUNCTION install_triggers(target regclass, home name, entity name) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('DROP TRIGGER IF EXISTS capture_insert ON %s', target);
  EXECUTE format('DROP TRIGGER IF EXISTS capture_update ON %s', target);
  EXECUTE format('DROP TRIGGER IF EXISTS capture_delete ON %s', target);
  EXECUTE format('DROP TRIGGER IF EXISTS refuse_truncate ON %s', target);
  EXECUTE format('DROP TRIGGER IF EXISTS refuse_new_id ON %s', target);
  EXECUTE format('CREATE TRIGGER capture_insert AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION %I.capture_insert_%s()', target, home, entity);
  EXECUTE format('CREATE TRIGGER capture_update AFTER UPDATE ON %s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION %I.capture_update_%s()', target, home, entity);
  EXECUTE format('CREATE TRIGGER capture_delete AFTER DELETE ON %s REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION %I.capture_delete_%s()', target, home, entity);
  EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %s
    FOR EACH STATEMENT EXECUTE FUNCTION %I.refuse_truncate()', target, home);
  EXECUTE format('CREATE TRIGGER refuse_new_id BEFORE UPDATE OF org_id, id ON %s
    FOR EACH ROW WHEN (OLD.org_id IS DISTINCT FROM NEW.org_id OR OLD.id IS DISTINCT FROM NEW.id)
    EXECUTE FUNCTION %I.refuse_new_id()', target, home);
END $$;
"""

INSTALL_FOLLOWER_V1: Final = r"""
CREATE FUNCTION install_follower(target regclass, via name, labels text, followers text[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql AS $install$
DECLARE
  home name;
  entity name;
  follow text := '';
  follower text;
BEGIN
  -- follow_<table>_by_<via>(orgs, ids): the rows whose `via` names one of these records get the labels that they have now.
  SELECT ns.nspname, c.relname INTO home, entity
  FROM pg_class c JOIN pg_namespace ns ON ns.oid = c.relnamespace WHERE c.oid = target;
  FOREACH follower IN ARRAY followers LOOP
    follow := follow || format(E'PERFORM %I.%I(orgs, ids);\n', home, follower);
  END LOOP;
  EXECUTE format($make$
    CREATE OR REPLACE FUNCTION %1$I.follow_%2$s_by_%3$s(leader_orgs text[], leader_ids text[]) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = %1$I, pg_temp SET enable_seqscan = off AS $body$
    DECLARE
      actor text := nullif(current_setting('cotton.actor', true), '');
      session text := nullif(current_setting('cotton.session', true), '');
      push text := nullif(current_setting('cotton.push', true), '');
      orgs text[];
      ids text[];
    BEGIN
      WITH changed AS MATERIALIZED (
        SELECT x.* FROM (
          SELECT n.org_id, n.id, f.position AS previous, f.scopes AS was, f.payload, %4$s AS scopes
          FROM unnest(leader_orgs, leader_ids) AS leader(org_id, id)
          CROSS JOIN LATERAL (SELECT n.* FROM %5$s n WHERE n.org_id = leader.org_id AND n.%3$I = leader.id OFFSET 0) n
          CROSS JOIN LATERAL (SELECT f.position, f.scopes, f.payload FROM %1$I.feed f
            WHERE f.org_id = n.org_id AND f.entity = %6$L AND f.id = n.id OFFSET 0) f
        ) x WHERE x.was <> x.scopes),
      tally AS MATERIALIZED (SELECT org_id, count(*) AS moves FROM changed GROUP BY org_id),
      clock AS MATERIALIZED (
        INSERT INTO %1$I.org_clock AS c (org_id, seq) SELECT org_id, moves FROM tally ORDER BY org_id
        ON CONFLICT (org_id) DO UPDATE SET seq = c.seq + excluded.seq
        RETURNING c.org_id, (c.epoch::bigint << 40) + c.seq AS top),
      moved AS MATERIALIZED (
        SELECT n.*, k.top + 1 - row_number() OVER (PARTITION BY n.org_id) AS position FROM changed n JOIN clock k USING (org_id)),
      logged AS (
        INSERT INTO %1$I.event (org_id, position, previous, entity, record_id, op, new, actor, session, push, at)
        SELECT org_id, position, previous, %6$L, id, 'u', payload, actor, session, push, clock_timestamp() FROM moved),
      %7$s,
      fed AS (
        UPDATE %1$I.feed f SET position = m.position, scopes = m.scopes, relabelled = m.position,
          past = ARRAY(SELECT unnest(f.past) UNION SELECT unnest(f.scopes) EXCEPT SELECT unnest(m.scopes))
        FROM moved m WHERE f.org_id = m.org_id AND f.entity = %6$L AND f.id = m.id)
      SELECT array_agg(org_id), array_agg(id) INTO orgs, ids FROM moved;
      IF orgs IS NOT NULL THEN
        %8$s NULL;
      END IF;
    END $body$$make$, home, entity, via, labels, target, entity, relabelling(home, entity, 'scopes'), follow);
END $install$;
"""


@dataclass(frozen=True, slots=True)
class Captured:
    """A table as a migration captures it: its labels over the row `n`, and who follows whom."""

    table: str
    labels: str
    assignee: str | None
    turns_rights: bool
    followers: tuple[tuple[str, str], ...]
    follows: tuple[str, ...]


def install_capture(
    table: str,
    *,
    labels: str,
    assignee: str | None = None,
    turns_rights: bool = False,
    followers: Sequence[tuple[str, str]] = (),
) -> None:
    """Capture `table` with its labels from now on; call it again after a migration that changes its columns.

    `labels`: a text[] over the row `n`. `assignee`: the column with the agent of a row. `turns_rights`: a change of it may
    change what somebody may see or do. `followers`: (table, column), whose rows carry the labels of the row they name.
    """
    named = ", ".join(f"'follow_{follower}_by_{via}'" for follower, via in followers)
    agent = "NULL" if assignee is None else f"'{assignee}'"
    # exec_driver_sql would read a colon as a parameter; a dollar quote keeps the expression as it is.
    op.execute(
        f"SELECT install_scoped_capture('{table}', $labels${_escaped(labels)}$labels$, {agent}, {str(turns_rights).lower()},"
        f" ARRAY[{named}]::text[])"
    )


def install_follower(table: str, via: str, *, labels: str, followers: Sequence[tuple[str, str]] = ()) -> None:
    """Let the rows of `table` follow the labels of those that their column `via` names."""
    named = ", ".join(f"'follow_{follower}_by_{by}'" for follower, by in followers)
    op.execute(
        f"SELECT install_follower('{table}', '{via}', $labels${_escaped(labels)}$labels$, ARRAY[{named}]::text[])"
    )


def remove_follower(table: str, via: str) -> None:
    """Undo `install_follower`."""
    op.execute(f"DROP FUNCTION follow_{table}_by_{via}(text[], text[])")


def _escaped(sql: str) -> str:
    """Keep SQLAlchemy's text() from reading `:name` as a parameter."""
    return sql.replace(":", "\\:")
