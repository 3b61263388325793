"""The isso channel and Isso itself, on loopback: in, edited, deleted, out, found again, held back.

Set WEBCARE_INTEROP=1 to run it; Isso is installed with pip into WEBCARE_INTEROP_DIR.
"""

from datetime import timedelta
from pathlib import Path

import pytest

from services.ingest.channel import OutgoingReply, TryLater
from services.ingest.channels.isso import Isso
from shared.kit import clock
from shared.kit.http import HttpClient
from tests.interop.isso_server import RunningIsso, install_isso, isso_server
from tests.interop.programs import MARKS, installing
from tests.venues import read_on

pytestmark = MARKS
installed = installing(install_isso)


def channel(server: RunningIsso, http: HttpClient) -> Isso:
    return Isso({"url": server.url, "site": "https://site.example", "author": "Acme Care"}, {}, http)


async def test_in_and_out(tmp_path: Path, http: HttpClient) -> None:
    with isso_server(tmp_path) as server:
        isso = channel(server, http)
        first = server.comment("Hier is *al een uur* storing 😡", author="Jan")
        below = server.comment("Hier ook", author="سميرة", parent=first.json()["id"])
        heard = await read_on(isso)
        assert heard.ids == [str(first.json()["id"]), str(below.json()["id"])]
        one, two = heard.mentions
        assert one.text == "Hier is al een uur storing 😡"
        assert one.author is not None
        assert (one.author.name, one.thread_id) == ("Jan", "/nieuws/storing")
        assert two.in_reply_to == one.external_id
        assert [page.drift for page in heard.pages] == [()]

        began = clock.now() - timedelta(seconds=2)
        reply = OutgoingReply("Wij zijn *bezig*. <Sorry!>\n\nGroet", "t1", two.external_id, two.thread_id, raw=two.raw)
        assert await isso.find_reply(reply, private=False, since=began) is None
        sent = await isso.reply_publicly(reply)
        found = await isso.find_reply(reply, private=False, since=began)
        assert found is not None
        assert found.external_id == sent.external_id

        after = await read_on(isso, heard.cursor)
        (ours,) = after.mentions
        assert (ours.external_id, ours.in_reply_to) == (sent.external_id, one.external_id)  # one level deep

        below = server.change(below, "Hier niet meer")
        changed = await read_on(isso, after.cursor)
        assert [(found.external_id, found.text) for found in changed.mentions] == [(two.external_id, "Hier niet meer")]
        assert changed.mentions[0].edited_at is not None
        server.change(below, None)
        gone = await read_on(isso, changed.cursor)
        assert gone.gone == [two.external_id]
        assert (await read_on(isso, gone.cursor)).ids == []
        assert (await isso.account()).name == "Acme Care"


async def test_a_guard_that_asks_us_to_wait(tmp_path: Path, http: HttpClient) -> None:
    with isso_server(tmp_path, ratelimit=2) as server:
        isso = channel(server, http)
        number = server.comment("kapot").json()["id"]
        await isso.reply_publicly(OutgoingReply("Eerste antwoord", "t1", str(number), "/nieuws/storing"))
        with pytest.raises(TryLater):
            await isso.reply_publicly(OutgoingReply("Tweede antwoord", "t2", str(number), "/nieuws/storing"))


async def test_a_server_that_holds_comments_back(tmp_path: Path, http: HttpClient) -> None:
    with isso_server(tmp_path, moderated=True) as server:
        isso = channel(server, http)
        number = server.comment("wacht op goedkeuring").json()["id"]
        assert (await read_on(isso)).ids == []
        sent = await isso.reply_publicly(OutgoingReply("Antwoord", "t1", str(number), "/nieuws/storing"))
        assert sent.external_id == str(number + 1)
