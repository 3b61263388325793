"""What promises are judged by: the history of each conversation, and holidays from iCalendar feeds."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0013_promises"
down_revision = "0012_heavy"
branch_labels = None
depends_on = None

CURRENT = "NULLIF(current_setting('app.workspace_id', true), '')::uuid"
OF_A_WORKSPACE = ("conversation_change",)
ACROSS = {"calendar": "workspace_id, id, ical_due_at"}
MOMENT = sa.DateTime(timezone=True)

# What is there already gets its history: what was said, what was answered, and what its clocks were told.
KEPT_POLICIES = """
    INSERT INTO sla_version (workspace_id, id, created_at, updated_at, of, subject_id, version, body)
    SELECT workspace_id, uuidv7(), updated_at, updated_at, 'sla_policy', id, version,
           to_jsonb(p) - ARRAY['workspace_id', 'id', 'created_at', 'updated_at', 'version'] FROM sla_policy p ON CONFLICT DO NOTHING
"""
KEPT_CALENDARS = """
    INSERT INTO sla_version (workspace_id, id, created_at, updated_at, of, subject_id, version, body)
    SELECT workspace_id, uuidv7(), updated_at, updated_at, 'calendar', id, version,
           jsonb_build_object('timezone', timezone, 'weekly', weekly, 'holidays', holidays) FROM calendar ON CONFLICT DO NOTHING
"""
# As the clock's row names its terms now; where a version is not kept, nothing is known to have been promised.
NAMED = """
    SELECT jsonb_build_object('policy_id', k.policy_id, 'policy_version', k.policy_version, 'calendar_id', k.calendar_id,
                              'calendar_version', k.calendar_version, 'priority', k.priority) AS terms
    FROM sla_clock k
    JOIN sla_version v ON v.workspace_id = k.workspace_id AND v.subject_id = k.policy_id AND v.version = k.policy_version
    WHERE k.workspace_id = c.workspace_id AND k.conversation_id = c.id AND (v.body ->> 'calendar_id') IS NOT DISTINCT FROM k.calendar_id::text
      AND (k.calendar_id IS NULL OR EXISTS (
          SELECT FROM sla_version h
          WHERE h.workspace_id = k.workspace_id AND h.subject_id = k.calendar_id AND h.version = k.calendar_version))
    ORDER BY k.started_at, k.id LIMIT 1
"""
CHANGE = "INSERT INTO conversation_change (workspace_id, id, conversation_id, kind, at, recorded_at, cause, detail)"
MESSAGES = f"""{CHANGE}
    SELECT c.workspace_id, uuidv7(), c.id, CASE WHEN g.n = 1 THEN 'opened' ELSE 'message' END, g.at, g.at, g.mention_id::text,
           jsonb_build_object('published_at', coalesce(m.published_at, g.at), 'seen', jsonb_build_object(
               'status', 'open', 'priority', c.priority, 'priority_score', c.priority_score, 'channel_type', c.channel_type,
               'channel_id', c.channel_id, 'visibility', c.visibility, 'lang', c.lang, 'sentiment', c.sentiment,
               'issue_keys', c.issue_keys, 'tags', c.tags, 'brand_id', c.brand_id, 'queue_id', c.queue_id, 'team_id', c.team_id,
               'assignee_id', c.assignee_id, 'subject', c.subject, 'author', '{{}}'::jsonb))
           || CASE WHEN g.n = 1 THEN jsonb_build_object('terms', (SELECT terms FROM ({NAMED}) named)) ELSE '{{}}' END
    FROM conversation c
    JOIN (
        SELECT workspace_id, conversation_id, mention_id, at,
               row_number() OVER (PARTITION BY workspace_id, conversation_id ORDER BY at, id) AS n
        FROM message WHERE kind = 'inbound' AND mention_id IS NOT NULL
    ) g ON g.workspace_id = c.workspace_id AND g.conversation_id = c.id
    LEFT JOIN mention m ON m.workspace_id = c.workspace_id AND m.id = g.mention_id
