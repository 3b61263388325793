"""Heads: what a workspace's corrections taught it, a version after another, of which one answers each question."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008_heads"
down_revision = "0007_copies"
branch_labels = None
depends_on = None

CURRENT = "NULLIF(current_setting('app.workspace_id', true), '')::uuid"


def upgrade() -> None:
    op.create_table(
        "head",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("question", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("learned_from", sa.Integer(), nullable=False),
        sa.Column("held_out", sa.Integer(), nullable=False),
        sa.Column("figures", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("because", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("promoted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("weights", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("version > 0", name="head_numbered"),
        sa.PrimaryKeyConstraint("workspace_id", "id"),
    )
    op.create_index("head_version", "head", ["workspace_id", "question", "version"], unique=True)
    op.create_index(
        "head_active", "head", ["workspace_id", "question"], unique=True, postgresql_where=sa.text("state = 'active'")
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON head TO webcare_app")
    op.execute("ALTER TABLE head ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE head FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY of_workspace ON head TO webcare_app "
        f"USING (workspace_id = {CURRENT}) WITH CHECK (workspace_id = {CURRENT})"
    )


def downgrade() -> None:
    op.drop_table("head")
