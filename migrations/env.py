"""How alembic reaches the database: by the connection, and inside the transaction, that app/db/schema.py gives it."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
