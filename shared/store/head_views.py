"""What a door shows of a head: whether it answers, and if it does not, why not and what to do."""

from shared.models import head
from shared.models.head_format import BEGINS, VECTORISER
from shared.models.read_model import Column, Filter, ReadModel
from shared.store.columns import BY_ID, columns_of

# The same as head_format.vectoriser_of, without reading the weights behind it; what is no head gives null.
_LENGTH = "get_byte({t}.weights, 4) + 256 * get_byte({t}.weights, 5) + 65536 * get_byte({t}.weights, 6)"
_VECTORISER = (
    f"CASE WHEN length({{t}}.weights) > {BEGINS} THEN substring(encode(substring({{t}}.weights FROM {BEGINS + 1} FOR {_LENGTH}), "
    '\'escape\') FROM \'"vectoriser": "([^"]*)"\') END'
)
_FITS = f"coalesce({_VECTORISER} = '{VECTORISER}', false)"
_IN_FORCE = f"({{t}}.state = '{head.HeadState.ACTIVE}' AND {_FITS})"
_ANOTHER = (
    "(SELECT 'Version ' || o.version || ' answers.' FROM head o WHERE o.workspace_id = {t}.workspace_id "
    f"AND o.question = {{t}}.question AND o.state = '{head.HeadState.ACTIVE}')"
)
_WHY_NOT = f"""CASE WHEN {_IN_FORCE} THEN NULL
    WHEN NOT {_FITS} THEN 'It cannot be used: it was made for vectoriser ' || coalesce({_VECTORISER}, 'unknown')
        || ', and triage reads by {VECTORISER}. ' || CASE {{t}}.state WHEN '{head.HeadState.ACTIVE}' THEN 'What the project ships answers. '
        ELSE '' END || 'Make one that fits: webcare train refit ' || {{t}}.question
    ELSE CASE {{t}}.state WHEN '{head.HeadState.REFUSED}' THEN 'It was not better than what answered when it was made. ' ELSE '' END
        || coalesce({_ANOTHER}, 'What the project ships answers.')
        || ' Have it answer all the same: webcare train back ' || {{t}}.question || ' --to ' || {{t}}.version END"""

HEAD = ReadModel(
    noun="head",
    source="head",
    alias="t",
    doc="A version of what a workspace's corrections taught about one question.",
    fields={
        **columns_of(head.Head, "t", ("weights",)),
        "in_force": Column("boolean", "Whether it answers its question now.", _IN_FORCE),
        "why_not": Column("text", "Why it does not answer, and what to do; null where it does.", _WHY_NOT, null=True),
    },
    filters={
        "question": Filter("text", "{t}.question = %s", "What it answers.", choices=tuple(head.Question)),
        "state": Filter("text", "{t}.state = %s", "Where it stands.", choices=tuple(head.HeadState)),
    },
    orders=BY_ID,
)
