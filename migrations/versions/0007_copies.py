"""The copies of a mention by an index: where the same words stand at other venues is asked with each mention shown."""

import sqlalchemy as sa
from alembic import op

revision = "0007_copies"
down_revision = "0006_display_rules"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "assessment_copies",
        "assessment",
        ["workspace_id", "duplicate_of", "mention_id"],
        postgresql_where=sa.text("duplicate_of IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("assessment_copies", "assessment")
