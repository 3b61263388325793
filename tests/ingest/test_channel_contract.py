"""What every channel promises. A new file in `channels/` is held to it without a line of test code, and a pair of files
`payloads/<type>/<case>.in.json` (or .xml) and `<case>.mention.json` is a test of its own.
"""

import ast
import importlib
import inspect
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import httpx
import jsonschema
import pytest
from pydantic import ValidationError

from services.ingest import catalog, channels
from services.ingest.channel import (
    AskForNewCredential,
    ChannelBroken,
    ChannelError,
    ChannelSecrets,
    ChannelSettings,
    ChoosesToStream,
    Idempotency,
    KnowsItself,
    Pace,
    Paced,
    PagesByCursor,
    ReachesBack,
    ReadsBack,
    ReceivesPushes,
    RepliesPrivately,
    RepliesPublicly,
    Streams,
    TryLater,
)
from services.ingest.channels.simulated import SimulatedSettings
from services.ingest.networks.played_venues import PLAYS
from services.ingest.spending import BUDGET_SETTING
from shared.kit import clock
from shared.kit.http import HttpClient
from shared.models.display_rules import DisplayRules
from shared.models.reply_rules import ReplyRules
from tests.machine import slowness
from tests.venues.google import BY_PERSON, SERVICE_ACCOUNT

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
FOLDER = Path(channels.__path__[0])
TYPES = sorted(file.stem for file in FOLDER.glob("*.py") if file.stem != "__init__")
PAYLOADS = Path(__file__).parent / "payloads"
CASES = sorted(file for file in PAYLOADS.glob("*/*.in.*"))

# The least that makes a channel of a type, and what its network gives it where it is polled.
SETTINGS: dict[str, dict[str, Any]] = {
    "bluesky": {"queries": ["acmetel"]},
    "mastodon": {"instance": "https://mastodon.example", "hashtags": ["acmetel"]},
    "x": {"queries": ["acmetel"]},
    "rss": {"url": "https://feed.example/rss"},
    "hacker_news": {"query": "northwind"},
    "lemmy": {"query": "northwind"},
    "stack_exchange": {"query": "northwind"},
    "app_store": {"app_id": "1234567890"},
    "google_play": {"package": "com.northwind.app"},
    "youtube": {"channel_id": "UCnorthwindnorthwindnort"},
    "google_business": {"locations": ["accounts/1/locations/2"]},
    "reddit": {"query": "northwind", "approved": True, "account": "northwind"},
    "disqus": {"forum": "northwind"},
    "facebook": {"page_id": "500"},
    "instagram": {"account_id": "17841400000000001"},
    "messenger": {"page_id": "500"},
    "whatsapp": {"phone_number_id": "106540000000000"},
    "discourse": {"instance": "https://forum.example"},
    "trustpilot": {"business_unit_id": "46d6a890000064000500e0c3"},
    "mail": {"address": "care@acme.example", "imap_host": "imap.acme.example", "smtp_host": "smtp.acme.example"},
    "nntp": {"host": "news.example", "groups": ["acme.support"]},
    "wordpress": {"url": "https://blog.example"},
    "isso": {"url": "https://comments.example"},
    "matrix": {"homeserver": "https://matrix.example", "user_id": "@care:matrix.example"},
}
NO_HTTP = ("mail", "nntp")  # their servers are played by tests/venues, faults included
SECRETS: dict[str, dict[str, str]] = {
    "google_play": {"service_account": SERVICE_ACCOUNT},
    "youtube": {"api_key": "k"},
    "google_business": BY_PERSON,
    "reddit": {"client_id": "c", "client_secret": "s"},
    "disqus": {"api_key": "k"},
}
ROOM = ("services.ingest", "shared.models", "shared.rules", "shared.kit")


@pytest.fixture(autouse=True)
def _at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: AT)


def _open(type_: str, http: HttpClient, folder: Path) -> Any:
    try:
        return catalog.open_channel(type_, SETTINGS.get(type_, {}), SECRETS.get(type_, {}), http, data_dir=folder)
    except ChannelBroken as lacking:
        pytest.fail(f"{lacking} Add the least that makes a {type_} channel to SETTINGS and SECRETS in this file.")


def test_the_folder_is_the_registry() -> None:
    assert catalog.types() == TYPES
    assert TYPES


