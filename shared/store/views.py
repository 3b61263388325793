"""The read models: what readers see of each noun. `NOUNS` is where they are looked up."""

from shared.models import brand, channel, conversation, event, mention, moderation, people, sla, work, workspace
from shared.models import reply as replies
from shared.models.findings import told as all_findings
from shared.models.read_model import Column, Filter, Nested, Order, ReadModel
from shared.store.automation_views import AUTOMATION_RULE, AUTOMATION_RUN
from shared.store.channel_views import CHANNEL, CHANNEL_GAP
from shared.store.columns import by_name, columns_of, plain
from shared.store.durations import with_durations
from shared.store.head_views import HEAD
from shared.store.hidden import FINDINGS, TEXT, URGENCY, hide
from shared.store.reading import Library
from shared.store.routing_views import OFFER, ROUTING_DECISION, SHIFT, SKILL

_OF = "{{t}}.workspace_id = {{up_{up}}}.workspace_id AND {{t}}.id = {{up_{up}}}.{column}"
_LIST = "{{t}}.workspace_id = {{up_{up}}}.workspace_id AND {{t}}.{column} = {{up_{up}}}.id"


def _one(noun: str, up: str, column: str, doc: str, *, shown: bool = True) -> Nested:
    return Nested(noun, _OF.format(up=up, column=column), doc, shown=shown)


def _many(noun: str, up: str, column: str, doc: str, *, order: str = "", limit: int = 100) -> Nested:
    return Nested(noun, _LIST.format(up=up, column=column), doc, many=True, order=order, shown=False, limit=limit)


# What stands at another venue in the same words, or nearly so: the first to say them, and its copies (found by an index; of a storm of
# them 200 are looked at), as far as they were published within 72 hours. A feed's item about the very same post is no other place.
_ALSO_ON = """(
    SELECT coalesce(json_agg(json_build_object(
        'id', o.id, 'channel_type', o.channel_type, 'published_at', o.published_at,
        'permalink', CASE WHEN o.visibility = 'public' THEN o.permalink END) ORDER BY o.id)
        FILTER (WHERE o.findings #>> '{{duplicate,kind}}' IS DISTINCT FROM 'page'), '[]')
    FROM (
        SELECT n.*, found.findings FROM (
            SELECT {a}.duplicate_of AS id, {a}.findings
            UNION ALL
            (SELECT x.mention_id, x.findings FROM assessment x
             WHERE x.workspace_id = {m}.workspace_id AND x.duplicate_of = coalesce({a}.duplicate_of, {m}.id) LIMIT 200)
        ) found JOIN mention n ON n.workspace_id = {m}.workspace_id AND n.id = found.id
        WHERE n.id <> {m}.id AND n.channel_type <> {m}.channel_type AND n.deleted_at IS NULL
          AND n.published_at BETWEEN {m}.published_at - interval '72 hours' AND {m}.published_at + interval '72 hours'
        LIMIT 20
    ) o)"""

_PERMALINK = "CASE WHEN o.visibility = 'public' THEN o.permalink END"

_A = ("a",)
_FOUND = {
    "conversation_id": ("id", "The conversation it belongs to."),
    "disposition": ("text", "What became of it: dismissed, watch, engage; null until it is triaged."),
    "dismissed_because": ("text", "Why there is no conversation."),
    "duplicate_of": ("id", "The first mention that says the same."),
    "sentiment": ("text", "positive, neutral or negative."),
    "sentiment_score": ("number", "-1 to 1."),
    "intent": ("text", "complaint, question, request, praise, churn or other."),
    "urgency": ("text", "What makes it urgent, if anything."),
    "priority": ("text", "urgent, high, normal or low."),
    "priority_score": ("number", "0 to 100."),
    "triaged_at": ("time", "When it was understood."),
}

