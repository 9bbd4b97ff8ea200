"""Drop the columns that nothing reads."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Bring the schema here from the one before."""
    with op.batch_alter_table("absences", schema=None) as batch_op:
        batch_op.drop_column("set_at")

    with op.batch_alter_table("covers", schema=None) as batch_op:
        batch_op.drop_column("why")

    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.drop_column("received_at")

    with op.batch_alter_table("letters", schema=None) as batch_op:
        batch_op.drop_column("message_id")

    with op.batch_alter_table("people", schema=None) as batch_op:
        batch_op.drop_column("login")
        batch_op.drop_column("name")

    with op.batch_alter_table("services", schema=None) as batch_op:
        batch_op.drop_column("answered_at")
