"""The process in which texts are analysed: reads frames on standard input, answers on standard output, can be killed.

It holds no connection and no secret. Whatever a text does to it, its parent kills it at the deadline; should the parent
be gone, an alarm of the kernel, which no busy loop can put off, ends it.
"""

import gc
import json
import os
import pickle
import signal
import struct
import sys
import threading
import time
from typing import Any, BinaryIO, Final

import orjson

from services.triage import pipeline
from services.triage.library import Library
from services.triage.stage import Assessment, Briefing
from shared.kit import clock, ids

LENGTH: Final = struct.Struct(">Q")
GRACE_S: Final = 5.0
"""How long after a batch's deadline the alarm goes off, where the parent did not act."""
_PARENT_LOOKED_FOR_S: Final = 0.5
_WARM: Final = {
    "en": "Hello, my order 12345 of 3 May has not arrived.",
    "nl": "Hallo, mijn bestelling 12345 is er nog niet.",
}


def main() -> None:
    """Serve until standard input ends. The first argument is JSON: {"models": {language: name}, "languages": […], "nice": n}."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent decides when we stop
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints must not land among the answers
    asked = json.loads(sys.argv[1])
    library = Library(asked["models"])
    library.warm(asked["languages"])
    gc.set_threshold(50_000, 50, 50)  # a batch makes much and leaves nothing: looking for garbage seldom is enough
    os.nice(asked["nice"])  # only now: a start has a deadline by the clock
    _answer(answers, {"ready": os.getpid()})
    briefings: dict[str, Briefing] = {}
    for kind, content in _frames(sys.stdin.buffer):
        if kind == "briefing":
            _answer(answers, _briefed(content, briefings, library))
        elif kind == "forget":
            briefings.pop(content, None)
        else:
            workspace_id, batch, deadline_s = content
            signal.setitimer(signal.ITIMER_REAL, deadline_s + GRACE_S)
            run = pipeline.run(batch, briefings[workspace_id])
            signal.setitimer(signal.ITIMER_REAL, 0)
            rows = [(one.disposition, one.dismissed, one.failed, one.findings) for one in run.assessed()]
            _answer(answers, {"assessed": rows, "seconds": run.seconds})


def _briefed(briefing: Briefing, briefings: dict[str, Briefing], library: Library) -> dict[str, Any]:
    """Take over what earlier briefings made, and make the rest now, so that no batch pays for it."""
    began = time.perf_counter()
    for earlier in briefings.values():
        briefing.adopt(earlier)
    briefing = briefing.with_models(library)
    at = clock.now()
    warm = [
        Assessment(ids.new_id(), text, "push", at, lang_hint=language, owned=True)
        for language, text in _WARM.items()
        if language in briefing.languages
    ]
    run = pipeline.run(warm, briefing)
    failed = sorted({f"{note.value}: {note.why}" for a in run.assessments for note in a.many("failed")})
    briefings[briefing.workspace_id] = briefing
    return {"briefed": briefing.version, "failed": failed, "seconds": time.perf_counter() - began}


def _frames(stream: BinaryIO) -> Any:
    while len(head := stream.read(LENGTH.size)) == LENGTH.size:
        (length,) = LENGTH.unpack(head)
        body = stream.read(length)
        if len(body) < length:
            return
        yield pickle.loads(body)  # noqa: S301  # from our parent, over its pipe


def _answer(stream: Any, content: dict[str, Any]) -> None:
    body = memoryview(orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS))
    frame = memoryview(LENGTH.pack(len(body)) + body)
    while frame:  # a pipe takes what it has room for
        frame = frame[stream.write(frame) :]


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_LOOKED_FOR_S)
    os._exit(0)


if __name__ == "__main__":
    main()
