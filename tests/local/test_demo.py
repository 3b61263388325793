"""The demo brand: its content is whole, varied and invented, its setup is accepted, its story plays once."""

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import phonenumbers
import pytest
import yaml

from services.api.desk import workspaces
from services.api.desk.desk import Actor, Desk
from services.ingest.channels.simulated import SimulatedSettings, to_mention, venue_of
from services.ingest.incoming_mention import IncomingMention, read_mentions
from services.ingest.networks.played_venues import PLAYS
from services.ingest.worker import publish_types
from services.local.demo import content, founding, player
from services.local.demo.venues import as_venue_post, into_venues
from shared.kit import clock, ids
from shared.kit.database import Database
from shared.kit.secrets import Vault
from shared.kit.settings import Settings
from shared.models import taxonomy
from shared.models.workspace import Role
from shared.rules import business_calendar, query_language, sla_policy
from shared.rules import filter as filters
from shared.rules.conversation_fields import CONVERSATION_FIELDS

START = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
TOLD = list(content.mentions())
EXPECTED = {one["external_id"]: one for one in content.expected()}
SETUP = content.setup()
PLAYED = {channel["name"]: channel["settings"]["plays"] for channel in SETUP["channels"]}
LIVE = [one for one in TOLD if one["offset_s"] >= 0]

REAL_NAMES = (
    "kpn|ziggo|odido|vodafone|t-mobile|tmobile|tele2|xs4all|caiway|simyo|hollandsnieuwe|bt|o2|virgin|talktalk|plusnet|"
    "giffgaff|tesco|lebara|verizon|comcast|telefonica|proximus|telenet|starlink|whatsapp|telegram|netflix|iphone|ipad|"
    "samsung|android|pixel|outlook|gmail|windows|allestoringen|ofcom|acm|microsoft|google|apple|amazon|tiktok"
)


def group(name: str) -> list[dict[str, Any]]:
    return [one for one in TOLD if EXPECTED[one["external_id"]].get("group") == name]


