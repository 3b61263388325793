"""What the engine keeps of a channel: its gaps, what it cost, how its payload drifted, whom the network takes us for."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004_channel_engine"
down_revision = "0003_channel_signature"
branch_labels = None
depends_on = None

CURRENT = "NULLIF(current_setting('app.workspace_id', true), '')::uuid"
OF_A_WORKSPACE = ("channel_gap", "channel_spend")
DOCUMENT = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    op.add_column("channel", sa.Column("drift", DOCUMENT, server_default=sa.text("'{}'"), nullable=False))
    op.add_column("channel", sa.Column("account", DOCUMENT, nullable=True))
    op.add_column("channel", sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("channel", sa.Column("check_error", sa.String(), nullable=True))
    op.create_table(
        "channel_gap",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cursor", DOCUMENT, nullable=True),
        sa.Column("recovered", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("workspace_id", "id"),
    )
    op.create_index("channel_gap_of", "channel_gap", ["workspace_id", "channel_id", "id"])
    op.create_index(
        "channel_gap_due",
        "channel_gap",
        ["next_try_at"],
        postgresql_where=sa.text("closed_at IS NULL AND next_try_at IS NOT NULL"),
    )
    op.create_table(
        "channel_spend",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("cost", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "channel_id", "month"),
    )
    for table in OF_A_WORKSPACE:
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO webcare_app")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY of_workspace ON {table} TO webcare_app "
            f"USING (workspace_id = {CURRENT}) WITH CHECK (workspace_id = {CURRENT})"
        )
    # Claimed across workspaces: which gap is due, and nothing of what it is about.
    op.execute("CREATE POLICY across ON channel_gap TO webcare_worker USING (true)")
    op.execute(
        "GRANT SELECT (workspace_id, id, closed_at, next_try_at, lease_until, lease_token) ON channel_gap TO webcare_worker"
    )
    op.execute("GRANT UPDATE (lease_until, lease_token) ON channel_gap TO webcare_worker")


def downgrade() -> None:
    for table in OF_A_WORKSPACE:
        op.drop_table(table)
    for column in ("drift", "account", "checked_at", "check_error"):
        op.drop_column("channel", column)