"""
ANSWERS = f"""{CHANGE}
    SELECT workspace_id, uuidv7(), conversation_id, CASE WHEN automatic THEN 'automatic' ELSE 'replied' END, sent_at, sent_at,
           'reply:' || id, CASE WHEN in_reply_to IS NULL THEN '{{}}' ELSE jsonb_build_object('answers', in_reply_to) END
    FROM reply WHERE state IN ('sent', 'deleted') AND sent_at IS NOT NULL
"""
STATUSES = f"""{CHANGE}
    SELECT DISTINCT ON (k.workspace_id, k.conversation_id, e.cause) k.workspace_id, uuidv7(), k.conversation_id, 'status', e.at,
           e.recorded_at, e.cause, CASE e.kind
               WHEN 'paused' THEN jsonb_build_object('from', 'open', 'to', CASE e.reason WHEN 'snoozed' THEN 'snoozed' ELSE 'pending' END)
               WHEN 'resumed' THEN '{{"from": "pending", "to": "open"}}'
               WHEN 'stopped' THEN '{{"from": "open", "to": "resolved"}}' ELSE '{{"from": "resolved", "to": "open"}}' END
    FROM sla_clock_event e JOIN sla_clock k ON k.workspace_id = e.workspace_id AND k.id = e.clock_id
    WHERE e.cause ~ '^(paused|resumed|stopped|reopened):' ORDER BY k.workspace_id, k.conversation_id, e.cause, e.at
"""
TERMS = f"""{CHANGE}
    SELECT DISTINCT ON (k.workspace_id, k.conversation_id, e.cause) k.workspace_id, uuidv7(), k.conversation_id, 'promised', e.at,
           e.recorded_at, e.cause, jsonb_build_object('terms', o.detail -> 'terms' || jsonb_build_object('priority', e.terms -> 'priority'))
    FROM sla_clock_event e JOIN sla_clock k ON k.workspace_id = e.workspace_id AND k.id = e.clock_id
    JOIN conversation_change o ON o.workspace_id = k.workspace_id AND o.conversation_id = k.conversation_id AND o.kind = 'opened'
    WHERE e.kind = 'reapplied' AND jsonb_typeof(o.detail -> 'terms') = 'object'
    ORDER BY k.workspace_id, k.conversation_id, e.cause, e.at
"""


def upgrade() -> None:
    op.add_column("calendar", sa.Column("ical_url", sa.String(), nullable=True))
    op.add_column("calendar", sa.Column("ical_holidays", JSONB(), server_default=sa.text("'[]'"), nullable=False))
    for name in ("ical_read_at", "ical_due_at"):
        op.add_column("calendar", sa.Column(name, MOMENT, nullable=True))
    op.add_column("calendar", sa.Column("ical_error", sa.String(), nullable=True))
    op.create_index(
        "calendar_ical_due", "calendar", ["ical_due_at"], postgresql_where=sa.text("ical_due_at IS NOT NULL")
    )
    op.create_table(
        "conversation_change",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("detail", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id", "conversation_id"], ["conversation.workspace_id", "conversation.id"]),
        sa.PrimaryKeyConstraint("workspace_id", "id"),
    )
    op.create_index(
        "conversation_change_once",
        "conversation_change",
        ["workspace_id", "conversation_id", "kind", "cause"],
        unique=True,
    )
    for statement in (KEPT_POLICIES, KEPT_CALENDARS, MESSAGES, ANSWERS, STATUSES, TERMS):
        op.execute(statement)
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
    op.drop_table("conversation_change")
    op.execute("DROP POLICY across ON calendar")
    op.execute("REVOKE SELECT (workspace_id, id, ical_due_at) ON calendar FROM webcare_worker")
    op.drop_index("calendar_ical_due", table_name="calendar")
    for name in ("ical_error", "ical_due_at", "ical_read_at", "ical_holidays", "ical_url"):
        op.drop_column("calendar", name)
