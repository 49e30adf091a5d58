"""Alembic's entry: runs each migration in a transaction of its own, on the connection of `livestall.app.migrate`.

Indexes on tables that may be large are built outside of it, in `op.get_context().autocommit_block()`.
"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"], transactional_ddl=True, transaction_per_migration=True
)
with context.begin_transaction():
    context.run_migrations()
