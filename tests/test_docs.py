"""The pages say what the code does: links lead somewhere, and every command, path, setting, event and file exists."""

import ast
import importlib
import importlib.util
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import jsonschema
import pytest
import typer.core
import typer.main
import yaml

from services.api.app import create_app as create_api
from services.api.rest import openapi
from services.api.rest.door import OPERATIONS
from services.ingest import catalog
from services.ingest.app import create_app as create_ingest
from services.ingest.incoming_mention import IncomingMention
from services.local.cli import app
from services.triage.pipeline import PIPELINE
from shared.kit.settings import SPACY_MODEL_PREFIX, Settings, environment_name
from shared.models.facts import FACTS
from shared.store.events import API_VERSION
from tests.docs_reading import (
    BLOCK,
    CODE,
    LINK,
    anchors,
    calls_of_webcare,
    commands,
    named,
    prose,
    requests_of,
    resolved,
    template_of,
)
from tests.docs_tables import DOCS, FAKE_ONLY, PLACE, ROOT, TABLES, pages, proven_against

PAGES = sorted(pages())
WHERE = ("services/", "shared/", "tests/", "docs/", "migrations/", "ops/", "requirements/", ".ci/")
NOT_SETTINGS = {"WEBCARE_KEY"}  # the shell variable in which readers keep their key
DOORS = {"http://127.0.0.1:8000": "api", "http://127.0.0.1:8001": "ingest"}
PROGRAMS = {"curl", "ask", "make", "webcare", ".venv/bin/webcare", "python3"}  # what the tests below look into
SHELL = {"export", "id_of", "sleep", "docker"}


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """The OpenAPI document of the api."""
    found: dict[str, Any] = openapi.document(create_api(Settings()).version)
    return found


@pytest.fixture(scope="module")
def routes() -> dict[str, set[tuple[str, str]]]:
    """(method, path template) of each door."""
    found = {
        door: {
            (method, path)
            for route in application.router.routes
            if (path := getattr(route, "path", None))
            for method in getattr(route, "methods", None) or ("GET",)
        }
        for door, application in (("api", create_api(Settings())), ("ingest", create_ingest(Settings())))
    }
    found["api"] |= {(operation.method, operation.path) for operation in OPERATIONS}
    return found


# ---------------------------------------------------------------- links, files, tables


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if urlsplit(link).scheme in ("http", "https"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / unquote(path)).resolve() if path else page
        assert target.is_file(), f"{named(page)} links to {link}"
        assert ROOT in target.parents
        if anchor:
            assert anchor in anchors(target), f"{named(page)} links to {link}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        waiting += [
            (page.parent / link.partition("#")[0]).resolve() for link in LINK.findall(prose(page)) if ":" not in link
        ]
    measured = {DOCS / "benchmarks.md"}  # there where `make bench` was run
    assert set(PAGES) - seen - measured == set()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_files_and_names_in_the_code_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    places = {one for one in CODE.findall(prose(page)) if one.startswith(WHERE)}
    for language, block in BLOCK.findall(text):
        if not language:  # a picture
            places |= set(re.findall(rf"(?:{'|'.join(map(re.escape, WHERE[:5]))})[\w/.-]*\w", block))
    for place in sorted(places):
        if re.search(r"[<{…*]", place):
            continue
        assert (ROOT / place).exists(), f"{named(page)} names {place}"
    for name in CODE.findall(PLACE.sub("", prose(page))):  # tables are held to the code by a test of their own
        if re.fullmatch(r"(?:services|shared|tests|migrations)(?:\.\w+)+", name):
            assert resolved(name), f"{named(page)} names {name}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_tables_say_what_stands_in_the_code(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    begun = re.findall(r"^<!-- table: ", text, re.MULTILINE)
    assert len(begun) == len(PLACE.findall(text)), f"a table of {named(page)} has no end"
    for found in PLACE.finditer(text):
        assert found["table"] == TABLES[found["name"]](), f"{named(page)}: run `python -m tests.docs_tables`"


def test_every_table_stands_on_a_page() -> None:
    shown = {found["name"] for page in PAGES for found in PLACE.finditer(page.read_text(encoding="utf-8"))}
    assert shown == set(TABLES), "a channel's table stands on docs/channels/<type>.md: see docs/adding-a-channel.md"


@pytest.mark.parametrize("type_", catalog.types())
def test_a_channel_has_a_page_that_names_every_setting(type_: str) -> None:
    page = DOCS / "channels" / f"{type_}.md"
    marks = f"`<!-- table: channel-{type_.replace('_', '-')} -->` and `<!-- end of table -->`"
    assert page.exists(), (
        f"write docs/channels/{type_}.md, with the lines {marks}, and run `python -m tests.docs_tables`"
    )
    text = page.read_text(encoding="utf-8")
    info = catalog.describe(type_)
    for schema in (info.settings_schema, info.secrets_schema):
        for name in schema.get("properties", {}):
            assert f"`{name}`" in text, (
                f"docs/channels/{type_}.md needs {marks}; then run `python -m tests.docs_tables`"
            )
    assert f"services/ingest/channels/{type_}.py" in text, f"docs/channels/{type_}.md should name its file"


