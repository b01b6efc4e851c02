"""Search over names: one trigram index per table, and the one function through which the server uses it.

Owns: which columns are names, the SQL functions `search_expression`, `install_search`, `remove_search` and `search_names`, and
the Python helpers that migrations call.
Must not know: the catalogue, who may see what is found. A migration is frozen; the server goes on changing.
Invariant: what is found is of the organisation in `cotton.org` and of no other, and is found by the index
(tests/integration/test_listing.py).

Why a function: beside a policy of row level security PostgreSQL uses no index for an operator that might leak what it
compares, and ILIKE is one. The function acts with its owner's rights and names the organisation itself.
Why the organisation is in the index (btree_gin): a common name would else be looked up in every organisation.
"""

from __future__ import annotations

from typing import Final

from alembic import op

MAKE_SEARCH_V1: Final = r"""
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS btree_gin;

CREATE FUNCTION search_expression(target regclass) RETURNS text LANGUAGE sql STABLE AS $$
  -- The names of a row in one text; NULL if the table has none. The separator keeps a match from crossing two of them.
  SELECT string_agg(format('coalesce(%I, '''')', a.attname), ' || E''\n'' || ' ORDER BY a.attname COLLATE "C")
  FROM pg_attribute a WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = 'text'::regtype
    AND a.attname IN ('name', 'legal_name', 'trade_name', 'title', 'number', 'code', 'username', 'lot_number', 'vehicle_number')
$$;

CREATE FUNCTION install_search(target regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  entity name := (SELECT relname FROM pg_class WHERE oid = target);
BEGIN
  EXECUTE format('CREATE INDEX %I ON %s USING gin (org_id, (%s) gin_trgm_ops)', 'search_' || entity, target,
    search_expression(target));
END $$;

CREATE FUNCTION remove_search(target regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('DROP INDEX %I', 'search_' || (SELECT relname FROM pg_class WHERE oid = target));
END $$;
"""

SEARCH_NAMES_V1: Final = r"""
CREATE FUNCTION search_names(entity text, patterns text[]) RETURNS SETOF text LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
DECLARE
  target regclass := to_regclass(quote_ident(entity));
  names text := search_expression(target);
  wanted text;
BEGIN
  IF names IS NULL OR to_regclass(quote_ident('search_' || entity)) IS NULL THEN
    RAISE EXCEPTION 'nothing is searched in %', entity USING ERRCODE = 'invalid_parameter_value';
  END IF;
  SELECT string_agg(format('(%s) ILIKE %L', names, pattern), ' AND ') INTO wanted FROM unnest(patterns) AS pattern;
  RETURN QUERY EXECUTE format('SELECT id FROM %s WHERE org_id = $1 AND %s', target, coalesce(wanted, 'false'))
    USING nullif(current_setting('cotton.org', true), '');
END $$;
"""

TABLES_WITH_NAMES: Final = """
SELECT t.tgrelid::regclass AS tgrelid FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = current_schema()::regnamespace AND t.tgname = 'capture_insert'
  AND search_expression(t.tgrelid) IS NOT NULL ORDER BY c.relname
"""
"""Every captured table that has one: which migrations came before this one is settled, so the list is too."""


def install_search(table: str) -> None:
    """Index the names of `table`, from now on; in the migration that makes the table."""
    op.execute(f"SELECT install_search('{table}')")


def remove_search(table: str) -> None:
    """Undo `install_search`."""
    op.execute(f"SELECT remove_search('{table}')")
