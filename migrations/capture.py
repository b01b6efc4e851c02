"""Change capture: the triggers that turn every write to an entity table into events and feed rows.

Owns: the SQL function `install_capture(table, owner)`, which writes the capture functions and triggers of one table from
its live columns, and the Python helpers that migrations call. DESIGN.md §2 "One log", docs/decisions/0002-capture.md.
Must not know: the catalogue. A migration is frozen; the declarations go on changing.
Invariant: whatever way a row changes (the application, psql, COPY, a cascade), the same transaction gives the row a
position of its organisation's clock, appends one event, and leaves its latest payload in `feed`
(tests/integration/test_capture.py, tests/integration/test_late_commits.py).

How it works. One statement-level trigger per operation sees all changed rows at once in transition tables. It
1. counts the rows per organisation and takes that many positions from `org_clock` with one upsert, whose row lock is held
   until commit: so positions are in commit order, and no reader ever sees position n without seeing all below it;
2. numbers the rows and builds each one's payload, the JSON that phones get, once, here;
3. appends the events, each naming the position of the record's event before it (`previous`), so that a record's history
   is a chain to walk and the log needs no second index;
4. moves the record's row in `feed`. A deleted record stays there as a tombstone: a row without a payload.
The counting is a materialised step: a volatile call or an upsert inside a join would be evaluated again per row.
"""

from __future__ import annotations

from typing import Final

from alembic import op

PAYLOAD_EXPRESSIONS_V1: Final = r"""
CREATE FUNCTION payload_expression(kind regtype, typmod integer, name text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  -- How a column crosses the wire (erp_core/values.py, `plain`): a moment as milliseconds, a set of words and a document
  -- as JSON in a string, a decimal of more than 15 digits as a string (a JavaScript double would round it).
  SELECT CASE
    WHEN kind = 'timestamptz'::regtype THEN format('(date_part(''epoch'', n.%1$I) * 1000)::bigint AS %1$I', name)
    WHEN kind = 'text[]'::regtype THEN format('array_to_json(n.%1$I)::text AS %1$I', name)
    WHEN kind = 'jsonb'::regtype THEN format('n.%1$I::text AS %1$I', name)
    WHEN kind = 'numeric'::regtype AND (typmod = -1 OR ((typmod - 4) >> 16) > 15)
      THEN format('n.%1$I::text AS %1$I', name)
    ELSE format('n.%1$I', name)
  END
$$;
"""

