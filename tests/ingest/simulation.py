"""A simulated venue as a test opens it, what goes wrong there, and an answer to give."""

from pathlib import Path
from typing import Any

from services.ingest.channel import OutgoingReply
from services.ingest.channels.simulated import Simulated
from shared.kit.http import HttpClient


def a_venue_channel(folder: Path, **settings: Any) -> Simulated:
    return Simulated({"data_dir": folder, **settings}, {}, HttpClient())


def an_answer(to: str, text: str = "Dank voor je bericht!", token: str = "t-1") -> OutgoingReply:
    return OutgoingReply(text=text, token=token, in_reply_to=to)


def a_fault(on: str, what: str, *calls: int, **more: Any) -> dict[str, Any]:
    return {"on": on, "what": what, "calls": calls, **more}
