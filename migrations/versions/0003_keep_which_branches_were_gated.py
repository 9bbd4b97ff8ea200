"""Keep which branches were gated at the last poll."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Bring the schema here from the one before."""
    with op.batch_alter_table("timers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("branches", sa.JSON(), nullable=True))
