"""What was told of a subject by an index: its words are taken from there too when they may be kept no longer."""

from alembic import op

revision = "0010_told"
down_revision = "0009_grants"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("event_subject", "event", ["workspace_id", "subject"])


def downgrade() -> None:
    op.drop_index("event_subject", "event")
