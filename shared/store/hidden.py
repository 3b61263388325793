"""What readers see in the place of personal data who do not see it: SQL beside each column that can hold some."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from shared.models.facts import MentionEdited
from shared.models.read_model import Column, ReadModel

HIDDEN: Final = "[hidden]"
"""Stands where there must be a text, and none may be shown."""
ANALYSED: Final = 20_000
"""Names are looked for in so many characters of a text; what comes after is not known to be free of them."""
MOST_FOUND: Final = 500
"""Where so many places of personal data are found in a text, there may be more."""

_NOTHING: Mapping[str, str] = {"texts": "'{{}}'::text[]", "json": "'{{}}'::jsonb", "jsons": "'[]'::jsonb"}

# The places are those of another text while an edit waits to be read, where reading it was given up, or where it never was read.
PLACES = f"""(CASE WHEN 'pii' = ANY({{a}}.failed_stages) OR jsonb_typeof({{a}}.findings -> 'pii') IS DISTINCT FROM 'array' THEN NULL
    WHEN jsonb_array_length({{a}}.findings -> 'pii') >= {MOST_FOUND} THEN NULL
    WHEN {{m}}.id IN (SELECT w.subject_id FROM work w WHERE w.kind = '{MentionEdited.type}') THEN NULL
    WHEN EXISTS (SELECT FROM mention_revision v WHERE v.workspace_id = {{m}}.workspace_id AND v.mention_id = {{m}}.id
                 AND v.seen_at > {{a}}.triaged_at) THEN NULL
    WHEN EXISTS (SELECT FROM quarantine u WHERE u.workspace_id = {{m}}.workspace_id AND u.mention_id = {{m}}.id
                 AND u.released_at IS NULL) THEN NULL
    ELSE {{a}}.findings -> 'pii' END)"""

TEXT = f"""coalesce(masked_text(left({{m}}.text, {ANALYSED}), {PLACES}, {{kinds}}), '{HIDDEN}')
    || CASE WHEN length({{m}}.text) > {ANALYSED} THEN ' {HIDDEN}' ELSE '' END"""
"""A mention's text, its personal data as `[email]` and the like; `[hidden]` where nobody knows what is in it."""
FINDINGS = f"masked_findings(left({{m}}.text, {ANALYSED}), {{a}}.findings, {PLACES}, {{kinds}})"
"""A mention's findings, without reasons and quotations; their places are those of the text that is shown."""
URGENCY = (
    "CASE WHEN {a}.urgency IN ('safety', 'vulnerable', 'legal', 'outage', 'churn', 'none') THEN {a}.urgency "
    f"WHEN {{a}}.urgency IS NOT NULL THEN '{HIDDEN}' END"
)
"""Why it is urgent, in triage's words; a person may have used others."""


def hide(model: ReadModel, *names: str, joins: tuple[str, ...] = (), **others: str) -> ReadModel:
    """The read model with these columns hidden whole from whom personal data is hidden: null, or `[hidden]` where there must be
    a value; `others` are shown otherwise, by SQL that needs `joins`."""
    fields = dict(model.fields)
    for name, sql in {**dict.fromkeys(names), **others}.items():
        column = fields[name]
        assert isinstance(column, Column)  # nouns below hide what is theirs
        if sql is None:
            sql = "NULL::text" if column.null else _NOTHING.get(column.type, f"'{HIDDEN}'::text")
        fields[name] = replace(column, masked=sql, masked_joins=joins)
    return replace(model, fields=fields)