@pytest.mark.parametrize("type_", catalog.types())
def test_a_channel_s_page_says_plainly_whether_it_was_ever_run_against_its_venue(type_: str) -> None:
    text = (DOCS / "channels" / f"{type_}.md").read_text(encoding="utf-8")
    says = "Not run against the live service" in text
    assert says == (proven_against(type_) == FAKE_ONLY), (
        f"docs/channels/{type_}.md should say: Not run against the live service."
        if not says
        else f"docs/channels/{type_}.md says that it was not run, though tests/interop has a test of it"
    )


def test_the_pages_of_stages_and_events_name_all_of_them_in_their_order() -> None:
    stages = (DOCS / "stages.md").read_text(encoding="utf-8")
    places = [stages.index(f"| {number} | `{stage.name}`") for number, stage in enumerate(PIPELINE, 1)]
    assert places == sorted(places)
    events = (DOCS / "events.md").read_text(encoding="utf-8")
    for type_, fact in FACTS.items():
        assert f"| `{type_}` | {fact.__doc__}" in events


def test_the_sample_of_an_event_has_its_fields_and_today_s_version() -> None:
    blocks = dict(BLOCK.findall((DOCS / "events.md").read_text(encoding="utf-8")))
    sample = json.loads(blocks["json"])
    described = openapi.document(create_api(Settings()).version)["components"]["schemas"]["EventEnvelope"]
    assert set(sample) == set(described["properties"])
    assert sample["api_version"] == API_VERSION
    assert sample["type"] in FACTS


# ---------------------------------------------------------------- commands


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_of_webcare_exist_with_their_options(page: Path) -> None:
    known = typer.main.get_command(app)
    assert isinstance(known, typer.core.TyperGroup)
    for words in calls_of_webcare(page):
        group: Any = known
        while isinstance(group, typer.core.TyperGroup):
            assert words, f"{named(page)}: which command of {group.name}?"
            name = words.pop(0)
            assert name in group.commands, f"{named(page)}: webcare has no command {name}"
            group = group.commands[name]
        group.make_context(group.name, words)  # raises where an option or argument is wrong or missing


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_targets_of_make_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    said = [*commands(page), *CODE.findall(prose(page))]
    for one in said:
        if found := re.match(r"(?:[A-Z_]+=\S+ )*make ([a-z]+)\b", one):
            assert found[1] in targets, f"{named(page)}: make {found[1]}"


def test_every_target_of_make_is_told_to_contributors() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for target in re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE):
        if target != "help":
            assert f"`make {target}" in text


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_command_escapes_these_tests(page: Path) -> None:
    for command in commands(page):
        first = re.sub(r"^(?:[A-Z_]+=(?!\$\()\S* )+", "", command)
        first = re.sub(r"^[A-Z_]+=\$\(", "", first)
        word = first.split("(")[0].split()[0]
        assert word in PROGRAMS | SHELL, f"{named(page)}: nobody checks {command!r}"


def test_programs_that_readers_run_are_there_and_are_python() -> None:
    for page in PAGES:
        for command in commands(page):
            for script in re.findall(r"python3 (docs/\S+\.py)", command):
                ast.parse((ROOT / script).read_text(encoding="utf-8"))
            for code in re.findall(r"python3 -c '([^']+)'", command):
                ast.parse(code)


# ---------------------------------------------------------------- paths and bodies


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_calls_are_ones_that_the_doors_answer(
    page: Path, routes: dict[str, set[tuple[str, str]]], described: dict[str, Any]
) -> None:
    for request in requests_of(page):
        parts = urlsplit(request.url)
        door = DOORS[f"{parts.scheme}://{parts.netloc}"]
        template = template_of(request.method, parts.path, routes[door])
        assert template, f"{named(page)}: {request.method} {request.url}"
        if door == "ingest":
            if template == "/v1/mentions":
                IncomingMention.model_validate(request.body)
            continue
        operation = described["paths"][template][request.method.lower()]
        names = {one["name"] for one in operation["parameters"] if one["in"] == "query"}
        assert {name for name, _ in parse_qsl(parts.query)} <= names, request.url
        takes = operation.get("requestBody")
        if takes is None:
            assert request.body is None, f"{named(page)}: {request.url} takes no body"
        elif request.body is not None or takes["required"]:
            schema = {**takes["content"]["application/json"]["schema"], "components": described["components"]}
            jsonschema.Draft202012Validator(schema).validate(request.body)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_settings_of_channels_in_bodies_fit_their_type(page: Path) -> None:
    for request in requests_of(page):
        if urlsplit(request.url).path == "/v1/channels" and request.method == "POST":
            catalog.check(request.body["type"], request.body["settings"], request.body.get("secrets", {}))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_paths_in_the_prose_exist(page: Path, routes: dict[str, set[tuple[str, str]]]) -> None:
    known = routes["api"] | routes["ingest"]
    for name in CODE.findall(prose(page)):
        if found := re.fullmatch(r"(GET|POST|PATCH|PUT|DELETE) (/\S*)", name):
            path = urlsplit(found[2]).path
            assert template_of(found[1], path, known), f"{named(page)}: {name}"
        elif re.fullmatch(r"/(?:v1/|graphql|docs|redoc|openapi|healthz|readyz|metrics)\S*", name):
            assert any(template_of(method, name, known) for method in ("GET", "POST")), f"{named(page)}: {name}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_settings_and_events_in_the_prose_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    known = {environment_name(name) for name in Settings.model_fields} | NOT_SETTINGS
    for name in set(re.findall(r"WEBCARE_[A-Z_]+", text)):
        assert name in known or name.startswith(SPACY_MODEL_PREFIX), f"{named(page)}: {name}"
    nouns = {type_.partition(".")[0] for type_ in FACTS}
    for name in CODE.findall(prose(page)):
        noun, _, verb = name.partition(".")
        if noun in nouns and re.fullmatch(r"[a-z_]+", verb) and verb not in ("py", "md"):
            assert name in FACTS, f"{named(page)}: {name}"


