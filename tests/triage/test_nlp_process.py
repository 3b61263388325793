"""The child process: answers in order, is killed at the deadline, is started again, and does not outlive its parent."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.triage import ONE_THREAD
from services.triage.nlp_process import ChildDied, NlpProcess, NlpUnavailable, TimedOut
from services.triage.stage import Assessment
from shared.kit.settings import Settings
from tests.triage.building import a_briefing, a_mention

ROOT = Path(__file__).parents[2]
POISON = "my reference is " + "a" * 60 + "!"
"""Together with the pattern below: a regular expression that takes longer than the universe."""
BRIEFING = replace(a_briefing(None), order_number_patterns=(r"(?:a+)+\b#",))


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def child() -> AsyncIterator[NlpProcess]:
    """One child for the tests here: it starts again by itself whenever one of them kills it."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("WEBCARE_SECRET_KEY", "x" * 40)
        child = NlpProcess()
        await child.start()
        yield child
        await child.close()


async def at_work(child: NlpProcess, batches: int = 1) -> None:
    """Waits until so many batches are with the child."""
    async with asyncio.timeout(60):
        while child._child is None or [one.what for one in child._child.waiting] != ["a batch"] * batches:
            await asyncio.sleep(0.01)


def a_batch(*texts: str) -> list[Assessment]:
    return [a_mention(text, owned=True) for text in texts]


async def test_answers_come_in_order_and_batches_overtake_nobody(child: NlpProcess) -> None:
    batches = [a_batch(f"no internet {n}", f"hello {n}") for n in range(6)]
    answers = await asyncio.gather(*(child.assess(batch, BRIEFING, 60) for batch in batches))
    for batch, answer in zip(batches, answers, strict=True):
        assert [one.mention_id for one in answer] == [a.mention_id for a in batch]
        assert [one.disposition for one in answer] == ["engage", "engage"]
        assert answer[0].findings["language"]["value"] == "en"
    assert child.seconds["entities"] > 0
    assert await child.assess([], BRIEFING, 60) == []


async def test_a_text_that_hangs_is_killed_at_the_deadline_and_its_neighbours_go_on(child: NlpProcess) -> None:
    await child.assess(a_batch("warm"), BRIEFING, 60)
    first, restarts = child.pid, child.restarts
    assert child._child
    process = child._child.process
    poisoned = asyncio.create_task(child.assess(a_batch("fine", POISON), BRIEFING, 1.0))
    await at_work(child)
    behind = asyncio.create_task(child.assess(a_batch("behind"), BRIEFING, 60))
    with pytest.raises(TimedOut, match="longer than 1 s"):
        await poisoned
    assert process.returncode == -signal.SIGKILL, "by its parent, and not by the kernel's alarm, seconds later"
    (answer,) = await behind
    assert answer.disposition == "engage"
    assert child.pid != first
    assert child.restarts == restarts + 1
    assert not _alive(first)


async def test_the_deadline_does_not_run_while_another_batch_is_read(child: NlpProcess) -> None:
    await child.assess(a_batch("warm"), BRIEFING, 60)
    assert child.pid
    os.kill(child.pid, signal.SIGSTOP)
    try:
        both = [asyncio.create_task(child.assess(a_batch(text), BRIEFING, 60)) for text in ("first", "behind")]
        await at_work(child, 2)
        assert child._child
        assert [one.alarm is not None for one in child._child.waiting] == [True, False]
        (behind,) = list(child._child.waiting)[1:]
    finally:
        os.kill(child.pid, signal.SIGCONT)
    assert [answer.disposition for (answer,) in await asyncio.gather(*both)] == ["engage", "engage"]
    assert behind.alarm is not None, "its own time began when the other was answered"


async def test_a_child_that_is_killed_is_said_to_have_died_and_started_again(child: NlpProcess) -> None:
    await child.assess(a_batch("warm"), BRIEFING, 60)
    assert child.pid
    waiting = asyncio.create_task(child.assess(a_batch(POISON), BRIEFING, 120))
    await at_work(child)
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(ChildDied, match="SIGKILL") as died:
        await waiting
    assert not isinstance(died.value, TimedOut)
    assert len(await child.assess(a_batch("again"), BRIEFING, 60)) == 1


