"""`webcare channel …`: a channel is connected from the command line, tried out before, listed, paused and resumed."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from services.api.desk import workspaces
from services.ingest import catalog
from services.ingest.worker import publish_types
from services.local import connecting
from services.local.open_channels import OPEN
from services.local.operator import all_of, desk_in
from services.local.questions import Given, Person, gather
from services.local.trouble import LocalTrouble
from shared.kit.database import Database
from shared.kit.http import HttpClient
from shared.kit.settings import Settings
from tests.local.warm import webcare

WORDS = "hush-hush-0123456789"


class Terminal:
    """Runs `webcare channel` in the workspace of this file."""

    def __init__(self, settings: Settings) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("WEBCARE_")}
        self._environment = {
            **clean, "WEBCARE_DATABASE_URL": settings.database_url, "WEBCARE_VALKEY_URL": settings.valkey_url,
            "WEBCARE_SECRET_KEY": settings.secret_key.get_secret_value(), "WEBCARE_DATA_DIR": str(settings.data_dir),
        }  # fmt: skip

    def webcare(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return webcare(arguments, self._environment)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.webcare("channel", *arguments, "--workspace", "cabin")


@pytest.fixture
async def terminal(settings: Settings, database: Database) -> Terminal:
    if await workspaces.find_workspace(database, "cabin") is None:
        await workspaces.create_workspace(database, "cabin", "Cabin")
    return Terminal(settings)


def test_from_adding_to_resuming(terminal: Terminal) -> None:
    assert "There are no channels yet" in terminal.run("list").stderr
    made = terminal.run("add", "rss", "--name", "blog", "--set", "url=https://blog.example/feed", "--no-check")
    assert made.returncode == 0, made.stderr
    identity = made.stdout.strip()
    listed = terminal.run("list").stdout.splitlines()
    assert listed[0].split() == ["name", "type", "status", "health", "last", "success", "id"]
    assert listed[1].split() == ["blog", "rss", "active", "new", "-", identity]
    paused = terminal.run("pause", "blog")
    assert (paused.returncode, paused.stderr) == (0, "blog is paused.\n")
    assert terminal.run("pause", identity).stderr == "blog is paused already.\n"
    shown = json.loads(terminal.run("show", "blog").stdout)
    assert (shown["id"], shown["status"], shown["settings"]) == (
        identity,
        "paused",
        {"url": "https://blog.example/feed"},
    )
    assert terminal.run("resume", "blog").stderr == "blog is active.\n"
    unknown = terminal.run("show", "nothing")
    assert (unknown.returncode, unknown.stderr) == (1, "There is no channel nothing. There are: blog.\n")


def test_secrets_come_from_a_file_and_are_never_shown(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"# of the feed\nuser = me\npassword={WORDS}\n".replace("user = ", "user="))
    made = terminal.run(
        "add", "rss", "--name", "behind a password", "--set", "url=https://intranet.example/feed", "--no-check",
        "--secret-file", str(tmp_path / "secret"),
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    said = made.stdout + made.stderr + terminal.run("show", "behind a password").stdout
    assert WORDS not in said
    (tmp_path / "wrong").write_text(f"password {WORDS}\n")
    wrong = terminal.run("add", "rss", "--set", "url=https://a.example", "--secret-file", str(tmp_path / "wrong"))
    assert wrong.returncode == 1
    assert "is not name=value on each line" in wrong.stderr
    assert WORDS not in wrong.stderr


def test_what_is_missing_or_wrong_is_named_and_nothing_is_saved(terminal: Terminal) -> None:
    nothing = terminal.run("add", "rss", "--set", "kind=poem", "--set", "colour=blue")
    assert nothing.returncode == 1
    for said in (
        "setting url is missing: ",
        "setting kind must be one of ",
        "setting colour is no setting of this kind",
    ):
        assert said in nothing.stderr
    unknown = terminal.run("add", "pigeon")
    assert unknown.returncode == 1
    assert "There is no channel type pigeon. There are: " in unknown.stderr
    assert "rss" in unknown.stderr


def test_what_does_not_work_is_not_saved_unasked(terminal: Terminal) -> None:
    inner = terminal.run("add", "rss", "--name", "inner", "--set", "url=http://169.254.169.254/feed", "--last")
    assert inner.returncode == 1
    assert "It does not work yet: The feed http://169.254.169.254/feed" in inner.stderr
    assert "Nothing was saved" in inner.stderr
    assert "inner" not in terminal.run("list").stdout


def test_a_type_that_cannot_check_says_so_and_shows_what_is_there(terminal: Terminal) -> None:
    script = json.dumps(
        [{"after_s": 0, "id": "p1", "text": "geen internet", "post": {"author": {"id": "u", "handle": "jo"}}}]
    )
    made = terminal.run(
        "add", "simulated", "--name", "stage", "--set", "venue=stage", "--set", f"script={script}", "--last", "--owned"
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert "has no way to say whether a credential is right" in made.stderr
    assert "geen internet" in made.stderr or "There is nothing there yet." in made.stderr
    assert json.loads(terminal.run("show", "stage").stdout)["owned"] is True


def test_a_channel_that_is_called_says_where(terminal: Terminal) -> None:
    made = terminal.run("add", "push", "--name", "letters")
    assert made.returncode == 0, made.stderr
    assert f"/v1/hooks/{made.stdout.strip()}" in made.stderr


async def test_watch_says_what_each_channel_would_hear(
    terminal: Terminal, settings: Settings, database: Database
) -> None:
    seen = terminal.webcare("watch", "KLM", "--dry-run", "--workspace", "cabin")
    assert seen.returncode == 0, seen.stderr
    for one in OPEN:
        told = f"  {one.called}: KLM (would be made)\n    hears: {one.hears}\n    does not hear: {one.misses}\n"
        assert (told in seen.stderr) == (one.type in catalog.types() and not one.for_app), one.called
    assert "name your app's number with --app" in seen.stderr
    assert seen.stderr.endswith("Nothing was set up.\n")
    workspace_id = await workspaces.find_workspace(database, "cabin")
    assert workspace_id
    assert await all_of(desk_in(database, settings, workspace_id), "brand") == []


class Silent(Person):
    """A person who takes what is offered, and wants nothing further."""

    def __init__(self, *answers: str) -> None:
        super().__init__(can_answer=True)
        self.answers = list(answers)

    def ask(self, question: str, *, default: str | None, hidden: bool) -> str:
        return (self.answers.pop(0) if self.answers else "") or default or ""

    def confirm(self, question: str, *, default: bool) -> bool:
        return False

    def say(self, words: str) -> None:
        self.answers.append("https://right.example/feed") if "must look like" in words else None


async def test_a_person_is_asked_again_for_what_does_not_fit(
    terminal: Terminal, settings: Settings, database: Database
) -> None:
    await publish_types(database)
    workspace_id = await workspaces.find_workspace(database, "cabin")
    assert workspace_id
    desk = desk_in(database, settings, workspace_id)
    wanted = await gather(desk, Given("rss"), Silent("our feed", "not an address"))
    assert (wanted.name, wanted.settings, wanted.secrets) == ("our feed", {"url": "https://right.example/feed"}, {})
    with pytest.raises(LocalTrouble, match="setting url is missing"):
        await gather(desk, Given("rss"), Person(can_answer=False))
    assert [one["name"] for one in await all_of(desk, "channel") if one["name"] == "our feed"] == []


@pytest.mark.skipif("mastodon" not in catalog.types(), reason="there is no channel mastodon")
async def test_the_network_says_whom_it_takes_us_for(
    terminal: Terminal, settings: Settings, database: Database
) -> None:
    import httpx

    from tests.venues.mastodon import ADDRESS, TOKEN, Mastodon

    venue = Mastodon()
    http = HttpClient().through(httpx.MockTransport(venue))
    workspace_id = await workspaces.find_workspace(database, "cabin")
    assert workspace_id
    desk = desk_in(database, settings, workspace_id)
    venue.post("@acmetel geen internet", notify=True)
    right = await connecting.try_out(
        desk, "mastodon", {"instance": ADDRESS, "handle": "acmetel"}, {"access_token": TOKEN}, last=True, http=http
    )
    assert right.trouble is None
    assert right.account
    assert right.account.handle == "acmetel@mastodon.example"
    assert right.heard
    assert "geen internet" in right.heard[0].text
    wrong = await connecting.try_out(
        desk, "mastodon", {"instance": ADDRESS}, {"access_token": "no"}, last=False, http=http
    )
    assert (wrong.account, wrong.can_check) == (None, True)
    assert wrong.trouble
    nobody = await connecting.try_out(desk, "mastodon", {"instance": ADDRESS}, {}, last=False, http=http)
    assert (nobody.account, nobody.can_check, nobody.trouble) == (None, True, None)
    assert await all_of(desk, "mention") == []
