"""Alembic migrations: the history of the schema, `NNNN_pre|post_name` (docs/MIGRATIONS.md)."""