_MENTION = ReadModel(
    noun="mention",
    source="mention",
    alias="m",
    doc="One post about us or to us.",
    joins={
        "a": "LEFT JOIN assessment {a} ON {a}.workspace_id = {m}.workspace_id AND {a}.mention_id = {m}.id",
        "ch": "JOIN channel {ch} ON {ch}.workspace_id = {m}.workspace_id AND {ch}.id = {m}.channel_id",
    },
    fields={
        **columns_of(mention.Mention, "m", leave_out=("lang",)),
        "lang": Column(
            "text", "Its language, as found or as told (ISO 639-1).", "coalesce({a}.lang, {m}.lang)", _A, null=True
        ),
        **{name: Column(type_, doc, f"{{a}}.{name}", _A, null=True) for name, (type_, doc) in _FOUND.items()},  # type: ignore[arg-type]
        "issue_keys": Column("texts", "The issue types found.", "coalesce({a}.issue_keys, '{{}}')", _A),
        "brand_ids": Column("ids", "The brands it is about.", "coalesce({a}.brand_ids, '{{}}')", _A),
        "query_ids": Column("ids", "The queries that matched.", "coalesce({a}.query_ids, '{{}}')", _A),
        "failed_stages": Column(
            "texts", "Stages of triage that failed on it.", "coalesce({a}.failed_stages, '{{}}')", _A
        ),
        "findings": Column("json", all_findings(), "{a}.findings", _A, null=True, listed=False),
        "also_on": Column(
            "jsons",
            "Where the same words stand at other venues: id, channel_type, permalink, published_at.",
            _ALSO_ON,
            _A,
            listed=False,
        ),
        "author": _one("author", "m", "author_id", "Who wrote it."),
        "channel": _one("channel_name", "m", "channel_id", "Where it came in."),
        "venue": Nested(
            "channel_type",
            "{t}.type = {up_m}.channel_type",
            "Its kind of venue, and what may be shown of it.",
            shown=False,
        ),
        "revisions": _many("revision", "m", "mention_id", "What it said before its edits.", order="{t}.id"),
        "corrections": _many("correction", "m", "mention_id", "What people set right.", order="{t}.id"),
    },
    filters={
        "q": Filter(
            "text",
            "{m}.id IN (SELECT search_mentions(%s))",
            'Words to be found in it: all of them; "a phrase", or, -not.',
            masked="",
        ),
        "query": Filter(
            "text",
            "EXISTS (SELECT 1 FROM query q WHERE q.id = ANY({a}.query_ids) AND (q.id::text = %s OR lower(q.name) = lower(%s)))",
            "A query that matched it, by id or name.",
            _A,
        ),
        "brand": Filter(
            "text",
            "EXISTS (SELECT 1 FROM brand b WHERE b.id = ANY({a}.brand_ids) AND (b.id::text = %s OR lower(b.name) = lower(%s)))",
            "A brand it is about, by id or name.",
            _A,
        ),
        "channel": Filter(
            "text",
            "{m}.channel_id IN (SELECT c.id FROM channel c WHERE c.id::text = %s OR lower(c.name) = lower(%s))",
            "Its channel, by id or name.",
        ),
        "channel_type": Filter("text", "{m}.channel_type = %s", "Its kind of venue."),
        "disposition": Filter(
            "text", "{a}.disposition = %s", "What became of it.", _A, ("dismissed", "watch", "engage")
        ),
        "sentiment": Filter("text", "{a}.sentiment = %s", "Its sentiment.", _A, ("positive", "neutral", "negative")),
        "issue": Filter("text", "%s = ANY({a}.issue_keys)", "An issue type found in it, by key.", _A),
        "lang": Filter("text", "coalesce({a}.lang, {m}.lang) = %s", "Its language.", _A),
        "country": Filter("text", "{m}.country = upper(%s)", "Its country."),
        "author": Filter(
            "text",
            "{m}.author_id IN (SELECT w.id FROM author w WHERE w.id::text = %s OR w.handle_folded = lower(ltrim(%s, '@')))",
            "Who wrote it, by id or handle.",
            masked="{m}.author_id::text = %s",
        ),
        "conversation": Filter("id", "{a}.conversation_id = %s", "Its conversation.", _A),
        "from": Filter("time", "{m}.published_at >= %s", "Published at this moment or later."),
        "to": Filter("time", "{m}.published_at < %s", "Published before this moment."),
    },
    orders={"-id": Order((("{m}.id", "id", True),)), "id": Order((("{m}.id", "id", False),))},
)
MENTION = hide(
    _MENTION, "external_id", "permalink", "title", "root_external_id", "parent_external_id", "media", joins=_A,
    text=TEXT, findings=FINDINGS, urgency=URGENCY, also_on=_ALSO_ON.replace(_PERMALINK, "NULL"),
)  # fmt: skip

