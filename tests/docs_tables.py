"""The tables of docs/ that say what stands in the code. `python -m tests.docs_tables` writes them; a test holds them.

A page marks the place: `<!-- table: roles -->`, the table, `<!-- end of table -->`.
"""

import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

from services.api.auth import MAY_ACT_FOR_AGENTS, ROLES, Action
from services.api.rest.door import OPERATIONS
from services.ingest import catalog
from services.ingest.receiver import MAY_PUSH
from services.local import mapping, open_channels
from services.triage import pipeline
from services.triage.analyse import analyse, read_workspace
from services.triage.stages import intent, urgency
from shared.models import conversation, mention, moderation, offer, reply, reply_rules
from shared.models.display_rules import DisplayRules
from shared.models.facts import FACTS
from shared.models.findings import FINDINGS
from shared.models.workspace import Role
from shared.rules import priority, routing, sla_clock, sla_policy

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
EXAMPLE_WORKSPACE = DOCS / "examples" / "northwind.yaml"
EXAMPLE_MENTIONS = DOCS / "examples" / "mentions.jsonl"
PLACE = re.compile(
    r"^(?P<head><!-- table: (?P<name>[a-z-]+) -->\n)(?P<table>.*?)(?P<foot>^<!-- end of table -->$)",
    re.DOTALL | re.MULTILINE,
)

# What the pages quote of times and limits, by what they are about: (what, module, constant, unit).
FIGURES: Mapping[str, Sequence[tuple[str, str, str, str]]] = {
    "work": (
        ("A claimed batch is somebody else's again after", "shared.store.work", "LEASE_S", "s"),
        ("A worker without hints looks for work every", "shared.kit.jobs", "SWEEP_S", "s"),
        ("Mentions that triage claims at once", "services.triage.worker", "BATCH", ""),
        ("A batch of texts may take", "services.triage.worker", "BATCH_DEADLINE_S", "s"),
        ("A single text may take", "services.triage.worker", "SINGLE_DEADLINE_S", "s"),
        ("Words and signs beyond which a text is long, and read apart", "shared.models.mention", "LONG", ""),
        ("Long texts that triage claims at once", "services.triage.worker", "LONG_BATCH", ""),
        ("Long texts may take", "services.triage.worker", "LONG_DEADLINE_S", "s"),
        ("Tries after which a text that kills its reader is set aside", "services.triage.worker", "MOST_TRIES", ""),
        ("A worker's heartbeat comes every", "shared.store.heartbeats", "BEAT_S", "s"),
        ("A worker is called ill when silent for", "services.local.health", "OLDEST_BEAT", "s"),
        ("A conversation reopens within", "shared.models.conversation", "REOPENS_WITHIN", "s"),
    ),
    "channels": (
        ("A channel is read again after, unless it says otherwise", "services.ingest.poller", "USUAL_PAUSE", "s"),
        ("The longest pause after failures", "services.ingest.pages", "LONGEST_PAUSE", "s"),
        ("Failures in a row before a channel is said to fail", "services.ingest.pages", "PATIENCE", ""),
        ("A page may take", "services.ingest.pages", "PAGE_DEADLINE_S", "s"),
        ("Streams that one process keeps open", "services.ingest.streams", "AT_ONCE", ""),
        ("A stream that ended is opened again after, by lot, at most", "services.ingest.streams", "LONGEST_PAUSE_S", "s"),
        ("Streams that ended early in a row before a channel is said to fail", "services.ingest.streams", "PATIENCE", ""),
        ("A channel that streams is paged too every", "services.ingest.streams", "PAGE_EVERY_S", "s"),
        ("Pages of a gap that are read at once", "services.ingest.gaps", "PAGES_A_TURN", ""),
        ("Failures in a row after which a gap is left open", "services.ingest.gaps", "TRIES", ""),
        ("A credential waits for its turn at most", "services.ingest.pacing", "SHORT_S", "s"),
        ("The call that posts a reply may take", "services.ingest.replies", "CALL_DEADLINE_S", "s"),
        ("An unknown reply is looked for again after", "services.ingest.replies", "LOOKS", "s"),
        ("A venue that may be asked to moderate twice is asked again after", "services.ingest.moderator", "AGAIN_AFTER", "s"),
        ("For how long it is asked again", "services.ingest.moderator", "PATIENCE", "s"),
    ),
    "webhooks": (
        ("Before each try", "services.api.webhooks.schedule", "DELAYS_S", "s"),
        ("Give or take", "services.api.webhooks.schedule", "JITTER", "part"),
        ("One try may take", "services.api.webhooks.post", "TOTAL_S", "s"),
        ("An endpoint that fails for so long is disabled", "services.api.webhooks.schedule", "FAILING_FOR_S", "s"),
        ("After a rotation the former secret signs for", "services.api.desk.webhook_endpoints", "ROTATION", "s"),
    ),
    "doors": (
        ("Requests with an unknown key from one address, a minute", "services.api.auth", "STRANGERS_PER_MINUTE", ""),
        ("Mentions in one push", "services.ingest.channels.push", "MOST_MENTIONS", ""),
        ("A signed push may be off by", "services.ingest.channels.push", "TOLERANCE", "s"),
        ("GraphQL: depth of a document", "services.api.graphql.limits", "DEEPEST", ""),
        ("GraphQL: cost of a document", "services.api.graphql.limits", "COSTLIEST", ""),
        ("Code points of a text", "services.ingest.incoming_mention", "LONGEST_TEXT", ""),
    ),
}  # fmt: skip

