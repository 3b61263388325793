"""Mappings: the ready ones read their example files, and each way to make a field of columns does what it says."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.api.desk import workspaces
from services.ingest.incoming_mention import IncomingMention, read_mentions
from services.local.importing import import_file, mapped, previewed
from services.local.mapping import READY, FileMapping, at_path, read_mapping, ready
from services.local.mention_files import MentionFile, Unreadable
from services.local.trouble import LocalTrouble
from shared.kit import clock
from shared.kit.database import Database
from shared.kit.settings import Settings
from tests.local.warm import webcare

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples" / "imports"
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY = "k" * 40


@pytest.fixture(autouse=True)
def _at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: AT)


def example(name: str) -> Path:
    (file,) = EXAMPLES.glob(f"{name}.*")
    return file


def mentions(name: str) -> list[IncomingMention]:
    mapping = read_mapping(name, KEY)
    items = list(mapped(MentionFile(example(name), mapping.items), mapping))
    good, bad = read_mentions([item.content for item in items])
    assert bad == []
    return [mention for _, mention in good]


def make(tmp_path: Path, fields: dict[str, Any], **more: Any) -> FileMapping:
    needed = {"external_id": "id", "text": "t", "published_at": {"value": "2026-11-20"}}
    file = tmp_path / "m.yaml"
    file.write_text(yaml.safe_dump({"fields": {**needed, **fields}, **more}))
    return read_mapping(str(file), KEY)


def test_every_mapping_has_an_example_and_every_example_a_mapping() -> None:
    assert {file.stem for file in EXAMPLES.iterdir()} == set(ready())
    assert set(ready()) == {"tripadvisor", "tiktok", "linkedin", "news_comments", "shop_reviews", "call_notes"}


@pytest.mark.parametrize("name", ready())
def test_its_example_is_read_whole(name: str) -> None:
    found = mentions(name)
    assert len(found) >= 2
    assert len({one.external_id for one in found}) == len(found)
    assert all(one.published_at < AT for one in found)
    assert read_mapping(name).channel


def test_what_each_example_says() -> None:
    review = mentions("tripadvisor")[0]
    assert (review.kind, review.rating, review.thread_id, review.lang) == ("review", 2.0, "7000042", "en")
    assert review.author
    assert review.author.handle == "marieke_travels"
    assert review.permalink
    assert review.raw
    first, second = mentions("tiktok")
    assert (second.in_reply_to, second.thread_id) == (first.external_id, "7439999999999999999")
    assert first.published_at == datetime(2025, 11, 20, 12, tzinfo=UTC)
    assert first.engagement
    assert first.engagement.likes == 14
    asked, congratulated = mentions("linkedin")
    assert congratulated.in_reply_to == asked.external_id
    assert asked.permalink == "https://www.linkedin.com/feed/update/urn:li:activity:7390000000000000001"
    comment = mentions("news_comments")[0]
    assert comment.text == "Third outage this year.\n\nNorthwind should pay us back & say sorry."
    assert comment.published_at == datetime(2026, 11, 20, 8, 15, tzinfo=UTC)
    stars = mentions("shop_reviews")
    assert [one.rating for one in stars] == [1.0, 4.5, 2.0]
    assert stars[0].text == "The Northwind router stops every evening.\n\nGets hot"
    assert (stars[2].text, stars[2].author) == ("", None)
    assert stars[2].published_at == datetime(2026, 11, 13, 23, tzinfo=UTC)


def test_a_call_note_is_private_and_does_not_hold_the_number() -> None:
    found = mentions("call_notes")
    for one in found:
        assert (one.kind, one.visibility, one.raw) == ("note", "private", None)
        assert "12345678" not in one.model_dump_json()
        assert one.author
        assert str(one.author.external_id).startswith("hmac:")
    assert len({one.author.external_id for one in found if one.author}) == 2
    row = {"call_id": "1", "note": "x", "started_at": "20-11-2026 10:02"}
    names = {
        str(read_mapping("call_notes", key).mention({**row, "customer_phone": phone}))
        for key, phone in ((KEY, "+31 6 12345678"), (KEY, "+31612345678"), ("other" * 8, "+31612345678"))
    }
    assert len(names) == 2, "the same number is the same person, and only for who has the secret"


@pytest.mark.parametrize(
    ("rule", "row", "made"),
    [
        ("Title", {"title": "x"}, "x"),
        (["First", "second"], {"first": " ", "Second": "b"}, "b"),
        ("review_title", {"Review  Title": "x"}, "x"),
        ("user.name", {"User": {"NAME": "jo"}}, "jo"),
        ("photos.1.url", {"photos": [{"url": "a"}, {"url": "b"}]}, "b"),
        ("photos.2.url", {"photos": [{"url": "a"}]}, None),
        ({"value": "x"}, {}, "x"),
        ({"from": "s", "values": {"Live": "yes", "gone": "no"}}, {"s": "live"}, "yes"),
        ({"from": "s", "values": {"Live": "yes"}, "otherwise": "no"}, {}, "no"),
        ({"from": "b", "html": True}, {"b": "<p>a &amp; b</p>"}, "a & b"),
        ({"join": ["a", "b", "c"], "with": " / "}, {"a": "1", "c": "3"}, "1 / 3"),
        ({"join": [["x", "a"], "b"]}, {"a": "1", "b": "2"}, "1\n\n2"),
        ({"join": ["a"]}, {}, None),
        ({"template": "{a}-{b}"}, {"a": "1", "b": 2}, "1-2"),
        ({"template": "{a}-{b}"}, {"a": "1"}, None),
        ({"template": "{a}"}, {"a": "{b}", "b": "no"}, "{b}"),
    ],
)
def test_ways_to_make_a_field(tmp_path: Path, rule: Any, row: dict[str, Any], made: str | None) -> None:
    found = make(tmp_path, {"title": rule}).mention(row)
    assert isinstance(found, dict)
    assert found.get("title") == made


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("2026-11-20", "2026-11-20T00:00:00+01:00"),
        ("2026-07-01 10:00", "2026-07-01T10:00:00+02:00"),
        ("2026-11-20T10:00:00Z", "2026-11-20T10:00:00+00:00"),
        ("20-11-2026", "2026-11-20T00:00:00+01:00"),
        (1763640000, "2025-11-20T12:00:00+00:00"),
        ("1763640000000", "2025-11-20T12:00:00+00:00"),
        (1763640000.5, "2025-11-20T12:00:00.500000+00:00"),
    ],
)
def test_moments(tmp_path: Path, said: object, at: str) -> None:
    rule = {"from": "d", "forms": ["%d-%m-%Y"], "zone": "Europe/Amsterdam"}
    found = make(tmp_path, {"published_at": rule}).mention({"d": said})
    assert isinstance(found, dict)
    assert found["published_at"] == at


@pytest.mark.parametrize(("said", "value"), [("4,5", 4.5), ("8/10", 8.0), (7, 7.0), ("★ 3.0", 3.0)])
def test_ratings(tmp_path: Path, said: object, value: float) -> None:
    found = make(tmp_path, {"rating": {"from": "r", "min": 0, "max": 10}}).mention({"r": said})
    assert isinstance(found, dict)
    assert found["rating"] == {"value": value, "min": 0, "max": 10}


def test_a_row_that_does_not_fit_is_named_and_spoils_no_other(tmp_path: Path) -> None:
    rows = [
        {"id": "1", "t": "a", "d": "yesterday"}, {"id": "2", "t": "b", "d": "2026-11-20"}, {"t": "c", "d": "2026-11-20"},
        {"id": "4", "t": "", "d": "2026-11-20"},
    ]  # fmt: skip
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    mapping = make(tmp_path, {"published_at": "d"}, channel="c")
    found = list(previewed(mapped(MentionFile(tmp_path / "a.jsonl"), mapping), None, mapping))
    assert found == [
        "Line 1: It has in published_at what is no date that the mapping knows.",
        {"channel": "c", "external_id": "2", "text": "b", "published_at": "2026-11-20T00:00:00Z"},
        "Line 3: external_id is missing.",
        "Line 4: Text is empty, and there is no title, rating or media either.",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("fields: [", "cannot be read"),
        ("- a", "it has no `fields`"),
        ("fields: {text: a}", "it does not say where external_id, published_at comes from"),
        ("fields: {external_id: a, text: b, published_at: c, colour: d}", "colour is no field of a mention"),
        ("fields: {external_id: a, text: {form: b}, published_at: c}", "text is neither a column nor a rule"),
        ("fields: {external_id: a, text: {min: 1}, published_at: c}", "text does not say from where"),
        ("fields: {external_id: a, text: b, published_at: {from: c, zone: Mars/Base}}", "Mars/Base is no time zone"),
        ("{fields: {}, colour: blue}", "colour is nothing that a mapping says"),
    ],
)
def test_a_mapping_that_is_not_right_is_a_sentence(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "m.yaml").write_text(content)
    with pytest.raises(LocalTrouble, match=said):
        read_mapping(str(tmp_path / "m.yaml"))


def test_a_mapping_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(LocalTrouble, match="There is no mapping nothing"):
        read_mapping("nothing")
    assert READY.is_dir()


def test_a_path_goes_no_further_than_there_is_something() -> None:
    assert at_path({"a": {"b": 1}}, "a.b.c") is None
    assert at_path({"a.b": 1}, "a.b") == 1
    assert at_path([], "a") is None


def test_a_json_document_is_read_by_its_list(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('\ufeff{"data": {"rows": [{"id": "1"}, 2]}}', encoding="utf-8")
    found = [(item.line, item.content) for item in MentionFile(tmp_path / "a.json", "data.rows").items()]
    assert found == [(1, {"id": "1"}), (2, Unreadable("is not a JSON object"))]
    with pytest.raises(LocalTrouble, match="holds no list at data"):
        list(MentionFile(tmp_path / "a.json", "data.lines").items())
    (tmp_path / "b.json").write_text('{"id": "1"}\n{"id": "2"}\n')
    assert [item.content for item in MentionFile(tmp_path / "b.json").items()] == [{"id": "1"}, {"id": "2"}]
    (tmp_path / "c.json").write_text('[{"id": "1"}]')
    assert [item.content for item in MentionFile(tmp_path / "c.json", "data").items()] == [{"id": "1"}]


@pytest.mark.parametrize("name", ready())
async def test_an_example_is_imported_once(settings: Settings, database: Database, name: str) -> None:
    slug = f"import-{name.replace('_', '-')}"
    workspace_id = await workspaces.create_workspace(database, slug, "W")
    mapping = read_mapping(name, KEY)

    async def taken() -> dict[str, int]:
        source = MentionFile(example(name), mapping.items)
        found = await import_file(
            source, settings, workspace=slug, channel=None, progress=lambda _: None, mapping=mapping
        )  # fmt: skip
        assert found.problems == []
        return {outcome: count for outcome, count in found.outcomes.items() if count}

    count = len(mentions(name))
    assert await taken() == {"stored": count}
    assert await taken() == {"duplicate": count}
    async with database.read(workspace_id) as connection:
        rows = await connection.fetch(
            "SELECT c.name, count(*) FROM mention m JOIN channel c ON c.id = m.channel_id GROUP BY 1"
        )
    assert [tuple(row) for row in rows] == [(mapping.channel, count)]


def test_a_dry_run_writes_what_can_be_pushed_and_needs_no_server(tmp_path: Path) -> None:
    environment = {**os.environ, "WEBCARE_DATA_DIR": str(tmp_path / "data")}
    arguments = ("import", str(example("tiktok")), "--mapping", "tiktok", "--dry-run", "--channel", "ours")
    answer = webcare(arguments, environment)
    assert answer.returncode == 0, answer.stderr
    lines = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [IncomingMention.model_validate(line).channel for line in lines] == ["ours", "ours"]
    assert "2 would be taken in, 0 not. Nothing was." in answer.stderr
    assert not (tmp_path / "data").exists()
    unknown = webcare(("import", str(example("tiktok")), "--mapping", "nothing"), environment)
    assert (unknown.returncode, "There is no mapping nothing." in unknown.stderr) == (1, True)