_CONVERSATION = ReadModel(
    noun="conversation",
    source="conversation",
    alias="c",
    doc="The thread with one author about one matter.",
    fields={
        **columns_of(conversation.Conversation, "c", leave_out=("messages", "priority_rank")),
        "message_count": Column("integer", "How many turns it has.", "{c}.messages"),
        "author": _one("author", "c", "author_id", "The customer."),
        "channel": _one("channel_name", "c", "channel_id", "Where it takes place."),
        "queue": _one("queue_name", "c", "queue_id", "Where it waits."),
        "assignee": _one("agent_name", "c", "assignee_id", "Who works on it."),
        "messages": _many("message", "c", "conversation_id", "Its turns.", order="{t}.id"),
        "replies": _many("reply", "c", "conversation_id", "Our answers.", order="{t}.id"),
        "clocks": _many("sla_clock", "c", "conversation_id", "Its promises.", order="{t}.metric, {t}.instance"),
        "routing": _many("routing_decision", "c", "conversation_id", "Why it went where.", order="{t}.id"),
    },
    filters={
        "status": Filter("text", "{c}.status = %s", "Where it stands.", choices=tuple(conversation.Status)),
        "priority": Filter("text", "{c}.priority = %s", "How soon.", choices=tuple(conversation.Priority)),
        "queue": Filter(
            "text",
            "{c}.queue_id IN (SELECT q.id FROM queue q WHERE q.id::text = %s OR lower(q.name) = lower(%s))",
            "Its queue.",
        ),
        "assignee": Filter(
            "text",
            "{c}.assignee_id IN (SELECT g.id FROM agent g WHERE g.id::text = %s OR lower(g.name) = lower(%s))",
            "Its agent.",
        ),
        "assigned": Filter("boolean", "({c}.assignee_id IS NOT NULL) = %s", "Whether it has an agent."),
        "channel": Filter(
            "text",
            "{c}.channel_id IN (SELECT x.id FROM channel x WHERE x.id::text = %s OR lower(x.name) = lower(%s))",
            "Its channel.",
        ),
        "channel_type": Filter("text", "{c}.channel_type = %s", "Its kind of venue."),
        "issue": Filter("text", "%s = ANY({c}.issue_keys)", "An issue type, by key."),
        "sentiment": Filter(
            "text", "{c}.sentiment = %s", "How the customer sounds.", choices=("positive", "neutral", "negative")
        ),
        "lang": Filter("text", "{c}.lang = %s", "Its language."),
        "author": Filter("id", "{c}.author_id = %s", "The customer."),
        "number": Filter("integer", "{c}.number = %s", "Its number."),
    },
    orders={
        "-id": Order((("{c}.id", "id", True),)),
        "id": Order((("{c}.id", "id", False),)),
        "queue": Order(
            (
                ("{c}.priority_rank", "integer", False),
                ("coalesce({c}.next_deadline_at, 'infinity'::timestamptz)", "time", False),
                ("coalesce({c}.waiting_since, {c}.created_at)", "time", False),
                ("{c}.id", "id", False),
            )
        ),
    },
)
CONVERSATION = hide(_CONVERSATION, "thread_key", "root_external_id", "subject")

