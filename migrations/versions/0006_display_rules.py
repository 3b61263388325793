"""What venues let us keep and show, and how far each channel's mentions were blanked by it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006_display_rules"
down_revision = "0005_moderation"
branch_labels = None
depends_on = None

DOCUMENT = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    op.add_column("channel_type", sa.Column("display_rules", DOCUMENT, server_default=sa.text("'{}'"), nullable=False))
    op.add_column("channel", sa.Column("expired_to", sa.Uuid(), nullable=True))
    op.add_column("mention", sa.Column("expired_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("mention", "expired_at")
    op.drop_column("channel", "expired_to")
    op.drop_column("channel_type", "display_rules")