async def test_a_briefing_is_sent_once_and_again_when_it_changed(
    child: NlpProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds: list[str] = []
    write = child._write

    def noted(to: Any, frame: tuple[str, Any]) -> None:
        kinds.append(frame[0])
        write(to, frame)

    monkeypatch.setattr(child, "_write", noted)
    one, two = (replace(BRIEFING, workspace_id="told", version=version) for version in "12")
    for briefing in (one, one, two, two):
        await child.assess(a_batch("hello"), briefing, 10)
    assert (kinds.count("briefing"), kinds.count("batch")) == (2, 4)


async def test_a_child_that_was_prepared_is_not_told_again(child: NlpProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    briefing = a_briefing(None, workspace_id="prepared")
    await child.prepare(briefing)
    sent: list[str] = []
    write = child._write

    def noted(to: Any, frame: tuple[str, Any]) -> None:
        sent.append(frame[0])
        write(to, frame)

    monkeypatch.setattr(child, "_write", noted)
    assert await child.assess(a_batch("hello there"), briefing, 30)
    assert sent == ["batch"]


async def test_a_new_brand_is_heard_from_its_briefing_on(child: NlpProcess) -> None:
    mention = a_mention("Zephyr is down again")
    before = await child.assess([mention], BRIEFING, 60)
    renamed = replace(BRIEFING, version="3", brands=(replace(BRIEFING.brands[0], name="Zephyr"),))
    after = await child.assess([mention], renamed, 10)
    assert (before[0].disposition, after[0].disposition) == ("dismissed", "engage")


async def test_a_briefing_that_cannot_be_used_is_nobodys_death(child: NlpProcess) -> None:
    broken = replace(BRIEFING, workspace_id="broken", order_number_patterns=("(",))
    with pytest.raises(NlpUnavailable, match="entities"):
        await child.assess(a_batch("hello"), broken, 10)
    assert await child.assess(a_batch("hello"), BRIEFING, 60)


async def test_an_idle_child_is_replaced_after_so_many_mentions() -> None:
    child = NlpProcess(recycle_after=2)
    try:
        await child.assess(a_batch("one", "two"), BRIEFING, 60)
        first = child.pid
        await child.assess(a_batch("three"), BRIEFING, 60)
        assert child.pid not in (None, first)
        assert child.restarts == 0
    finally:
        await child.close()


async def test_a_model_that_is_not_there_is_said_at_the_start(capfd: pytest.CaptureFixture[str]) -> None:
    child = NlpProcess(Settings(spacy_models={"en": "no_such_model"}, database_url="", valkey_url=""))
    with pytest.raises(NlpUnavailable, match="does not start"):
        await child.start()
    await child.close()
    assert "WEBCARE_SPACY_MODEL_EN" in capfd.readouterr().err


async def test_who_waits_when_it_is_closed_is_told_and_it_stays_closed() -> None:
    child = NlpProcess()
    await child.start()
    waiting = asyncio.create_task(child.assess(a_batch(POISON), BRIEFING, 120))
    await at_work(child)
    pid = child.pid
    await child.close()
    with pytest.raises(NlpUnavailable):
        await waiting
    with pytest.raises(NlpUnavailable):
        await child.assess(a_batch("more"), BRIEFING, 60)
    assert not _alive(pid)


async def test_the_child_holds_no_secret(child: NlpProcess) -> None:
    environment = Path(f"/proc/{child.pid}/environ")
    if not environment.exists():
        pytest.skip("this system does not show a process's environment")
    names = [entry.partition("=")[0] for entry in environment.read_text().split("\0")]
    assert os.environ["WEBCARE_SECRET_KEY"]
    assert not [name for name in names if name.startswith("WEBCARE_")]


PARENT = """
import asyncio, sys
from services.triage.nlp_process import NlpProcess
from tests.triage.test_nlp_process import BRIEFING, POISON, a_batch

async def main():
    child = NlpProcess()
    await child.start()
    await child.assess(a_batch("warm"), BRIEFING, 60)
    print(child.pid, flush=True)
    if "busy" in sys.argv:
        asyncio.create_task(child.assess(a_batch(POISON), BRIEFING, 0.5))
        await asyncio.sleep(0.2)
        print("busy", flush=True)
        import time; time.sleep(60)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("doing", ["idle", "busy"])
async def test_the_child_does_not_outlive_its_parent(doing: str) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PARENT,
        doing,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert parent.stdout is not None
    pid = int(await asyncio.wait_for(parent.stdout.readline(), 60))
    try:
        if doing == "busy":
            await asyncio.wait_for(parent.stdout.readline(), 60)
        parent.kill()
        await parent.wait()
        # idle: the end of its input; busy: the kernel's alarm, after the deadline and 5 s of grace
        async with asyncio.timeout(60):
            while _alive(pid):
                await asyncio.sleep(0.05)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _alive(pid: int | None) -> bool:
    """Whether the process runs; one that has ended and that nobody has reaped does not."""
    assert pid
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the system does not tell of threads")
async def test_the_child_reads_with_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Triage scales by processes: threads of a numeric library would fight with their parent and with Postgres over the cores."""
    for name in ONE_THREAD:
        monkeypatch.delenv(name, raising=False)
    child = NlpProcess()
    await child.start()
    try:
        await child.assess(a_batch(*(f"no internet since {n} o'clock, says Ann Lee" for n in range(64))), BRIEFING, 60)
        threads = len(list(Path(f"/proc/{child.pid}/task").iterdir()))
    finally:
        await child.close()
    assert threads == 2  # the one that reads, and the one that looks for its parent
