"""What a door shows of a channel: how its reading is doing, beside what was set."""

from shared.models import channel
from shared.models.read_model import Column, Filter, Nested, ReadModel
from shared.store.columns import by_name, columns_of, plain

_OPEN = "{table}.workspace_id = {owner}.workspace_id AND {table}.channel_id = {owner}.id AND {table}.closed_at IS NULL"
_DOCS = {
    "health": "new, ok, failing or reauth_required.",
    "health_detail": "The last error, in a sentence, while it fails.",
    "failing_since": "Since when it fails.",
    "failures": "How often in a row.",
    "last_success_at": "When it was read last.",
    "next_poll_at": "When it is read next.",
    "lag_s": "How old, in seconds, the newest mention was when it was read last.",
    "quota_left": "How many calls the network still grants, where it tells.",
    "drift": "Fields in which its payload departed from what is documented, and how often: the hundred seen most.",
    "account": "Whom the network took us for when it was checked last: external_id, name, handle, url.",
    "checked_at": "When its credential was checked last.",
    "check_error": "What was wrong then, in a sentence.",
}

CHANNEL = ReadModel(
    noun="channel",
    source="channel",
    alias="t",
    doc="One configured source; its secrets are never shown.",
    fields={
        **columns_of(channel.Channel, "t", ("secrets", "cursor", "lease_until", "lease_token", "expired_to"), _DOCS),
        "hook_url": Column(
            "text",
            "Where its network calls us: enter it there. Null where its kind is not called, or we have no public address "
            "(WEBCARE_INGEST_PUBLIC_URL).",
            "(SELECT nullif(current_setting('app.hooks_url', true), '') || {t}.id::text FROM channel_type ht "
            "WHERE ht.type = {t}.type AND 'push' = ANY(ht.abilities))",
            null=True,
        ),
        "open_gaps": Column(
            "integer",
            "Of how many stretches something may be missing.",
            f"(SELECT count(*) FROM channel_gap og WHERE {_OPEN.format(table='og', owner='{t}')})",
        ),
        "spent_usd": Column(
            "number",
            "What it cost in this calendar month (UTC), in US dollars.",
            "(coalesce((SELECT sp.cost FROM channel_spend sp WHERE sp.workspace_id = {t}.workspace_id "
            "AND sp.channel_id = {t}.id AND sp.month = date_trunc('month', now())::date), 0) / 1000000.0)::float8",
        ),
        "gaps": Nested(
            "channel_gap",
            _OPEN.format(table="{t}", owner="{up_t}"),
            "Those stretches.",
            many=True,
            order="{t}.id",
            shown=False,
        ),
    },
    filters={
        "type": Filter("text", "{t}.type = %s", "Its kind of venue."),
        "status": Filter("text", "{t}.status = %s", "active or paused."),
        "health": Filter("text", "{t}.health = %s", "How it is doing.", choices=tuple(channel.Health)),
    },
    orders=by_name(),
)

CHANNEL_GAP = plain(
    "channel_gap",
    channel.ChannelGap,
    "A stretch of a channel of which something may be missing.",
    leave_out=("cursor", "lease_until", "lease_token"),
    docs={
        "since": "It begins.",
        "until": "It ends.",
        "reason": "How it came about.",
        "closed_at": "When it was read again to its end; null while it is open.",
        "recovered": "Mentions that reading it again brought.",
        "failures": "How often in a row reading it again failed.",
        "error": "Why it failed last.",
        "next_try_at": "When it is read again; null where it cannot be, or is closed.",
    },
    filters={
        "channel": Filter(
            "text",
            "{t}.channel_id IN (SELECT c.id FROM channel c WHERE c.id::text = %s OR lower(c.name) = lower(%s))",
            "Its channel, by id or name.",
        ),
        "open": Filter("boolean", "({t}.closed_at IS NULL) = %s", "Whether it is open."),
    },
)
