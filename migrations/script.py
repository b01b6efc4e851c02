"""Run a script of several SQL statements inside a migration.

Owns: the one place that reaches through SQLAlchemy to the driver, because asyncpg prepares what SQLAlchemy executes and a
prepared statement is a single one.
Invariant: the script runs in the migration's own transaction; offline (`--sql`) it is printed as it is.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy.util import await_only


def run_script(sql: str) -> None:
    """Execute every statement of `sql`, in order."""
    if op.get_context().as_sql:
        op.execute(sql)
        return
    bind = op.get_bind()
    bind.exec_driver_sql("SELECT 1")  # makes the adapter open the transaction before we go behind its back
    driver = bind.connection.driver_connection
    assert driver is not None
    await_only(driver.execute(sql))
