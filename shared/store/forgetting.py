"""What holds a mention's words beside itself: events as they were told, what receivers answered, corrections, what filters saw of its
conversation, and weekly reports.

What an event says is stored once, and told again from there: in the feed, and to each receiver that has not heard it yet.
"""


def kept_elsewhere(batch: str) -> str:
    """SQL: parts of a WITH that take the words of the mentions in `batch` (id, title, conversation_id, published_at) from all that
    keeps them beside the mention and its findings. What is counted stays, and so does the event with its place and its time. A
    report that cites one of them goes as a whole: asked for again, it is rendered from what is there."""
    return f"""
    told AS (
        UPDATE event e SET data = e.data || '{{"title": null, "text": "", "media": null, "findings": {{}}}}' FROM {batch} b
        WHERE e.workspace_id = :w AND e.subject = 'mention/' || b.id AND e.data ? 'text'
        RETURNING e.id
    ), named AS (
        UPDATE event e SET data = e.data || '{{"subject": null}}' FROM {batch} b
        WHERE e.workspace_id = :w AND e.conversation_id = b.conversation_id AND e.data ->> 'subject' = b.title
          AND e.subject NOT LIKE 'mention/%'
        RETURNING e.id
    ), answered AS (
        UPDATE delivery_attempt a SET excerpt = NULL
        FROM (SELECT id FROM told UNION ALL SELECT id FROM named) t, webhook_endpoint w, delivery d
        WHERE w.workspace_id = :w AND d.workspace_id = :w AND d.endpoint_id = w.id AND d.event_id = t.id
          AND a.workspace_id = :w AND a.delivery_id = d.id AND a.excerpt IS NOT NULL
    ), corrected AS (
        UPDATE correction c SET old = {_value_of("c.old")}, new = {_value_of("c.new")}
        FROM {batch} b WHERE c.workspace_id = :w AND c.mention_id = b.id
    ), promised AS (
        UPDATE conversation_change h SET detail = h.detail || jsonb_build_object('seen', (h.detail -> 'seen') || jsonb_build_object(
            'subject', null, 'author', coalesce(h.detail -> 'seen' -> 'author', '{{}}') || '{{"handle": null}}'))
        FROM {batch} b WHERE h.workspace_id = :w AND h.conversation_id = b.conversation_id AND jsonb_typeof(h.detail -> 'seen') = 'object'
    ), reported AS (
        DELETE FROM report r
        WHERE r.workspace_id = :w AND r.week IN (
            SELECT DISTINCT to_char(b.published_at + day, 'IYYY"-W"IW')
            FROM {batch} b, unnest(ARRAY[interval '-1 day', interval '1 day']) AS day
        ) AND EXISTS (SELECT FROM {batch} b WHERE position(b.id::text IN r.figures::text) > 0)
    )"""


def _value_of(finding: str) -> str:
    """SQL: of a finding, or of each in a list, only its value, which is a word of ours: its reasons quote the text."""
    return f"""CASE jsonb_typeof({finding})
        WHEN 'object' THEN jsonb_build_object('value', {finding} -> 'value')
        WHEN 'array' THEN (SELECT jsonb_agg(jsonb_build_object('value', one -> 'value')) FROM jsonb_array_elements({finding}) one)
    END"""
