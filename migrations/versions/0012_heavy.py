"""Heavy work by a mark of its own: what takes long to do is claimed apart from what does not."""

import sqlalchemy as sa
from alembic import op

revision = "0012_heavy"
down_revision = "0011_masking"
branch_labels = None
depends_on = None

# What waits at this moment is not marked: whoever claims a long text as light work marks it then.


def upgrade() -> None:
    op.add_column("work", sa.Column("heavy", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.drop_index("work_due", "work")
    op.create_index("work_due", "work", ["kind", "heavy", "priority", "due_at", "id"])


def downgrade() -> None:
    op.drop_index("work_due", "work")
    op.create_index("work_due", "work", ["kind", "priority", "due_at", "id"])
    op.drop_column("work", "heavy")