@pytest.mark.parametrize("type_", TYPES)
def test_what_is_published_of_a_type(type_: str) -> None:
    info = catalog.describe(type_)
    assert info.type == type_
    assert info.title
    assert len(info.docs) > 80, (
        "the file's first words are published: what the venue is, what is read, whether it is answered"
    )
    assert info.abilities, "it can do nothing: see the protocols in services/ingest/abilities.py"
    for schema in (info.settings_schema, info.secrets_schema):
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["additionalProperties"] is False
        assert catalog.FOLDER_SETTING not in schema["properties"]
        for name, field in schema["properties"].items():
            assert field.get("description") or field.get("title", "").lower() != name.replace("_", " "), (
                f"{name} needs a title or a description of its own"
            )
    for name, field in info.secrets_schema["properties"].items():
        assert name == "user" or "writeOnly" in json.dumps(field), f"{name} would be shown"
    assert ReplyRules.model_validate(info.reply_rules) == catalog.load(type_).reply_rules
    assert DisplayRules.model_validate(info.display_rules) == catalog.display_rules(catalog.load(type_))
    json.dumps([info.settings_schema, info.secrets_schema, info.reply_rules, info.display_rules])


@pytest.mark.parametrize("type_", TYPES)
def test_settings_are_strict_and_their_schema_agrees(type_: str, tmp_path: Path) -> None:
    channel = catalog.load(type_)
    assert issubclass(channel.Settings, ChannelSettings)
    assert issubclass(channel.Secrets, ChannelSecrets)
    schema = catalog.describe(type_).settings_schema
    _open(type_, HttpClient(), tmp_path)
    jsonschema.validate(SETTINGS.get(type_, {}), schema)
    catalog.check(type_, SETTINGS.get(type_, {}), SECRETS.get(type_, {}))
    unknown = {**SETTINGS.get(type_, {}), "no_such_setting": 1}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(unknown, schema)
    with pytest.raises(Exception, match="no_such_setting is not a field of settings") as caught:
        catalog.check(type_, unknown)
    assert ("/settings/no_such_setting") in dict(caught.value.errors)  # type: ignore[attr-defined]
    with pytest.raises(ChannelBroken, match="no_such_setting"):
        catalog.open_channel(type_, unknown, {}, HttpClient(), data_dir=tmp_path)
    with pytest.raises(ValidationError):
        channel.Secrets.model_validate({"no_such_secret": "x"})


@pytest.mark.parametrize("type_", TYPES)
def test_it_can_be_listened_to(type_: str) -> None:
    channel = catalog.load(type_)
    assert issubclass(channel, PagesByCursor) or issubclass(channel, ReceivesPushes) or issubclass(channel, Streams)
    assert channel.ids_unique_within in ("network", "channel")


@pytest.mark.parametrize("type_", TYPES)
def test_reply_rules_say_what_the_channel_can_do(type_: str, tmp_path: Path) -> None:
    channel = catalog.load(type_)
    assert (channel.reply_rules.public is not None) == issubclass(channel, RepliesPublicly)
    assert (channel.reply_rules.private is not None) == issubclass(channel, RepliesPrivately)
    made = _open(type_, HttpClient(), tmp_path)
    if isinstance(made, RepliesPublicly | RepliesPrivately):
        assert made.idempotency() in get_args(Idempotency)
        assert made.idempotency() != "read_back" or isinstance(made, ReadsBack)


@pytest.mark.parametrize("type_", TYPES)
def test_what_it_tells_of_itself_needs_no_network(type_: str, tmp_path: Path) -> None:
    made = _open(type_, HttpClient(), tmp_path)
    if isinstance(made, KnowsItself):
        assert all(type(one) is str and one for one in made.own_accounts())
    if isinstance(made, ReachesBack):
        assert (made.reach() or timedelta(1)) > timedelta(0)
    if isinstance(made, ChoosesToStream):
        assert isinstance(made, Streams)
        assert isinstance(made, PagesByCursor)
        assert type(made.streaming()) is bool
    assert not isinstance(made, Paced) or isinstance(made.pace, Pace)
    if (budget := catalog.describe(type_).settings_schema["properties"].get(BUDGET_SETTING)) is not None:
        assert {"number", "null"} >= {kind["type"] for kind in budget.get("anyOf", [budget])}


@pytest.mark.parametrize("type_", TYPES)
def test_a_channel_keeps_to_its_room(type_: str) -> None:
    tree = ast.parse((FOLDER / f"{type_}.py").read_text())
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    imported += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    ours = [name for name in imported if name.startswith(("services", "shared"))]
    assert all(name.startswith(ROOM) for name in ours), ours
    assert not [name for name in ours if name.startswith("services.ingest.channels")], "channels know no other"
    assert not {name.split(".")[0] for name in imported} & {"sqlalchemy", "asyncpg", "arq", "aiohttp", "requests"}
    assert inspect.getmodule(catalog.load(type_)) is importlib.import_module(f"services.ingest.channels.{type_}")


