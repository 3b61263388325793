"""The matrix channel and Synapse, on loopback: what a sync leaves out, edits also forged ones, redactions, answers sent twice.

Set WEBCARE_INTEROP=1 to run it; Synapse is installed with pip into WEBCARE_INTEROP_DIR.
"""

import asyncio
from pathlib import Path

import pytest

from services.ingest.channel import AskForNewCredential, OutgoingReply, Post
from services.ingest.channels.matrix import Matrix
from shared.kit.http import HttpClient
from tests.interop.programs import MARKS, installing
from tests.interop.synapse_server import install_synapse, synapse_server
from tests.venues import read_on

pytestmark = MARKS
installed = installing(install_synapse)


async def test_in_and_out(tmp_path: Path, http: HttpClient) -> None:
    with synapse_server(tmp_path) as server:
        us, ours = server.register("care")
        customer, theirs = server.register("klant")
        _, forger = server.register("vals")
        room = str(server.ask("POST", "/createRoom", theirs, {"preset": "public_chat", "name": "Storingen"})["room_id"])
        for token in (ours, forger):
            server.ask("POST", f"/rooms/{room}/join", token, {})
        server.ask("PUT", f"/profile/{customer}/displayname", theirs, {"displayname": "Jan de Vriës"})
        said = [server.say(room, theirs, f"k{number}", f"klacht {number} 😡") for number in range(130)]

        matrix = Matrix({"homeserver": server.url, "user_id": us}, {"access_token": ours}, http)
        assert (await matrix.account()).external_id == us
        heard = await read_on(matrix)
        assert sorted(heard.ids) == sorted(said)
        assert len(set(heard.ids)) == len(heard.ids)
        last = next(one for one in heard.mentions if one.external_id == said[-1])
        assert last.author is not None
        assert (last.author.external_id, last.author.name, last.text) == (customer, "Jan de Vriës", "klacht 129 😡")
        assert {drift for page in heard.pages for drift in page.drift} == set()

        more = [server.say(room, theirs, f"m{number}", f"later {number}") for number in range(120)]
        later = await read_on(matrix, heard.cursor)
        assert sorted(later.ids) == sorted(more)  # a sync told a hundred of them and the rest was fetched

        reply = OutgoingReply("Wij kijken het na 🙏", "t1", said[-1], author_external_id=customer, raw=last.raw)
        sent = await matrix.reply_publicly(reply)
        assert (await matrix.reply_publicly(reply)).external_id == sent.external_id
        stands = server.ask("GET", f"/rooms/{room}/event/{sent.external_id}", theirs)
        assert stands["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == said[-1]

        new = {"msgtype": "m.text", "body": "klacht 128, opgelost"}
        relation = {"rel_type": "m.replace", "event_id": said[-2]}
        server.say(room, theirs, "e1", "* klacht 128, opgelost", **{"m.new_content": new, "m.relates_to": relation})
        false = {"msgtype": "m.text", "body": "verzonnen"}
        server.say(
            room,
            forger,
            "e2",
            "* verzonnen",
            **{"m.new_content": false, "m.relates_to": {**relation, "event_id": said[-3]}},
        )
        server.ask("PUT", f"/rooms/{room}/redact/{said[-4]}/r1", theirs, {})
        changed = await read_on(matrix, later.cursor)
        told = {one.external_id: one for one in changed.mentions if one.author is None or one.author.external_id != us}
        assert set(told) == {said[-2], said[-4]}
        assert told[said[-2]].text == "klacht 128, opgelost"
        assert told[said[-2]].edited_at is not None
        assert changed.gone == [said[-4]]

        anew = {one.external_id: one for one in (await read_on(matrix)).mentions}
        assert anew[said[-2]].text == "klacht 128, opgelost"  # told along with the message
        assert anew[said[-3]].text == "klacht 127 😡"
        assert anew.get(said[-4]) is None or anew[said[-4]].deleted_at is not None

        stream = matrix.stream(changed.cursor)
        assert (await anext(stream)).mentions == ()
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.5)
        live = await asyncio.to_thread(server.say, room, theirs, "live", "nu meteen")
        async with asyncio.timeout(10):
            assert [one.external_id for one in (await waiting).mentions] == [live]
        await stream.aclose()  # type: ignore[attr-defined]

        post = Post(sent.external_id, raw=last.raw)
        await matrix.delete_reply(post)
        await matrix.delete_reply(post)
        assert server.ask("GET", f"/rooms/{room}/event/{sent.external_id}", theirs)["content"] == {}
        await matrix.report(Post(live, raw=last.raw), "bedreiging")
        with pytest.raises(AskForNewCredential):
            await Matrix({"homeserver": server.url, "user_id": us}, {"access_token": "no"}, http).page(None)