class TestContent:
    def test_ingest_takes_every_mention(self) -> None:
        mentions = [mention for _, mention in player.schedule(START)]
        good, bad = read_mentions(mentions)
        assert bad == []
        assert 320 <= len(good) <= 400

    def test_there_is_a_week_of_history_and_then_six_a_minute(self) -> None:
        offsets = [one["offset_s"] for one in TOLD]
        assert offsets == sorted(offsets)
        assert len(set(offsets)) == len(offsets)
        history = [offset for offset in offsets if offset < 0]
        assert 110 <= len(history) <= 130
        assert -7 * 86_400 <= history[0] < -6 * 86_400
        assert len({offset // 86_400 for offset in history}) == 7, "something on every day"
        live = [one["offset_s"] for one in LIVE]
        pauses = [later - earlier for earlier, later in itertools.pairwise(live)]
        assert max(pauses) <= 60
        assert 5 <= len(live) / (live[-1] / 60) <= 7

    def test_every_venue_speaks_as_that_venue(self) -> None:
        by_channel: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for one in TOLD:
            by_channel[one["channel"]].append(one)
        assert set(by_channel) == set(PLAYED)
        assert len(set(PLAYED.values())) >= 12
        for name, mentions in by_channel.items():
            assert len(mentions) >= 8, name
            played = PLAYS[PLAYED[name]]
            for one in mentions:
                assert one.get("visibility", "public") == played.visibility.value, one
                assert (one["kind"] == "review") == ("rating" in one) == (played.kind == "review"), one
                assert (one["kind"] == "article") == (played.kind == "article"), one

    def test_ids_are_unique_and_threads_hang_together(self) -> None:
        seen: dict[str, dict[str, Any]] = {}
        for one in TOLD:
            assert one["external_id"] not in seen
            if (parent := seen.get(one.get("in_reply_to", ""))) is not None:
                assert one["thread_id"] == parent.get("thread_id", parent["external_id"])
                assert one["channel"].split()[0] == parent["channel"].split()[0], one
            seen[one["external_id"]] = one
        chats = Counter(one["thread_id"] for one in TOLD if one["channel"] == "WhatsApp")
        assert sum(turns > 1 for turns in chats.values()) >= 8

    def test_an_author_is_one_person(self) -> None:
        names: dict[str, set[str]] = defaultdict(set)
        for one in TOLD:
            if author := one.get("author"):
                names[author["external_id"]].add(author["name"] if "name" in author else author["handle"])
        assert [found for found in names.values() if len(found) > 1] == []

    def test_words_vary_except_where_they_were_copied(self) -> None:
        copied = {one["external_id"] for one in group("burst")} | {
            key for key, expected in EXPECTED.items() if "repost_of" in expected
        }
        bags = [(one["external_id"], words(one["text"])) for one in TOLD if one["external_id"] not in copied]
        alike = [(a, b) for (a, x), (b, y) in itertools.combinations(bags, 2) if likeness(x, y) > 0.5]
        assert alike == []

    def test_names_are_invented(self) -> None:
        everything = [one["text"] + " " + one.get("title", "") for one in TOLD] + [yaml.safe_dump(SETUP["playbooks"])]
        real = re.compile(rf"\b({REAL_NAMES})\b")
        assert [(match[0], text) for text in everything if (match := real.search(text.lower()))] == []
        hosts = {re.sub(r"^https?://([^/]+).*", r"\1", one["permalink"]) for one in TOLD if "permalink" in one}
        assert all(host.endswith(".example") for host in hosts)


class TestStories:
    def test_an_outage_builds_up_in_one_region_and_is_repaired(self) -> None:
        minutes = Counter(one["offset_s"] // 60 for one in group("outage"))
        assert sum(minutes.values()) >= 60
        assert min(minutes) >= 8

        def a_minute(start: int, end: int) -> float:
            return sum(minutes[minute] for minute in range(start, end)) / (end - start)

        assert a_minute(8, 14) < a_minute(14, 24) > a_minute(24, 30)
        places = re.compile(
            r"zeist|utrecht|amersfoort|soest|de bilt|bilthoven|nieuwegein|driebergen|doorn|maarn|leusden"
        )
        assert sum(bool(places.search(one["text"].lower())) for one in group("outage")) >= 35
        back = [one["offset_s"] for one in group("outage") if EXPECTED[one["external_id"]]["sentiment"] == "positive"]
        assert min(back) >= 30 * 60
        assert len({one["channel"] for one in group("outage")}) >= 10

    def test_a_burst_of_reviews_is_copied_by_fresh_accounts(self) -> None:
        burst = group("burst")
        assert len(burst) >= 10
        assert len({one["author"]["external_id"] for one in burst}) == len(burst)
        assert all(one["rating"] == 1 and one["author"]["account_age_days"] <= 3 for one in burst)
        assert burst[-1]["offset_s"] - burst[0]["offset_s"] < 300
        assert all(likeness(words(burst[0]["text"]), words(one["text"])) > 0.5 for one in burst)

    def test_homonyms_spam_own_posts_and_reposts_are_there(self) -> None:
        homonyms = group("homonym")
        assert Counter(EXPECTED[one["external_id"]]["lang"] for one in homonyms) >= Counter(en=6, nl=6)
        assert all("cumulus" in (one["text"] + one.get("title", "")).lower() for one in homonyms)
        assert len(group("spam")) >= 10
        own = {handle.lstrip("@") for handle in SETUP["brands"][0]["handles"]}
        assert {one["author"]["handle"] for one in group("own")} <= own
        assert len(group("own")) >= 4
        reposts = [one for one in EXPECTED.values() if "repost_of" in one]
        assert len(reposts) >= 6
        assert all(one["repost_of"] in EXPECTED for one in reposts)

    def test_private_data_is_in_it_and_has_the_right_form(self) -> None:
        text = "\n".join(one["text"] for one in TOLD)
        ibans = re.findall(r"\b[A-Z]{2}\d{2}DEMO\d+\b", text)
        assert len(ibans) >= 2
        assert all(int("".join(str(int(sign, 36)) for sign in iban[4:] + iban[:4])) % 97 == 1 for iban in ibans)
        phones = [match for region in ("NL", "GB") for match in phonenumbers.PhoneNumberMatcher(text, region)]
        assert len({match.raw_string for match in phones}) >= 4
        assert len(re.findall(r"\b\d{4} [A-Z]{2}\b", text)) >= 3
        assert len(re.findall(r"[\w.]+@[\w.]+\.example\b", text)) >= 3


class TestExpectations:
    def test_they_fit_the_mentions_one_to_one(self) -> None:
        assert [one["external_id"] for one in TOLD] == list(EXPECTED)
        keys = {definition.key for definition in taxonomy.load(str(SETUP["sector"]))}
        for expected in EXPECTED.values():
            assert expected["lang"] in ("nl", "en", None)
            assert expected["disposition"] in ("engage", "watch", "dismissed", None)
            assert expected["sentiment"] in ("negative", "neutral", "positive", None)
            assert set(expected["issues"]) <= keys
            assert (expected["disposition"] == "dismissed") == (expected.get("reason") in ("irrelevant", "spam", "own"))

    def test_all_kinds_are_well_represented(self) -> None:
        assert Counter(one["lang"] for one in EXPECTED.values()) >= Counter(nl=150, en=120)
        assert Counter(one["disposition"] for one in EXPECTED.values()) >= Counter(engage=150, dismissed=30, watch=15)
        assert Counter(one["sentiment"] for one in EXPECTED.values()) >= Counter(negative=150, neutral=30, positive=50)
        issues = Counter(key for one in EXPECTED.values() for key in one["issues"])
        assert len([key for key, times in issues.items() if times >= 3]) >= 20


class TestSetup:
    def test_settings_queries_filters_and_hours_can_be_read(self) -> None:
        for channel in SETUP["channels"]:
            SimulatedSettings.model_validate(channel["settings"])
        for query in SETUP["queries"]:
            query_language.parse(query["text"])
        for one in [*SETUP["queues"], *SETUP["sla_policies"]]:
            assert filters.problems(one["filter"], CONVERSATION_FIELDS) == []
        calendars = {one["name"]: business_calendar.parse(one) for one in SETUP["calendars"]}
        assert all(business_calendar.problems(one) == [] for one in SETUP["calendars"])
        assert {policy["calendar"] for policy in SETUP["sla_policies"]} <= set(calendars)
        years = Counter(holiday["date"][:4] for holiday in SETUP["calendars"][0]["holidays"])
        assert years["2026"] == years["2027"] == 11

    def test_a_clock_runs_out_while_a_newcomer_looks_on(self) -> None:
        first = SETUP["sla_policies"][0]
        target = next(one for one in first["targets"] if one["metric"] == "first_response")
        policy = {**first, "calendar_id": None, "targets": [target]}
        policy.pop("calendar")
        parsed = sla_policy.parse(policy, policy_id="x", version=1, calendar=None, fields=CONVERSATION_FIELDS)
        assert parsed.targets[0].within <= timedelta(minutes=5)
        assert parsed.targets[0].hours == "clock"

    def test_playbooks_have_steps_and_both_languages(self) -> None:
        assert 4 <= len(SETUP["playbooks"]) <= 6
        for playbook in SETUP["playbooks"]:
            assert {template["language"] for template in playbook["templates"]} == {"nl", "en"}
            assert {step["kind"] for step in playbook["steps"]} >= {"say"}
        assert {step["kind"] for playbook in SETUP["playbooks"] for step in playbook["steps"]} == {
            "say", "ask", "check", "hand_over", "ask_department", "escalate"
        }  # fmt: skip

    async def test_the_desk_accepts_all_of_it_once_and_again(self, database: Database, settings: Settings) -> None:
        await publish_types(database)
        workspace_id = await workspaces.create_workspace(database, "demo", "Demo", sectors=taxonomy.sectors())
        actor = Actor(key_id=ids.new_id(), role=Role.ADMIN, name="test")
        desk = Desk(workspace_id, actor, database, Vault(settings.secret_key.get_secret_value()), settings)
        async with desk.writing() as writing:
            assert await founding.story_began(writing) is None
            began = await founding.found(writing)
        async with desk.writing() as writing:
            assert await founding.story_began(writing) == began
            assert await founding.found(writing) == began
        async with desk.reading() as connection:
            counts = {
                noun: await connection.fetchval(f"SELECT count(*) FROM {noun}")
                for noun in ("channel", "team", "agent", "brand", "query", "playbook", "queue")
            }
            active = await connection.fetch("SELECT key FROM issue_type WHERE status = 'active'")
            queues = await connection.fetch("SELECT name, team_ids FROM queue ORDER BY position")
        wanted = {"channel": "channels", "team": "teams", "agent": "agents", "brand": "brands", "query": "queries"}
        assert {noun: counts[noun] for noun in wanted} == {noun: len(SETUP[name]) for noun, name in wanted.items()}
        assert counts["queue"] == len(SETUP["queues"])
        assert {row["key"] for row in active} == {one.key for one in taxonomy.load("telecom")}
        assert [row["name"] for row in queues] == [queue["name"] for queue in SETUP["queues"]]
        assert all(row["team_ids"] for row in queues)


class Clock:
    """A clock that only goes when somebody sleeps."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += timedelta(seconds=max(seconds, 0.001))


class TestPlayer:
    def test_history_is_due_at_once_and_keeps_its_time(self) -> None:
        due = list(player.schedule(START))
        for (due_at, mention), told in zip(due, TOLD, strict=True):
            published_at = datetime.fromisoformat(mention["published_at"])
            assert published_at == START + timedelta(seconds=told["offset_s"])
            assert due_at == max(START, published_at)
            assert "offset_s" not in mention
            if created_at := mention.get("author", {}).get("account_created_at"):
                assert datetime.fromisoformat(created_at) < published_at
        assert list(player.schedule(START)) == due

    async def test_everything_is_posted_when_it_is_due_and_once(self) -> None:
        at = Clock(START)
        posted: list[tuple[datetime, dict[str, Any]]] = []

        async def post(batch: list[dict[str, Any]]) -> None:
            assert 0 < len(batch) <= player.MOST_AT_ONCE
            posted.extend((at.now(), mention) for mention in batch)

        assert await player.play(post, START, now=at.now, sleep=at.sleep) == len(TOLD)
        assert [mention["external_id"] for _, mention in posted] == [one["external_id"] for one in TOLD]
        for moment, mention in posted:
            due_at = max(START, datetime.fromisoformat(mention["published_at"]))
            assert timedelta(0) <= moment - due_at < timedelta(seconds=1)

    async def test_a_batch_that_fails_is_tried_again_and_later_ones_wait(self) -> None:
        at = Clock(START)
        taken: list[str] = []
        failures = iter([OSError("down"), OSError("down"), None])

        async def post(batch: list[dict[str, Any]]) -> None:
            if error := next(failures, None):
                raise error
            taken.extend(mention["external_id"] for mention in batch)

        await player.play(post, START, now=at.now, sleep=at.sleep)
        assert taken == [one["external_id"] for one in TOLD]
        assert at.slept[:2] == [1.0, 2.0]

    async def test_what_never_works_is_said_in_the_end(self) -> None:
        at = Clock(START)

        async def post(batch: list[dict[str, Any]]) -> None:
            raise OSError("disk full")

        with pytest.raises(OSError, match="disk full"):
            await player.play(post, START, now=at.now, sleep=at.sleep)
        assert len(at.slept) == player.TRIES - 1

    async def test_venues_keep_each_mention_once_though_it_is_played_again(self, tmp_path: Path) -> None:
        venues = {channel["name"]: channel["settings"]["venue"] for channel in SETUP["channels"]}
        start = clock.now() - timedelta(hours=2)
        for _ in range(2):
            await player.play(into_venues(tmp_path, venues), start)
        kept = {name: venue_of(tmp_path, venue).changes(0, 1_000)[0] for name, venue in venues.items()}
        assert sum(map(len, kept.values())) == len(TOLD)
        by_id = {mention["external_id"]: mention for _, mention in player.schedule(start)}
        for name, posts in kept.items():
            for post in posts:
                known = IncomingMention.model_validate({**by_id[post["id"]], "channel": None})
                assert to_mention(post, PLAYED[name]).model_copy(update={"raw": None}) == known

    def test_a_venue_post_says_what_the_mention_says(self) -> None:
        mention = {
            "external_id": "1", "text": "Hoi", "published_at": "2026-11-22T09:30:00Z", "thread_id": "t", "channel": "X",
            "permalink": "https://x.example/1", "author": {"external_id": "a", "name": "An"}, "rating": 4,
        }  # fmt: skip
        assert as_venue_post(mention) == {
            "id": "1", "text": "Hoi", "created_at": "2026-11-22T09:30:00Z", "thread": "t", "rating": 4,
            "url": "https://x.example/1", "author": {"id": "a", "name": "An"},
        }  # fmt: skip


def words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower()))


def likeness(one: Iterable[str], other: Iterable[str]) -> float:
    a, b = frozenset(one), frozenset(other)
    return len(a & b) / max(len(a | b), 1)