@pytest.mark.parametrize("type_", TYPES)
def test_there_are_payloads_for_every_type(type_: str) -> None:
    what = f"add tests/ingest/payloads/{type_}/<case>.in.json and, beside it, <case>.mention.json"
    assert [case for case in CASES if case.parent.name == type_], what


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name.split('.in.')[0]}")
def test_payload(case: Path) -> None:
    channel = catalog.load(case.parent.name)
    page = channel.read_payload(case.read_bytes(), AT)
    got = [mention.model_dump(mode="json", exclude_defaults=True, exclude={"raw"}) for mention in page.mentions]
    beside = case.with_name(f"{case.name.split('.in.')[0]}.mention.json")
    written = json.dumps(got, indent=2, ensure_ascii=False)
    assert beside.exists(), f"write {beside.relative_to(PAYLOADS)} beside it; {case.name} is read as:\n{written}"
    expected = json.loads(beside.read_text())
    assert got == (expected if isinstance(expected, list) else [expected]), f"{case.name} is read as:\n{written}"
    again = channel.read_payload(case.read_bytes(), AT)
    assert [mention.external_id for mention in again.mentions] == [mention.external_id for mention in page.mentions]
    assert len({mention.external_id for mention in page.mentions}) == len(page.mentions)
    if case.parent.name != "push":  # whose payload is in our own words already
        kept = "a mention keeps the item it was read from as `raw`; services.ingest.networks.items.mention does that"
        assert all(mention.raw for mention in page.mentions), kept


def _polled() -> Iterator[str]:
    # the simulated venue brings its own network; its faults are tested with it
    elsewhere = ("simulated", *NO_HTTP)
    return (type_ for type_ in TYPES if issubclass(catalog.load(type_), PagesByCursor) and type_ not in elsewhere)


ANSWERS: dict[str, tuple[httpx.Response, type[ChannelError]]] = {
    "not signed in": (httpx.Response(401), AskForNewCredential),
    "not found": (httpx.Response(404), ChannelBroken),
    "gone": (httpx.Response(410), ChannelBroken),
    "conflict": (httpx.Response(409), TryLater),
    "too many": (httpx.Response(429, headers={"Retry-After": "77"}), TryLater),
    "broken": (httpx.Response(500), TryLater),
    "away": (httpx.Response(503, headers={"Retry-After": "77"}), TryLater),
    "a page": (httpx.Response(200, html="<!doctype html><html><body>Hello</body></html>"), ChannelBroken),
    "empty": (httpx.Response(200, content=b""), TryLater),
    "half of JSON": (httpx.Response(200, content=b'{"version": "https://jsonfeed.org/ver'), TryLater),
    "a teapot": (httpx.Response(418), ChannelBroken),
}


@pytest.mark.parametrize("type_", list(_polled()))
@pytest.mark.parametrize("fault", ANSWERS)
async def test_what_a_network_answers_is_told_by_what_to_do(type_: str, fault: str, tmp_path: Path) -> None:
    answer, error = ANSWERS[fault]
    http = HttpClient().through(httpx.MockTransport(lambda _request: answer))
    with pytest.raises(error) as caught:
        await _open(type_, http, tmp_path).page(None)
    assert re.match(r"[A-Z].*\.$", str(caught.value)), "the message is a sentence"
    if "retry-after" in answer.headers:
        assert isinstance(caught.value, TryLater)
        assert caught.value.after.total_seconds() == 77


@pytest.mark.parametrize("type_", list(_polled()))
@pytest.mark.parametrize("broken", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError, httpx.ReadError])
async def test_a_network_that_is_away_is_tried_later(type_: str, broken: type[Exception], tmp_path: Path) -> None:
    def away(_request: httpx.Request) -> httpx.Response:
        raise broken("no")

    with pytest.raises(TryLater):
        await _open(type_, HttpClient().through(httpx.MockTransport(away)), tmp_path).page(None)


@pytest.mark.parametrize("type_", list(_polled()))
async def test_an_address_that_may_not_be_called_breaks_the_channel(type_: str, tmp_path: Path) -> None:
    http = HttpClient()
    if "url" in SETTINGS.get(type_, {}):
        settings = {**SETTINGS[type_], "url": "http://169.254.169.254/latest/meta-data/"}
        with pytest.raises(ChannelBroken, match="not called"):
            await catalog.open_channel(type_, settings, {}, http, data_dir=tmp_path).page(None)  # type: ignore[attr-defined]
    await http.close()


def test_a_played_venue_has_the_rules_of_the_real_one() -> None:
    assert [name for name in TYPES if name in PLAYS and catalog.load(name).reply_rules != PLAYS[name].rules] == []
    assert SimulatedSettings().plays in PLAYS


def test_mentions_are_read_by_the_thousand() -> None:
    """A floor far below what is usual (30,000 a second), to notice when validation becomes slow by mistake."""
    item = json.loads((PAYLOADS / "push" / "review.in.json").read_bytes())["mentions"][0]
    body = json.dumps([{**item, "external_id": str(number)} for number in range(2_000)]).encode()
    started = time.process_time()
    page = catalog.load("push").read_payload(body, AT)
    assert len(page.mentions) == 2_000
    assert 2_000 / (time.process_time() - started) > 3_000 / slowness()
