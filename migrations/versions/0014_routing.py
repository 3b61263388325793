"""Who gets which work: skills, shifts, offers, how each queue hands out, and all that a decision knew."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0014_routing"
down_revision = "0013_promises"
branch_labels = None
depends_on = None

CURRENT = "NULLIF(current_setting('app.workspace_id', true), '')::uuid"
OF_A_WORKSPACE = ("skill", "shift", "offer")
ACROSS = {
    "offer": "workspace_id, id, state, expires_at",
    "queue": "workspace_id, id, mode, take_back_offline_s, take_back_silent_s",
    "agent": "workspace_id, id, presence, presence_since",
}
SEEN_OF_CONVERSATIONS = "queue_id, assignee_id, assigned_at"
MOMENT = sa.DateTime(timezone=True)
LANGUAGE = """'[{"kind": "language", "level": 1, "required": true}]'"""


def _text(name: str, *, nullable: bool = True) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=nullable)


def _number(name: str, default: int | None = None) -> sa.Column[int]:
    if default is None:
        return sa.Column(name, sa.Integer(), nullable=True)
    return sa.Column(name, sa.Integer(), server_default=sa.text(str(default)), nullable=False)


OF_QUEUES = (
    lambda: sa.Column("mode", sa.String(), server_default="pull", nullable=False),
    lambda: sa.Column("needs", JSONB(), server_default=sa.text(LANGUAGE), nullable=False),
    lambda: _number("relax_after_s", 300),
    lambda: _number("affinity_s", 604_800),
    lambda: _number("share"),
    lambda: _number("fairness_window_s", 3_600),
    lambda: _number("offer_expires_s", 60),
    lambda: _number("refusals_to_widen", 3),
    lambda: _number("take_back_offline_s"),
    lambda: _number("take_back_silent_s"),
    lambda: sa.Column("calendar_id", sa.Uuid(), nullable=True),
)


def upgrade() -> None:
    op.create_table(
        "skill",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        _text("kind", nullable=False),
        _text("name", nullable=False),
        _text("title"),
        sa.PrimaryKeyConstraint("workspace_id", "id"),
    )
    op.create_index("skill_name", "skill", ["workspace_id", "kind", "name"], unique=True)
    op.create_table(
        "shift",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=True),
        sa.Column("team_id", sa.Uuid(), nullable=True),
        _text("kind", nullable=False),
        _text("note"),
        sa.Column("starts_at", MOMENT, nullable=True),
        sa.Column("ends_at", MOMENT, nullable=True),
        sa.Column("weekly", JSONB(), nullable=True),
        _text("timezone"),
        sa.Column("first_day", sa.Date(), nullable=True),
        sa.Column("last_day", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("workspace_id", "id"),
    )
    op.create_index("shift_of_agent", "shift", ["workspace_id", "agent_id"])
    op.create_index("shift_of_team", "shift", ["workspace_id", "team_id"])
    op.create_table(
        "offer",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("queue_id", sa.Uuid(), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        _text("state", nullable=False),
        sa.Column("offered_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("answered_at", MOMENT, nullable=True),
        _text("reason"),
        sa.ForeignKeyConstraint(["workspace_id", "conversation_id"], ["conversation.workspace_id", "conversation.id"]),
        sa.PrimaryKeyConstraint("workspace_id", "id"),
    )
    one_open = sa.text("state = 'open'")
    op.create_index("offer_open", "offer", ["workspace_id", "conversation_id"], unique=True, postgresql_where=one_open)
    op.create_index("offer_of_agent", "offer", ["workspace_id", "agent_id", "id"])
    op.create_index("offer_of_conversation", "offer", ["workspace_id", "conversation_id", "id"])
    op.create_index("offer_expires", "offer", ["expires_at"], postgresql_where=one_open)
    for column in OF_QUEUES:
        op.add_column("queue", column())
    op.create_foreign_key(
        "queue_calendar", "queue", "calendar", ["workspace_id", "calendar_id"], ["workspace_id", "id"]
    )
    op.add_column("channel", _number("weight", 1))
    for name in ("assigned_at", "queued_at"):
        op.add_column("conversation", sa.Column(name, MOMENT, nullable=True))
    op.add_column("conversation", _text("country"))
    for name in ("item", "rules"):
        op.add_column("routing_decision", sa.Column(name, JSONB(), nullable=True))
    op.create_index(
        "routing_decision_got",
        "routing_decision",
        ["workspace_id", "agent_id", "decided_at"],
        postgresql_where=sa.text("kind IN ('next', 'offer', 'overflow')"),
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
    op.execute(f"GRANT SELECT ({SEEN_OF_CONVERSATIONS}) ON conversation TO webcare_worker")


def downgrade() -> None:
    op.execute(f"REVOKE SELECT ({SEEN_OF_CONVERSATIONS}) ON conversation FROM webcare_worker")
    for table in ("queue", "agent"):
        op.execute(f"DROP POLICY across ON {table}")
        op.execute(f"REVOKE SELECT ({ACROSS[table]}) ON {table} FROM webcare_worker")
    op.drop_index("routing_decision_got", table_name="routing_decision")
    for name in ("rules", "item"):
        op.drop_column("routing_decision", name)
    for name in ("country", "queued_at", "assigned_at"):
        op.drop_column("conversation", name)
    op.drop_column("channel", "weight")
    op.drop_constraint("queue_calendar", "queue", type_="foreignkey")
    for column in reversed(OF_QUEUES):
        op.drop_column("queue", column().name)
    for table in ("offer", "shift", "skill"):
        op.drop_table(table)
