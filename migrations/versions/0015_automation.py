"""Automation: rules, how far they have been asked, and what each did about which event."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0015_automation"
down_revision = "0014_routing"
branch_labels = None
depends_on = None

CURRENT = "NULLIF(current_setting('app.workspace_id', true), '')::uuid"
OF_A_WORKSPACE = ("automation_rule", "automation_run", "automation_position")
ACROSS = {
    "automation_rule": "workspace_id, id, status, event",
    "automation_position": "workspace_id, position",
    "event_position": "workspace_id, position",
}
MOMENT = sa.DateTime(timezone=True)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=False)


def _documents(name: str) -> sa.Column[object]:
    return sa.Column(name, JSONB(), server_default=sa.text("'[]'"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "automation_rule",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        _text("name"),
        sa.Column("position", sa.Integer(), nullable=False),
        _text("event"),
        sa.Column("filter", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        _documents("actions"),
        _text("status"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "id"),
    )
    op.create_index("automation_rule_name", "automation_rule", ["workspace_id", "name"], unique=True)
    op.create_table(
        "automation_run",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rule_id", sa.Uuid(), nullable=False),
        _text("rule_name"),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        _text("event_type"),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        _text("outcome"),
        _documents("chain"),
        _documents("steps"),
        sa.Column("error", sa.String(), nullable=True),
        _text("traceparent"),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "id"),
    )
    op.create_index("automation_run_once", "automation_run", ["workspace_id", "rule_id", "event_id"], unique=True)
    op.create_index("automation_run_of_conversation", "automation_run", ["workspace_id", "conversation_id", "id"])
    op.create_index("automation_run_of_rule", "automation_run", ["workspace_id", "rule_id", "id"])
    op.create_index("automation_run_trace", "automation_run", ["workspace_id", "traceparent"])
    op.create_table(
        "automation_position",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id"),
    )
    for table in OF_A_WORKSPACE:
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO webcare_app")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY of_workspace ON {table} TO webcare_app "
            f"USING (workspace_id = {CURRENT}) WITH CHECK (workspace_id = {CURRENT})"
        )
    for table, read in ACROSS.items():
        op.execute(f"CREATE POLICY across ON {table} TO webcare_worker USING (true)")
        op.execute(f"GRANT SELECT ({read}) ON {table} TO webcare_worker")


def downgrade() -> None:
    op.execute("DROP POLICY across ON event_position")
    op.execute("REVOKE SELECT (workspace_id, position) ON event_position FROM webcare_worker")
    for table in ("automation_position", "automation_run", "automation_rule"):
        op.drop_table(table)