INTEROP = ROOT / "tests" / "interop"
FAKE_ONLY = "a fake only"
ITSELF = ("push", "simulated")  # ours on both sides
HUBS = {"rss": "websub"}
COMES_BY = {"pages": "asking", "stream": "stream", "push": "push"}
ANSWERED = {"reply_public": "in public", "reply_private": "in private"}

# Words of the glossary that take one of a few values.
VALUES: Mapping[str, tuple[Sequence[str], str]] = {
    "disposition": (tuple(mention.Disposition), "shared.models.mention.Disposition"),
    "kind (of a mention)": (tuple(mention.MentionKind), "shared.models.mention.MentionKind"),
    "visibility": (tuple(mention.Visibility), "shared.models.mention.Visibility"),
    "status (of a conversation)": (tuple(conversation.Status), "shared.models.conversation.Status"),
    "priority": (tuple(conversation.Priority), "shared.models.conversation.Priority"),
    "state (of a reply)": (tuple(reply.ReplyState), "shared.models.reply.ReplyState"),
    "action (of a moderation)": (tuple(moderation.ModerationAction), "shared.models.moderation.ModerationAction"),
    "state (of a moderation)": (tuple(moderation.ModerationState), "shared.models.moderation.ModerationState"),
    "intent": (intent.INTENTS, "services.triage.stages.intent.INTENTS"),
    "urgency": (urgency.REASONS, "services.triage.stages.urgency.REASONS"),
    "state (of an offer)": (tuple(offer.OfferState), "shared.models.offer.OfferState"),
    "reason (why an agent does not get work)": (get_args(routing.Reason), "shared.rules.routing.Reason"),
    "role": (tuple(Role), "shared.models.workspace.Role"),
    "metric (of an SLA policy)": (sla_policy.METRICS, "shared.rules.sla_policy.METRICS"),
    "state (of an SLA clock)": (get_args(sla_clock.State), "shared.rules.sla_clock.State"),
    "counted as": (get_args(reply_rules.CountedAs), "shared.models.reply_rules.CountedAs"),
    "contact's tier": (tuple(priority.TIERS), "shared.rules.priority.TIERS"),
    "ability (of a channel type)": (tuple(catalog.ABILITIES), "services.ingest.catalog.ABILITIES"),
}


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _code(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def first_sentence(thing: object) -> str:
    return (inspect.getdoc(thing) or "").partition("\n\n")[0].replace("\n", " ")


def roles() -> str:
    may = {action.value: {role for role, actions in ROLES.items() if action in actions} for action in Action}
    may |= {"push mentions to ingest": set(MAY_PUSH), "act for an agent (`Webcare-Agent`)": set(MAY_ACT_FOR_AGENTS)}
    names = [role.value for role in ROLES]
    rows = (
        [f"`{said}`" if ":" in said else said, *("yes" if role in able else "" for role in ROLES)]
        for said, able in may.items()
    )
    return table(["what", *names], rows)


def operations() -> str:
    import_module("services.api.rest.routes")  # loads the operations of every noun
    return table(
        ["action", "operations that need it"],
        [
            [f"`{action.value}`", _code(f"{one.method} {one.path}" for one in OPERATIONS if one.action == action)]
            for action in Action
        ],
    )


def events() -> str:
    rows = (
        [f"`{type_}`", first_sentence(fact), fact.noun, "yes" if fact.work else ""] for type_, fact in FACTS.items()
    )
    return table(["type", "what happened", "`data` is the", "leaves work"], rows)


def stages() -> str:
    rows = []
    for number, stage in enumerate(pipeline.PIPELINE, 1):
        asks = first_sentence(import_module(stage.assess.__module__))
        rows.append([str(number), f"`{stage.name}`", asks, _code(stage.needs), _code(stage.adds)])
    return table(["", "stage", "what it asks, and how it answers", "needs", "adds"], rows)


def findings() -> str:
    rows = []
    for name, shape in FINDINGS.items():
        kinds = shape.value["type"]
        value = " or ".join(shape.value.get("enum") or ([kinds] if isinstance(kinds, str) else kinds))
        own = [f"`{field}`" for field in shape.own]
        rows.append([f"`{name}`", f"{'each: ' if shape.many else ''}{value}", ", ".join(own), shape.doc])
    return table(["finding", "`value`", "fields of its own", "what it answers"], rows)


def stage_example() -> str:
    """What the pipeline finds in the example, said as `webcare analyse` says it."""
    rows = (
        [found["id"], name, _shown(one), one["why"], f"`{one['decided_by']}`"]
        for found in _analysed()
        for name, finding in found["findings"].items()
        for one in (finding if isinstance(finding, list) else [finding])
        if one is not None
    )
    return table(["mention", "finding", "value", "why", "decided by"], rows)


def _analysed() -> list[dict[str, Any]]:
    lines = EXAMPLE_MENTIONS.read_text(encoding="utf-8").splitlines()
    return list(analyse(lines, read_workspace(EXAMPLE_WORKSPACE)))


def _shown(finding: Mapping[str, Any]) -> str:
    more = [f"{name} {finding[name]}" for name in ("kind", "type", "score") if name in finding]
    return ", ".join([f"`{finding['value']}`", *more])


def imports() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    rows = []
    for contract in project["tool"]["importlinter"]["contracts"]:
        if contract["type"] == "independence":
            rows.append([contract["name"], _code(contract["modules"]), "each other"])
        else:
            rows.append([contract["name"], _code(contract["source_modules"]), _code(contract["forbidden_modules"])])
    return table(["rule", "holds for", "who may not import"], rows)


def values() -> str:
    return table(
        ["word", "values", "in code"], ([word, _code(all_), f"`{place}`"] for word, (all_, place) in VALUES.items())
    )


def figures(about: str) -> str:
    rows = []
    for what, module, name, unit in FIGURES[about]:
        known = getattr(import_module(module), name)
        rows.append([what, _figure(known, unit), f"`{module}.{name}`"])
    return table(["what", "figure", "in code"], rows)


def _figure(known: Any, unit: str) -> str:
    if isinstance(known, tuple):
        return ", ".join(_figure(one, "s") for one in known)
    if isinstance(known, timedelta):
        known = known.total_seconds()
    if unit == "part":
        return f"{known:.0%}"
    if unit != "s":
        return f"{known:,}"
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if known >= 2 * size or known == size:
            return f"{known / size:g} {name}"
    return f"{known:g} s"


def channel(type_: str) -> str:
    """What a channel of this type can do, and all that can be set."""
    found = catalog.describe(type_)
    can = f"Abilities: {_code(found.abilities) or 'none'}.\n"
    parts = [can]
    for title, schema in (("setting", found.settings_schema), ("secret", found.secrets_schema)):
        rows = [
            [f"`{name}`", _default(one, name in schema.get("required", ())), _said(one)]
            for name, one in schema.get("properties", {}).items()
        ]
        parts.append(table([title, "default", "what it is"], rows) if rows else f"It has no {title}s.\n")
    asked = DisplayRules.model_validate(found.display_rules).sentences()
    if terms := [[f"{said.rstrip('.')}."] for said in asked]:
        parts.append(table(["the venue's terms for keeping and showing"], terms))
    return "\n".join(parts)


def channels() -> str:
    """Every channel type with its page: what is added to the folder is listed here by itself."""
    rows = []
    for type_ in catalog.types():
        found = catalog.describe(type_)
        comes = [way for name, way in COMES_BY.items() if name in found.abilities]
        answered = [how for name, how in ANSWERED.items() if name in found.abilities]
        rows.append(
            [
                f"[{type_}]({type_}.md)",
                found.title,
                ", ".join(comes),
                " and ".join(answered) or "no",
                proven_against(type_),
            ]
        )
    return table(["channel", "venue", "comes by", "answered", "tested against"], rows)


def proven_against(type_: str) -> str:
    """The venue's own software where the tests start it, else a fake that we wrote."""
    if type_ in ITSELF:
        return "itself"
    name = HUBS.get(type_, type_)
    return "the venue's own software" if (INTEROP / f"test_{name}.py").exists() else FAKE_ONLY


def _default(schema: Mapping[str, Any], required: bool) -> str:
    if required:
        return "required"
    return "unset" if schema.get("default") in (None, "", []) else f"`{schema['default']}`"


def _said(schema: Mapping[str, Any]) -> str:
    choices = schema.get("enum")
    said = [str(schema.get("title", "")).rstrip("."), str(schema.get("description", "")).rstrip(".")]
    return ". ".join(part for part in (*said, f"One of {_code(map(str, choices))}" if choices else "") if part) + "."


def open_channels_table() -> str:
    rows = [
        [one.called, f"`{one.type}`", one.hears, one.misses, "`--app`" if one.for_app else ""]
        for one in open_channels.OPEN
    ]
    return table(["channel", "type", "hears", "does not hear", "only with"], rows)


def mappings() -> str:
    rows = []
    for name in mapping.ready():
        made = mapping.read_mapping(name)
        file = next((DOCS / "examples" / "imports").glob(f"{name}.*"))
        example = f"[{file.name}](../examples/imports/{file.name})"
        rows.append([f"`{name}`", made.title, f"`{made.channel}`", f"`{made.items}`" if made.items else "", example,
                     " ".join(made.terms.sentences())])  # fmt: skip
    heads = ["mapping", "what it reads", "channel", "list in a document", "example", "the venue's terms"]
    return table(heads, rows)


TABLES: Mapping[str, Callable[[], str]] = {
    "channels": channels,
    "open-channels": open_channels_table,
    "mappings": mappings,
    "roles": roles,
    "operations": operations,
    "events": events,
    "stages": stages,
    "findings": findings,
    "stage-example": stage_example,
    "imports": imports,
    "values": values,
    **{f"figures-{about}": partial(figures, about) for about in FIGURES},
    **{f"channel-{type_.replace('_', '-')}": partial(channel, type_) for type_ in catalog.types()},
}


def pages() -> list[Path]:
    """Every page that is written by hand."""
    return [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]


def main() -> int:
    """Writes the tables anew and names the pages that changed."""
    for page in pages():
        before = page.read_text(encoding="utf-8")
        after = PLACE.sub(lambda found: f"{found['head']}{TABLES[found['name']]()}{found['foot']}", before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            sys.stdout.write(f"{page.relative_to(ROOT)} is written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
