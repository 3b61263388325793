"""Moderation: what is asked of a venue about a post there; when a mention was hidden, and when a reply of ours was deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0005_moderation"
down_revision = "0004_channel_engine"
branch_labels = None
depends_on = None

CURRENT = "NULLIF(current_setting('app.workspace_id', true), '')::uuid"


def upgrade() -> None:
    op.add_column("mention", sa.Column("hidden_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("reply", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "moderation",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("mention_id", sa.Uuid(), nullable=True),
        sa.Column("reply_id", sa.Uuid(), nullable=True),
        sa.Column("conversation_id", sa.Uuid(), nullable=True),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("sending_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by", sa.String(), nullable=True),
        sa.CheckConstraint("(mention_id IS NULL) <> (reply_id IS NULL)", name="moderation_of_one"),
        sa.PrimaryKeyConstraint("workspace_id", "id"),
    )
    for subject in ("mention", "reply"):
        op.create_index(
            f"moderation_of_{subject}",
            "moderation",
            ["workspace_id", f"{subject}_id", "id"],
            postgresql_where=sa.text(f"{subject}_id IS NOT NULL"),
        )
    op.create_index("moderation_state", "moderation", ["workspace_id", "state", "id"])
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON moderation TO webcare_app")
    op.execute("ALTER TABLE moderation ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE moderation FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY of_workspace ON moderation TO webcare_app "
        f"USING (workspace_id = {CURRENT}) WITH CHECK (workspace_id = {CURRENT})"
    )


def downgrade() -> None:
    op.drop_table("moderation")
    op.drop_column("reply", "deleted_at")
    op.drop_column("mention", "hidden_at")