_NAME = ("id", "name")


def _named(noun: str, table: str, doc: str, *more: str) -> ReadModel:
    return ReadModel(
        noun,
        table,
        "t",
        doc,
        fields={n: Column("id" if n == "id" else "text", n.capitalize() + ".", f"{{t}}.{n}") for n in (*_NAME, *more)},
    )


_STATUS = {"status": Filter("text", "{t}.status = %s", "active or paused.")}

NOUNS = Library(
    [
        MENTION,
        CONVERSATION,
        hide(plain(
            "author", mention.Author, "One account on one channel type.", leave_out=("handle_folded",),
            filters={
                "channel_type": Filter("text", "{t}.channel_type = %s", "Its kind of venue."),
                "handle": Filter("text", "{t}.handle_folded = lower(ltrim(%s, '@'))", "Its handle.", masked=""),
            },
        ), "external_id", "handle", "name", "url", "labels"),
        _named("channel_name", "channel", "A channel, in short.", "type"),
        _named("queue_name", "queue", "A queue, in short."),
        _named("agent_name", "agent", "An agent, in short."),
        hide(plain("revision", mention.MentionRevision, "What a mention said before an edit."), "title", "text"),
        hide(plain("correction", mention.Correction, "A person's word against a finding.",
                   filters={"mention": Filter("id", "{t}.mention_id = %s", "Its mention.")}), "old", "new", "note"),
        hide(plain("quarantine", mention.Quarantine, "A mention that triage could not read."), "reason"),
        CHANNEL,
        CHANNEL_GAP,
        plain("channel_type", channel.ChannelType, "A kind of venue.", key="type", orders={"type": Order((("{t}.type", "text", False),))}),
        plain("brand", brand.Brand, "What people talk about.", orders=by_name()),
        plain("query", brand.Query, "What we listen for.", orders=by_name(), filters=_STATUS),
        plain(
            "issue_type", brand.IssueType, "A kind of problem.",
            orders={"key": Order((("{t}.key", "text", False),))}, filters=_STATUS,
            nested={"playbook": _one("playbook", "t", "playbook_id", "The plan for it.", shown=False)},
        ),
        plain("playbook", brand.Playbook, "The plan for an issue type.", orders=by_name(),
              filters={"issue": Filter("text", "{t}.issue_key = %s", "The issue type it is for, by key.")}),
        plain("playbook_version", brand.PlaybookVersion, "A playbook as it was.",
              filters={"playbook": Filter("id", "{t}.playbook_id = %s", "Its playbook.")},
              orders={"-version": Order((("{t}.version", "integer", True), ("{t}.id", "id", True)))}),
        plain("team", people.Team, "Who answers.", orders=by_name()),
        plain("agent", people.Agent, "A person who answers.", orders=by_name(),
              filters={"presence": Filter("text", "{t}.presence = %s", "online, away or offline.")}),
        plain(
            "queue", people.Queue, "Where work waits.",
            orders={"position": Order((("{t}.position", "integer", False), ("{t}.id", "id", False)))},
            nested={},
        ),
        OFFER,
        ROUTING_DECISION,
        SHIFT,
        SKILL,
        AUTOMATION_RULE,
        AUTOMATION_RUN,
        plain("calendar", sla.Calendar, "Business hours.", orders=by_name()),
        with_durations(
            plain("sla_policy", sla.SlaPolicy, "What is promised.",
                  orders={"position": Order((("{t}.position", "integer", False), ("{t}.id", "id", False)))}),
            {"ignore_older_than": ("ignore_older_than", "Mentions found later than this get no clocks; null: never ignored.")},
        ),
        with_durations(
            plain("sla_clock", sla.SlaClock, "A promise to one conversation.", leave_out=("notice_at",),
                  filters={
                      "conversation": Filter("id", "{t}.conversation_id = %s", "Its conversation."),
                      "metric": Filter("text", "{t}.metric = %s", "What is promised."),
                      "state": Filter("text", "{t}.state = %s", "running, paused, met, breached or cancelled."),
                  }),
            {"target": ("target_s", "What was promised."), "elapsed": ("elapsed_s", "Time counted at the last look.")},
        ),
        hide(plain(
            "message", conversation.Message, "A turn of a conversation.",
            nested={
                "mention": _one("mention", "t", "mention_id", "What the customer wrote."),
                "reply": _one("reply", "t", "reply_id", "What we answered."),
                "agent": _one("agent_name", "t", "agent_id", "Who wrote the note."),
            },
            filters={"conversation": Filter("id", "{t}.conversation_id = %s", "Its conversation.")},
            orders={"id": Order((("{t}.id", "id", False),)), "-id": Order((("{t}.id", "id", True),))},
        ), "text"),
        hide(plain("reply", replies.Reply, "An answer of ours.", leave_out=("attempt_id",),
              nested={"agent": _one("agent_name", "t", "agent_id", "Who wrote it.")},
              filters={
                  "conversation": Filter("id", "{t}.conversation_id = %s", "Its conversation."),
                  "state": Filter("text", "{t}.state = %s", "Where it stands.", choices=tuple(replies.ReplyState)),
              }), "text", "external_id", "permalink", "error"),
        hide(plain("moderation", moderation.Moderation, "What is asked of a venue about a post there.",
              nested={
                  "agent": _one("agent_name", "t", "agent_id", "Who asked."),
                  "mention": _one("mention", "t", "mention_id", "What it is about.", shown=False),
                  "reply": _one("reply", "t", "reply_id", "Or which reply of ours.", shown=False),
              },
              filters={
                  "mention": Filter("id", "{t}.mention_id = %s", "About this mention."),
                  "reply": Filter("id", "{t}.reply_id = %s", "About this reply."),
                  "state": Filter(
                      "text", "{t}.state = %s", "Where it stands.", choices=tuple(moderation.ModerationState)
                  ),
                  "action": Filter(
                      "text", "{t}.action = %s", "What is asked.", choices=tuple(moderation.ModerationAction)
                  ),
              }), "reason", "error"),
        HEAD,
        plain("webhook_endpoint", event.WebhookEndpoint, "Where the world is told; its secret is never shown again."),
        hide(plain("delivery", event.Delivery, "One event for one endpoint.", leave_out=("lease_until", "lease_token"),
              filters={
                  "endpoint": Filter("id", "{t}.endpoint_id = %s", "Its endpoint."),
                  "state": Filter("text", "{t}.state = %s", "pending, delivered, failed or discarded."),
              }), "last_error"),
        hide(plain("delivery_attempt", event.DeliveryAttempt, "One try of a delivery.",
              filters={
                  "delivery": Filter("id", "{t}.delivery_id = %s", "Its delivery."),
                  "endpoint": Filter(
                      "id", "{t}.delivery_id IN (SELECT d.id FROM delivery d WHERE d.endpoint_id = %s)", "Its endpoint."
                  ),
              }), "error", "excerpt"),
        hide(plain(
            "event", event.Event, "A fact, in its place.",
            orders={"position": Order((("{t}.position", "integer", False),))},
            filters={
                "type": Filter("text", "{t}.type = %s", "What happened."),
                "conversation": Filter("id", "{t}.conversation_id = %s", "Its conversation."),
                "after": Filter("integer", "{t}.position > %s", "Only facts after this position."),
            },
        ), "data"),
        plain("api_key", workspace.ApiKey, "A key; the key itself is shown once, when it is made.", orders=by_name()),
        plain("report", work.Report, "A weekly listening report.", leave_out=("figures",),
              orders={"-week": Order((("{t}.week", "text", True), ("{t}.id", "id", True)))}),
        plain("workspace", workspace.Workspace, "A tenant."),
    ]
)  # fmt: skip
