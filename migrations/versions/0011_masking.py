"""Personal data out of sight: a text and its findings as a reader sees them from whom personal data is hidden."""

from alembic import op

revision = "0011_masking"
down_revision = "0010_told"
branch_labels = None
depends_on = None

# Places are code points, which are Postgres' characters. Those that overlap become one, of the kind of the first, as in
# shared/rules/masking.py; a test holds the two to each other.
_CUTS = r"""
CREATE FUNCTION masked_cuts(said text, pii jsonb, kinds text[])
RETURNS TABLE (cut_start int, cut_end int, shown_start int, shown_end int, kind text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    WITH place AS (
        SELECT greatest(0, (p.one ->> 'start')::int) AS s, least((p.one ->> 'end')::int, length(said)) AS e,
               p.one ->> 'type' AS kind, p.n
        FROM jsonb_array_elements(CASE WHEN jsonb_typeof(pii) = 'array' THEN pii ELSE '[]' END) WITH ORDINALITY AS p(one, n)
        WHERE p.one ->> 'type' = ANY(kinds) AND p.one ->> 'start' ~ '^-?[0-9]{1,9}$' AND p.one ->> 'end' ~ '^-?[0-9]{1,9}$'
    ), reached AS (
        SELECT *, max(e) OVER (ORDER BY s, e DESC, n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
        FROM place WHERE s < e
    ), numbered AS (
        SELECT *, count(*) FILTER (WHERE before IS NULL OR s >= before) OVER (ORDER BY s, e DESC, n) AS cut FROM reached
    ), joined AS (
        SELECT min(s) AS s, max(e) AS e, (array_agg(kind ORDER BY s, e DESC, n))[1] AS kind FROM numbered GROUP BY cut
    ), moved AS (
        SELECT *, sum(length(kind) + 2 - (e - s)) OVER (ORDER BY s)::int AS by FROM joined
    )
    SELECT s, e, e + by - (length(kind) + 2), e + by, kind FROM moved ORDER BY s
$$
"""

_TEXT = r"""
CREATE FUNCTION masked_text(said text, pii jsonb, kinds text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN jsonb_typeof(pii) = 'array' THEN
        coalesce(string_agg(substr(said, former + 1, cut_start - former) || '[' || kind || ']', '' ORDER BY cut_start), '')
        || substr(said, coalesce(max(cut_end), 0) + 1) END
    FROM (SELECT *, lag(cut_end, 1, 0) OVER (ORDER BY cut_start) AS former FROM masked_cuts(said, pii, kinds)) c
$$
"""

# By what may be shown, not by what may not: a finding of a new kind, or with something new in it, is not shown until it is named here.
# Places become those of the masked text. Without known places of personal data nothing that has a place is shown.
_FINDINGS = r"""
CREATE FUNCTION masked_findings(said text, findings jsonb, pii jsonb, kinds text[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    kept CONSTANT text[] := '{value,confidence,decided_by,version,type,score,kind,unsure,similarity,brands,queries,reasons}';
    plain CONSTANT text[] := '{language,sentiment,intent,urgency,relevance,priority,spam,authenticity,duplicate}';
    urgent CONSTANT text[] := '{safety,vulnerable,legal,outage,churn,none}';
    shown jsonb := '{}';
    name text; found jsonb; one jsonb; told jsonb; many jsonb; place jsonb;
    cs int[]; ce int[]; ss int[]; se int[];
    starts int; ends int;
BEGIN
    IF jsonb_typeof(findings) IS DISTINCT FROM 'object' THEN
        RETURN NULL;
    END IF;
    SELECT array_agg(cut_start), array_agg(cut_end), array_agg(shown_start), array_agg(shown_end)
    INTO cs, ce, ss, se FROM masked_cuts(said, pii, kinds);
    FOR name, found IN SELECT * FROM jsonb_each(findings) LOOP
        IF name = ANY(plain) AND jsonb_typeof(found) = 'object' THEN
            told := (SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(found) WHERE key = ANY(kept));
            IF name = 'urgency' AND jsonb_typeof(told -> 'value') = 'string' AND told ->> 'value' <> ALL(urgent) THEN
                told := jsonb_set(told, '{value}', '"[hidden]"');
            END IF;
            IF jsonb_typeof(found -> 'signals') = 'array' THEN
                told := told || jsonb_build_object('signals', (
                    SELECT coalesce(jsonb_agg(jsonb_build_object('name', s -> 'name', 'weight', s -> 'weight') ORDER BY n), '[]')
                    FROM jsonb_array_elements(found -> 'signals') WITH ORDINALITY AS e(s, n)));
            END IF;
            shown := shown || jsonb_build_object(name, told);
        ELSIF name IN ('issues', 'entities', 'pii') AND jsonb_typeof(found) = 'array' AND jsonb_typeof(pii) = 'array' THEN
            many := '[]';
            FOR one IN SELECT value FROM jsonb_array_elements(found) LOOP
                told := (SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(one) WHERE key = ANY(kept));
                IF one ->> 'start' ~ '^[0-9]{1,9}$' AND one ->> 'end' ~ '^[0-9]{1,9}$' THEN
                    starts := (one ->> 'start')::int;
                    ends := (one ->> 'end')::int;
                    CONTINUE WHEN name = 'entities' AND EXISTS (
                        SELECT FROM unnest(cs, ce) AS c(s, e) WHERE c.s < ends AND starts < c.e);
                    place := jsonb_build_object(
                        'start', coalesce((SELECT CASE WHEN starts < c.e THEN c.to_s ELSE starts - c.e + c.to_e END
                            FROM unnest(cs, ce, ss, se) AS c(s, e, to_s, to_e) WHERE c.s <= starts ORDER BY c.s DESC LIMIT 1), starts),
                        'end', coalesce((SELECT CASE WHEN ends < c.e THEN c.to_e ELSE ends - c.e + c.to_e END
                            FROM unnest(cs, ce, ss, se) AS c(s, e, to_s, to_e) WHERE c.s < ends ORDER BY c.s DESC LIMIT 1), ends));
                    told := told || place;
                ELSIF name <> 'issues' THEN
                    CONTINUE;  -- what stands nowhere cannot be held against the places of personal data
                END IF;
                IF name = 'pii' THEN
                    told := jsonb_set(told, '{value}', to_jsonb('[' || coalesce(one ->> 'type', 'private') || ']'));
                END IF;
                many := many || jsonb_build_array(told);
            END LOOP;
            shown := shown || jsonb_build_object(name, many);
        END IF;
    END LOOP;
    RETURN shown;
END
$$
"""


def upgrade() -> None:
    for function in (_CUTS, _TEXT, _FINDINGS):
        op.execute(function)


def downgrade() -> None:
    op.execute("DROP FUNCTION masked_findings(text, jsonb, jsonb, text[])")
    op.execute("DROP FUNCTION masked_text(text, jsonb, text[])")
    op.execute("DROP FUNCTION masked_cuts(text, jsonb, text[])")
