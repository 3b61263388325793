"""Pages are copied in through a temporary table: the role that does so is granted that by name, and not by what everybody may."""

from alembic import op

revision = "0009_grants"
down_revision = "0008_heads"
branch_labels = None
depends_on = None

# Whoever migrates may be no owner of the database. Where everybody may make temporary tables there, as Postgres has it by default,
# nothing is lost; where nobody may, it has to be said.
_GRANT = """
DO $$
BEGIN
    BEGIN
        EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO webcare_app', current_database());
    EXCEPTION WHEN insufficient_privilege THEN
        NULL;
    END;
    IF NOT has_database_privilege('webcare_app', current_database(), 'TEMPORARY') THEN
        RAISE EXCEPTION 'webcare_app may make no temporary tables. As the owner of the database: GRANT TEMPORARY ON DATABASE % TO webcare_app',
            quote_ident(current_database());
    END IF;
END $$
"""


def upgrade() -> None:
    op.execute(_GRANT)


def downgrade() -> None:
    op.execute(
        "DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM webcare_app', current_database()); END $$"
    )
