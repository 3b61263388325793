"""The wordpress channel and WordPress itself, on loopback: comments in, edited, deleted, hidden; answers out, found, refused twice.

Set WEBCARE_INTEROP=1 to run it, as root on Debian: WordPress, MariaDB and PHP are installed with apt.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.ingest.channel import AskForNewCredential, OutgoingReply, Post, SkipThis
from services.ingest.channels.wordpress import RECHECK_EVERY, Wordpress
from shared.kit import clock
from shared.kit.http import HttpClient
from tests.interop.programs import MARKS, installing
from tests.interop.wordpress_site import ADMIN, RunningWordpress, install_wordpress, wordpress_site
from tests.venues import read_on

pytestmark = MARKS
installed = installing(install_wordpress)


def channel(site: RunningWordpress, http: HttpClient, *, signed: bool = True, **more: Any) -> Wordpress:
    secrets = {"user": ADMIN, "application_password": site.password} if signed else {}
    return Wordpress({"url": site.url, **more}, secrets, http)


def later(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    now: datetime = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + by)


async def test_in_and_out(folder: Path, http: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    with wordpress_site(folder) as site:
        wordpress, stranger = channel(site, http), channel(site, http, signed=False)
        before = await read_on(wordpress)  # WordPress comes with a comment of its own
        site.comment("Mijn router 'valt' uit... <b>elk</b> uur & 's nachts", author="Jan")
        heard = await read_on(wordpress, before.cursor)
        (one,) = heard.mentions
        assert one.text == "Mijn router ‘valt’ uit… elk uur & ‘s nachts"
        assert one.author is not None
        assert (one.author.name, one.author.external_id) == ("Jan", "jan@example.test")
        assert one.external_id in (await read_on(stranger)).ids
        assert [drift for page in heard.pages for drift in page.drift] == []
        assert abs(one.published_at - clock.now()) < timedelta(minutes=1)

        began = clock.now() - timedelta(seconds=5)
        reply = OutgoingReply('Wij kijken \'t na... <vandaag> & morgen\n\n"Groet"', "t1", one.external_id, raw=one.raw)
        assert await wordpress.find_reply(reply, private=False, since=began) is None
        sent = await wordpress.reply_publicly(reply)
        for looking in (wordpress, channel(site, http, moderates=False)):
            found = await looking.find_reply(reply, private=False, since=began)
            assert found is not None
            assert found.external_id == sent.external_id
        with pytest.raises(SkipThis, match="409"):
            await wordpress.reply_publicly(reply)
        with pytest.raises(SkipThis, match="400"):
            await wordpress.reply_publicly(OutgoingReply("x" * 65_526, "t2", one.external_id, raw=one.raw))
        after = await read_on(wordpress, heard.cursor)
        (ours,) = after.mentions
        assert (ours.external_id, ours.in_reply_to) == (sent.external_id, one.external_id)
        assert ours.author is not None
        assert ours.author.external_id == (await wordpress.account()).external_id

        site.run(f"wp_update_comment(['comment_ID' => {one.external_id}, 'comment_content' => 'Hij doet het weer']);")
        later(monkeypatch, RECHECK_EVERY)
        changed = await read_on(wordpress, after.cursor)
        assert [(two.external_id, two.text) for two in changed.mentions] == [(one.external_id, "Hij doet het weer")]
        assert changed.mentions[0].edited_at is not None

        post = Post(one.external_id, raw=one.raw)
        for _ in range(2):
            await wordpress.hide(post)
        assert one.external_id not in (await read_on(stranger)).ids
        await wordpress.unhide(post)
        assert one.external_id in (await read_on(stranger)).ids
        for _ in range(2):
            await wordpress.delete_reply(Post(sent.external_id))
        later(monkeypatch, RECHECK_EVERY)
        gone = await read_on(wordpress, changed.cursor)
        assert gone.gone == [sent.external_id]

        site.run("update_option('permalink_structure', '/%postname%/');")
        assert one.external_id in (await read_on(channel(site, http))).ids
        with pytest.raises(AskForNewCredential):
            await stranger.reply_publicly(reply)
        with pytest.raises(AskForNewCredential):
            await Wordpress({"url": site.url}, {"user": ADMIN, "application_password": "no"}, http).page(None)
