"""The nntp channel and INN, on loopback: in, out, never twice, threads, cancelled articles.

Set WEBCARE_INTEROP=1 to run it, as root on Debian: INN is installed with apt.
"""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from services.ingest.channel import HttpClient, OutgoingReply
from services.ingest.channels.nntp import NewsServer
from services.ingest.networks.nntp_client import open_nntp
from shared.kit import clock
from tests.interop.inn_server import RunningInn, inn_server, install_inn
from tests.interop.programs import MARKS, installing
from tests.venues import read_on
from tests.venues.nntp import an_article

pytestmark = MARKS
installed = installing(install_inn)


async def _post(server: RunningInn, article: bytes) -> None:
    async with open_nntp(
        HttpClient(["127.0.0.0/8"]), "127.0.0.1", server.port, secure=False, user=None, password=None
    ) as connection:
        await connection.post(article)


async def test_in_and_out() -> None:
    with inn_server() as server:
        settings = {
            "host": "127.0.0.1", "port": server.port, "security": "none", "groups": [server.group], "address": "care@example.test",
            "name": "Acme Care",
        }  # fmt: skip
        news = NewsServer(settings, {}, HttpClient(["127.0.0.0/8"]))
        before = await read_on(news)
        keys = [f"{uuid4()}@klant.test" for _ in range(3)]
        mime: dict[str, Any] = {
            "MIME_Version": "1.0",
            "Content_Type": "text/plain; charset=utf-8",
            "Content_Transfer_Encoding": "8bit",
        }
        await _post(
            server, an_article(keys[0], "Mijn router is stuk 😡\n.\n..punten\n\n-- \nJan", groups=server.group, **mime)
        )
        answer = an_article(
            keys[1], "> Mijn router is stuk\n\nDe mijne ook", groups=server.group, References=f"<{keys[0]}>", **mime
        )
        await _post(server, answer)
        await _post(server, an_article(keys[2], "Weg ermee", groups=server.group, **mime))
        heard = await read_on(news, before.cursor)
        assert heard.ids == keys
        one, two, _ = heard.mentions
        assert one.text == "Mijn router is stuk 😡\n.\n..punten"
        assert (two.text, two.in_reply_to, two.thread_id) == ("De mijne ook", keys[0], keys[0])

        reply = OutgoingReply(".Wij kijken het na\n.\nGroet 🙏", str(uuid4()), keys[1], keys[0], raw=two.raw)
        began = clock.now() - timedelta(minutes=1)
        assert await news.find_reply(reply, private=False, since=began) is None
        sent = await news.reply_publicly(reply)
        assert (await news.reply_publicly(reply)).external_id == sent.external_id
        found = await news.find_reply(reply, private=False, since=began)
        assert found is not None
        after = await read_on(news, heard.cursor)
        (ours,) = after.mentions
        assert (ours.external_id, ours.in_reply_to, ours.thread_id) == (sent.external_id, keys[1], keys[0])
        assert ours.text == ".Wij kijken het na\n.\nGroet 🙏"
        assert ours.author is not None
        assert ours.author.external_id in news.own_accounts()

        server.cancel(keys[2])
        gone = await read_on(news, after.cursor)
        assert gone.gone == [keys[2]]
        assert (await read_on(news, gone.cursor)).ids == []
        assert (await news.account()).external_id == "care@example.test"