INSTALL_CAPTURE_V1: Final = r"""
CREATE FUNCTION install_capture(target regclass, owner name DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $install$
DECLARE
  home name;
  entity name;
  columns text;
  payload text;
  scope text := CASE WHEN owner IS NULL THEN quote_literal('org') ELSE format('''user:'' || n.%I', owner) END;
  context text := $$
    actor text := nullif(current_setting('cotton.actor', true), '');
    session text := nullif(current_setting('cotton.session', true), '');
    push text := nullif(current_setting('cotton.push', true), '');
    -- When pushes share a transaction: "table/id" -> [actor, session, push].
    who jsonb := nullif(current_setting('cotton.who', true), '')::jsonb;
    moment timestamptz := clock_timestamp();$$;
  -- A plan is kept, so one made while feed was small must still be right once it is large. LATERAL with OFFSET 0 leaves one
  -- way to join, a look-up per changed row; without sequential scans that look-up goes by the primary key; and ON CONFLICT
  -- goes by it in any case. (Joined freely, 1 000 rows took 270 ms instead of 40 in a feed of 3 000 without statistics.)
  plans text := 'SET enable_seqscan = off';
  clock text;
  log text;
BEGIN
  SELECT ns.nspname, c.relname INTO home, entity
  FROM pg_class c JOIN pg_namespace ns ON ns.oid = c.relnamespace WHERE c.oid = target;

  SELECT string_agg(payload_expression(a.atttypid::regtype, a.atttypmod, a.attname), ', ' ORDER BY a.attname <> 'id', a.attnum)
  INTO columns FROM pg_attribute a
  WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'org_id';
  payload := format('row_to_json((SELECT wire FROM (SELECT %s) AS wire))', columns);

  clock := format($$
    tally AS MATERIALIZED (SELECT org_id, count(*) AS moves FROM changed GROUP BY org_id),
    clock AS MATERIALIZED (
      INSERT INTO %1$I.org_clock AS c (org_id, seq) SELECT org_id, moves FROM tally ORDER BY org_id
      ON CONFLICT (org_id) DO UPDATE SET seq = c.seq + excluded.seq
      RETURNING c.org_id, (c.epoch::bigint << 40) + c.seq AS top)$$, home);
  log := format($$
    INSERT INTO %1$I.event (org_id, position, previous, entity, record_id, op, new, actor, session, push, at)
    SELECT org_id, position, previous, %2$L, id, $$, home, entity);

  -- A row that is created, or created again over its tombstone.
  EXECUTE format($make$
    CREATE OR REPLACE FUNCTION %1$I.capture_insert_%2$s() RETURNS trigger LANGUAGE plpgsql %9$s AS $body$
    DECLARE %3$s
    BEGIN
      IF NOT EXISTS (SELECT FROM new_rows) THEN
        RETURN NULL;  -- an upsert that only updated
      END IF;
      WITH changed AS (SELECT * FROM new_rows), %4$s,
      moved AS MATERIALIZED (
        SELECT n.org_id, n.id, k.top + 1 - row_number() OVER (PARTITION BY n.org_id) AS position,
               f.position AS previous, who -> (%7$L || '/' || n.id) AS doer, %5$s AS scope, %6$s AS payload
        FROM changed n JOIN clock k USING (org_id)
        LEFT JOIN LATERAL (SELECT f.position FROM %1$I.feed f
          WHERE f.org_id = n.org_id AND f.entity = %7$L AND f.id = n.id OFFSET 0) f ON true),
      logged AS (%8$s 'i', payload, coalesce(doer ->> 0, actor), coalesce(doer ->> 1, session),
        coalesce(doer ->> 2, push), moment FROM moved)
      INSERT INTO %1$I.feed AS f (org_id, entity, id, position, created_position, author, scope, payload)
      SELECT org_id, %7$L, id, position, position, coalesce(doer ->> 0, actor), scope, payload FROM moved
      ON CONFLICT (org_id, entity, id) DO UPDATE SET position = excluded.position,
        created_position = excluded.created_position, author = excluded.author, scope = excluded.scope,
        payload = excluded.payload;
      RETURN NULL;
    END $body$$make$, home, entity, context, clock, scope, payload, entity, log, plans);

  -- A row that is updated. One that an UPDATE left as it was did not change: it gets no position and wakes no phone.
  EXECUTE format($make$
    CREATE OR REPLACE FUNCTION %1$I.capture_update_%2$s() RETURNS trigger LANGUAGE plpgsql %9$s AS $body$
    DECLARE %3$s
    BEGIN
      IF NOT EXISTS (SELECT FROM new_rows) THEN
        RETURN NULL;  -- an upsert that only inserted
      END IF;
      WITH changed AS MATERIALIZED (
        SELECT n.* FROM new_rows n JOIN old_rows o ON o.org_id = n.org_id AND o.id = n.id WHERE (n.*) IS DISTINCT FROM (o.*)), %4$s,
      moved AS MATERIALIZED (
        SELECT n.org_id, n.id, k.top + 1 - row_number() OVER (PARTITION BY n.org_id) AS position,
               f.position AS previous, who -> (%7$L || '/' || n.id) AS doer, %5$s AS scope, %6$s AS payload
        FROM changed n JOIN clock k USING (org_id)
        LEFT JOIN LATERAL (SELECT f.position FROM %1$I.feed f
          WHERE f.org_id = n.org_id AND f.entity = %7$L AND f.id = n.id OFFSET 0) f ON true),
      logged AS (%8$s 'u', payload, coalesce(doer ->> 0, actor), coalesce(doer ->> 1, session),
        coalesce(doer ->> 2, push), moment FROM moved)
      INSERT INTO %1$I.feed AS f (org_id, entity, id, position, created_position, author, scope, payload)
      SELECT org_id, %7$L, id, position, position, coalesce(doer ->> 0, actor), scope, payload FROM moved
      ON CONFLICT (org_id, entity, id) DO UPDATE SET position = excluded.position, scope = excluded.scope,
        payload = excluded.payload;
      RETURN NULL;
    END $body$$make$, home, entity, context, clock, scope, payload, entity, log, plans);

  -- A row that is deleted: its feed row becomes the tombstone.
  EXECUTE format($make$
    CREATE OR REPLACE FUNCTION %1$I.capture_delete_%2$s() RETURNS trigger LANGUAGE plpgsql %7$s AS $body$
    DECLARE %3$s
    BEGIN
      WITH changed AS (SELECT * FROM old_rows), %4$s,
      moved AS MATERIALIZED (
        SELECT n.org_id, n.id, k.top + 1 - row_number() OVER (PARTITION BY n.org_id) AS position,
               f.position AS previous, who -> (%5$L || '/' || n.id) AS doer, f.scope
        FROM changed n JOIN clock k USING (org_id)
        CROSS JOIN LATERAL (SELECT f.position, f.scope FROM %1$I.feed f
          WHERE f.org_id = n.org_id AND f.entity = %5$L AND f.id = n.id OFFSET 0) f),
      logged AS (%6$s 'd', NULL, coalesce(doer ->> 0, actor), coalesce(doer ->> 1, session),
        coalesce(doer ->> 2, push), moment FROM moved)
      INSERT INTO %1$I.feed AS f (org_id, entity, id, position, created_position, author, scope, payload)
      SELECT org_id, %5$L, id, position, position, coalesce(doer ->> 0, actor), scope, NULL FROM moved
      ON CONFLICT (org_id, entity, id) DO UPDATE SET position = excluded.position, payload = NULL;
      RETURN NULL;
    END $body$$make$, home, entity, context, clock, entity, log, plans);

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
END $install$;

CREATE FUNCTION refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'TRUNCATE of % is refused: phones would keep the rows', TG_TABLE_NAME
    USING HINT = 'DELETE the rows instead; every phone then hears of it.', ERRCODE = 'feature_not_supported';
END $$;

CREATE FUNCTION refuse_new_id() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the id and organisation of a row of % never change', TG_TABLE_NAME
    USING HINT = 'INSERT a new row and DELETE the old one.', ERRCODE = 'feature_not_supported';
END $$;

CREATE FUNCTION remove_capture(target regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  home name;
  entity name;
BEGIN
  SELECT ns.nspname, c.relname INTO home, entity
  FROM pg_class c JOIN pg_namespace ns ON ns.oid = c.relnamespace WHERE c.oid = target;
  EXECUTE format('DROP TRIGGER capture_insert ON %s', target);
  EXECUTE format('DROP TRIGGER capture_update ON %s', target);
  EXECUTE format('DROP TRIGGER capture_delete ON %s', target);
  EXECUTE format('DROP TRIGGER refuse_truncate ON %s', target);
  EXECUTE format('DROP TRIGGER refuse_new_id ON %s', target);
  EXECUTE format('DROP FUNCTION %I.capture_insert_%s(), %I.capture_update_%s(), %I.capture_delete_%s()',
    home, entity, home, entity, home, entity);
END $$;
"""

