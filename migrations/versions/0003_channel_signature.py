"""How an agent is named under an answer is set for each channel."""

import sqlalchemy as sa
from alembic import op

revision = "0003_channel_signature"
down_revision = "0002_security"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Filled without touching the rows: a constant default is kept in the catalogue.
    op.add_column("channel", sa.Column("signature", sa.String(), nullable=False, server_default="initials"))


def downgrade() -> None:
    op.drop_column("channel", "signature")
