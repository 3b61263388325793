"""Roles, row-level security, partitions by month and the one search function.

Two roles that own nothing and cannot log in: a connection becomes one of them. `webcare_app` sees the rows of the
workspace that was set. `webcare_worker` sees ids and due times of all workspaces, so that work can be claimed.
"""

from alembic import op

revision = "0002_security"
down_revision = "0001_tables"
branch_labels = None
depends_on = None

CURRENT = "NULLIF(current_setting('app.workspace_id', true), '')::uuid"

OF_A_WORKSPACE = (
    "agent", "api_key", "assessment", "author", "brand", "calendar", "channel", "conversation", "correction", "delivery",
    "delivery_attempt", "event", "event_position", "event_sequence", "idempotency_record", "issue_type", "ledger_delta",
    "ledger_hour", "mention", "mention_key", "mention_revision", "message", "outbox", "playbook", "playbook_version",
    "quarantine", "query", "queue", "reply", "report", "routing_decision", "sla_clock", "sla_clock_event", "sla_policy",
    "sla_notice", "sla_version", "team", "webhook_endpoint", "work",
)  # fmt: skip

# What the worker's role may read (and change) across workspaces: ids, kinds and due times, never anybody's words.
ACROSS = {
    "work": ("*", "*"),
    "delivery": ("*", "*"),
    "outbox": ("workspace_id, id", ""),
    "channel": ("workspace_id, id, type, status, next_poll_at, lease_until, lease_token", "lease_until, lease_token"),
    "api_key": ("workspace_id, id, prefix, hash, role, agent_id, expires_at, revoked_at, last_used_at", "last_used_at"),
    "sla_clock": ("workspace_id, id, notice_at, state", ""),
    "conversation": ("workspace_id, id, status, snoozed_until, resolved_at", ""),
    "reply": ("workspace_id, id, state, sending_at", ""),
    "idempotency_record": ("workspace_id, client_id, key, expires_at", ""),
    "ledger_delta": ("workspace_id, id, hour", ""),
}

PARTITIONED = {"mention": "id", "event": "id", "assessment": "mention_id"}


def _role(name: str) -> None:
    op.execute(
        f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') THEN CREATE ROLE {name} NOLOGIN; END IF; "
        "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )


def upgrade() -> None:
    for role in ("webcare_app", "webcare_worker", "webcare_search"):
        _role(role)
    op.execute("GRANT webcare_app, webcare_worker, webcare_search TO CURRENT_USER")
    op.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    op.execute("GRANT USAGE ON SCHEMA public TO webcare_app, webcare_worker, webcare_search")
    op.execute("GRANT USAGE ON SEQUENCE conversation_number TO webcare_app")

    for table in OF_A_WORKSPACE:
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO webcare_app")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY of_workspace ON {table} TO webcare_app "
            f"USING (workspace_id = {CURRENT}) WITH CHECK (workspace_id = {CURRENT})"
        )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON workspace TO webcare_app")
    op.execute("ALTER TABLE workspace ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE workspace FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY itself ON workspace TO webcare_app USING (id = {CURRENT}) WITH CHECK (id = {CURRENT})")
    op.execute("CREATE POLICY across ON workspace TO webcare_worker USING (true)")
    op.execute("GRANT SELECT (id, slug) ON workspace TO webcare_worker")

    for table, (read, change) in ACROSS.items():
        op.execute(f"CREATE POLICY across ON {table} TO webcare_worker USING (true)")
        op.execute(f"GRANT SELECT {'' if read == '*' else f'({read})'} ON {table} TO webcare_worker")
        if change:
            op.execute(f"GRANT UPDATE {'' if change == '*' else f'({change})'} ON {table} TO webcare_worker")
    op.execute("GRANT SELECT ON channel_type, alembic_version TO webcare_app")
    op.execute("GRANT SELECT ON alembic_version TO webcare_worker")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON heartbeat, channel_type TO webcare_worker")

    _partitions()
    _search()


def _partitions() -> None:
    for table in PARTITIONED:
        op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")
    tables = ", ".join(f"'{table}'" for table in PARTITIONED)
    op.execute(f"""
        CREATE FUNCTION ensure_partitions(months integer) RETURNS integer LANGUAGE plpgsql
        SECURITY DEFINER SET search_path = public, pg_temp AS $$
        DECLARE
            parent text; first_day timestamptz; made integer := 0; low uuid; high uuid; part text;
        BEGIN
            PERFORM pg_advisory_xact_lock(hashtext('webcare partitions'));
            FOREACH parent IN ARRAY ARRAY[{tables}] LOOP
                FOR n IN 0..months LOOP
                    first_day := date_trunc('month', now(), 'UTC') + make_interval(months => n);
                    part := parent || '_' || to_char(first_day AT TIME ZONE 'UTC', 'YYYYMM');
                    CONTINUE WHEN to_regclass(part) IS NOT NULL;
                    low := rpad(lpad(to_hex((extract(epoch FROM first_day) * 1000)::bigint), 12, '0'), 32, '0')::uuid;
                    high := rpad(lpad(to_hex((extract(epoch FROM first_day + interval '1 month') * 1000)::bigint), 12, '0'),
                                 32, '0')::uuid;
                    EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', part, parent, low, high);
                    made := made + 1;
                END LOOP;
            END LOOP;
            RETURN made;
        END $$""")
    op.execute("REVOKE ALL ON FUNCTION ensure_partitions(integer) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION ensure_partitions(integer) TO webcare_worker")
    op.execute("SELECT ensure_partitions(2)")


def _search() -> None:
    # Text search is not leakproof: under a policy its index would go unused. So it has one door, which fixes the workspace.
    op.execute("CREATE POLICY search ON assessment TO webcare_search USING (true)")
    op.execute("GRANT SELECT (workspace_id, mention_id, search) ON assessment TO webcare_search")
    op.execute(f"""
        CREATE FUNCTION search_mentions(terms text) RETURNS SETOF uuid LANGUAGE sql STABLE
        SECURITY DEFINER SET search_path = public, pg_temp AS $$
            SELECT mention_id FROM assessment
            WHERE workspace_id = {CURRENT} AND search @@ websearch_to_tsquery('simple', terms)
        $$""")
    # To give a function away, its new owner must for that moment be allowed to make things in the schema.
    op.execute("GRANT CREATE ON SCHEMA public TO webcare_search")
    op.execute("ALTER FUNCTION search_mentions(text) OWNER TO webcare_search")
    op.execute("REVOKE CREATE ON SCHEMA public FROM webcare_search")
    op.execute("REVOKE ALL ON FUNCTION search_mentions(text) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION search_mentions(text) TO webcare_app")


def downgrade() -> None:
    op.execute("DROP FUNCTION search_mentions(text)")
    op.execute("DROP FUNCTION ensure_partitions(integer)")
    for table in (*OF_A_WORKSPACE, "workspace"):
        for policy in ("of_workspace", "across", "search", "itself"):
            op.execute(f"DROP POLICY IF EXISTS {policy} ON {table}")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