REBUILD_PAYLOADS_V1: Final = r"""
CREATE FUNCTION rebuild_payloads(target regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  home name;
  entity name;
  columns text;
  rebuilt bigint;
BEGIN
  -- After a migration changed a table's columns: the payloads get the new shape, the positions stay. A phone that
  -- learns the column asks for it with its migration sync; the others need nothing.
  SELECT ns.nspname, c.relname INTO home, entity
  FROM pg_class c JOIN pg_namespace ns ON ns.oid = c.relnamespace WHERE c.oid = target;
  SELECT string_agg(payload_expression(a.atttypid::regtype, a.atttypmod, a.attname), ', ' ORDER BY a.attname <> 'id', a.attnum)
  INTO columns FROM pg_attribute a
  WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'org_id';
  EXECUTE format('UPDATE %1$I.feed f SET payload = row_to_json((SELECT wire FROM (SELECT %2$s) AS wire))
    FROM %3$s n WHERE f.org_id = n.org_id AND f.entity = %4$L AND f.id = n.id', home, columns, target, entity);
  GET DIAGNOSTICS rebuilt = ROW_COUNT;
  RETURN rebuilt;
END $$;
"""


def install_capture(table: str, *, owner: str | None = None) -> None:
    """Capture `table` from now on; `owner` names the column with the user who alone sees a row.

    Call it again after a migration that adds, drops or retypes a column, then `rebuild_payloads(table)`.
    """
    argument = f", '{owner}'" if owner else ""
    op.execute(f"SELECT install_capture('{table}'{argument})")


def remove_capture(table: str) -> None:
    """Stop capturing `table`: the downgrade of `install_capture`."""
    op.execute(f"SELECT remove_capture('{table}')")


def rebuild_payloads(table: str) -> None:
    """Give every feed row of `table` the payload of its present columns, without moving a position."""
    op.execute(f"SELECT rebuild_payloads('{table}')")
