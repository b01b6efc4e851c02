"""Alembic's entry: run the migrations on the connection that `sync_server/operate/migrations.py` hands over, or print them.

Must not know: how a database is reached; there is no URL here and no alembic.ini.
Invariant: each migration runs in a transaction of its own, so that one that fails leaves the ones before it
(tests/integration/test_migrations.py).
"""

from __future__ import annotations

from alembic import context

if context.is_offline_mode():
    context.configure(dialect_name="postgresql", literal_binds=True, transaction_per_migration=True)
else:
    context.configure(connection=context.config.attributes["connection"], transaction_per_migration=True)

with context.begin_transaction():
    context.run_migrations()