def test_the_readme_works_with_the_demo_brand() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    setup = yaml.safe_load((ROOT / "services" / "local" / "demo" / "setup.yaml").read_text(encoding="utf-8"))
    agents = {one["name"]: one for one in setup["agents"]}
    queues = {one["name"]: one for one in setup["queues"]}
    wanted = re.findall(r'id_of "([^"]+)"', text)
    assert wanted, "the third thing names an agent and a queue"
    (agent,) = (agents[name] for name in wanted if name in agents)
    (queue,) = (queues[name] for name in wanted if name in queues)
    assert set(agent["teams"]) & {*queue["teams"], *queue.get("secondary_teams", ())}, (
        "the agent may take from that queue"
    )
    assert setup["brands"][0]["name"] in text


# ---------------------------------------------------------------- decisions and figures


def test_decisions_are_numbered_listed_and_have_their_parts() -> None:
    folder = DOCS / "decisions"
    files = sorted(file for file in folder.glob("*.md") if file.name != "README.md")
    index = (folder / "README.md").read_text(encoding="utf-8")
    for number, file in enumerate(files, 1):
        text = file.read_text(encoding="utf-8")
        title = re.match(rf"# {number}\. (.+)\n", text)
        assert file.name.startswith(f"{number:04}-")
        assert title
        assert f"| [{number}]({file.name}) | {title[1]} |" in index
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Decision", "Why", "Price", "Where"]


def figures_that_are_told() -> set[str]:
    """The names under which Prometheus finds our figures."""
    from prometheus_client import REGISTRY

    told = set[str]()
    for metric in REGISTRY.collect():
        if metric.name.startswith("webcare_"):
            told |= {sample.name for sample in metric.samples} or {metric.name}
            told |= {metric.name, f"{metric.name}_total"} if metric.type == "counter" else {metric.name}
            told |= {f"{metric.name}_{part}" for part in ("bucket", "count", "sum") if metric.type == "histogram"}
    return told


def test_alerts_dashboard_and_page_name_figures_that_exist() -> None:
    told = figures_that_are_told()
    alerts = yaml.safe_load((ROOT / "ops" / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
    rules = [rule for group in alerts["groups"] for rule in group["rules"]]
    board = json.loads((ROOT / "ops" / "grafana" / "webcare.json").read_text(encoding="utf-8"))
    page = (DOCS / "monitoring.md").read_text(encoding="utf-8")
    for rule in rules:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    asked = [rule["expr"] for rule in rules] + [t["expr"] for panel in board["panels"] for t in panel["targets"]]
    kinds = {type_ for type_, fact in FACTS.items() if fact.work}
    for expression in [*asked, page]:
        for name in re.findall(r"\bwebcare_[a-z_]+", expression):
            assert name in told, name
        assert set(re.findall(r'kind="([^"]+)"', expression)) <= kinds
    for name in re.findall(r"^\| `(webcare_\w+)` \|", page, re.MULTILINE):
        assert any(name in expression for expression in asked), f"nobody looks at {name}"


def test_the_example_receiver_tells_genuine_from_false() -> None:
    path = DOCS / "examples" / "receive_webhooks.py"
    spec = importlib.util.spec_from_file_location("receive_webhooks", path)
    assert spec
    assert spec.loader
    receiver = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(receiver)
    from datetime import UTC, datetime

    from services.api.webhooks import signing
    from shared.kit.secrets import new_webhook_secret

    secret, at, body = new_webhook_secret(), datetime(2026, 11, 22, tzinfo=UTC), b'{"type": "mention.received"}'
    signed = signing.headers([signing.key_of(new_webhook_secret()), signing.key_of(secret)], "msg_1", at, body)
    key = receiver.key_of(secret)
    assert receiver.is_genuine(key, signed, body, at.timestamp() + 10)
    assert not receiver.is_genuine(key, signed, body + b" ", at.timestamp())
    assert not receiver.is_genuine(key, signed, body, at.timestamp() + 3600)
    assert not receiver.is_genuine(receiver.key_of(new_webhook_secret()), signed, body, at.timestamp())
    assert not receiver.is_genuine(key, {}, body, at.timestamp())
