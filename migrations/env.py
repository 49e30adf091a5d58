"""Alembic's entry: runs the migrations on the connection that `livestall.app.migrate` opened and will commit."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
