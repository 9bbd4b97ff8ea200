"""x."""

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Bring the schema here from the one before."""
