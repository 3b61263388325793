"""Which nouns this door shows, in the order in which they are documented."""

from services.api.rest import (
    authors,
    brands,
    bulk,
    channels,
    conversations,
    events,
    issue_types,
    keys,
    ledger,
    mentions,
    metrics,
    people,
    playbooks,
    queries,
    queues,
    replies,
    sla,
    webhook_endpoints,
)

NOUNS = (
    mentions, conversations, bulk, replies, queues, people, brands, queries, issue_types, playbooks, sla, channels, webhook_endpoints,
    events, metrics, ledger, keys, authors,
)  # fmt: skip
ROUTERS = tuple(module.door.router for module in NOUNS)
