"""Runs the benchmarks and prints their ratios: `python -m tests.bench [--only ingest,triage,lists,pii] [--write]`."""

import argparse
import os
import platform
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

import migrations
from services.local.environment import resolved
from shared.kit import clock
from shared.kit.running import runner
from shared.kit.settings import Settings
from tests.bench import clocks, duplicates, gate, heads, ingest, language, lists, pii, triage
from tests.bench.measured import Measured

BENCHMARKS: dict[str, Callable[[Settings], Awaitable[list[Measured]]]] = {
    "clocks": clocks.measure,
    "duplicates": duplicates.measure,
    "gate": gate.measure,
    "heads": heads.measure,
    "ingest": ingest.measure,
    "language": language.measure,
    "lists": lists.measure,
    "pii": pii.measure,
    "triage": triage.measure,
}
NOTES = """
Intake: reading, checking and storing what was sent, against copying the finished rows of all six tables with their indexes. The
first row does one batch after the other, the second has two in flight on both sides, as a running service has. Authors do not
change during a run, because the floor writes each row once. One batch after the other misses its goal narrowly: about half
of its CPU time is Python's, and neither side works while the other does.

Triage is measured from the first claim to the last record. All mentions lie ready and the worker is warm; Postgres and the
worker share the cores. The floor is the same model with the same parts as spaCy ships it, `nlp.pipe` in batches of 64 in a process
of its own; the second row is that floor with the matrix product that we chose. Where obsei can be installed, a third row stands beside it:
a peer that recognises entities only. The heads, the rules and the other questions are ours alone, and cost less than what taking the
model's steps ourselves saves.

The gate, near copies and languages are measured in seconds of CPU, the best of five rounds of each side in turn. Keywords are words
and pairs of words of other real texts; with exclusions, half of them do not count beside a phrase. Copies are made of real tweets:
a word dropped or replaced, a hashtag added. The firehose has a page of its own in scaling.md, and `make firehose`.

Open clocks of promises are looked after by whoever comes due: an index leads the watcher there, so that its look costs the same
whatever else is open. The notices' lateness is measured over all of the million, with the watcher as the worker runs it.

Personal data is looked for in 1,000 synthetic texts in CPU time, by our rules alone and with the entity model before them. After
each type stand recall and precision. Presidio gets its own list of internet suffixes, so that it fetches nothing. It is measured
where it is installed: `tests/bench/pii.py` says how it is found.
"""
PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"


@dataclass(frozen=True)
class Machine:
    """What it ran on."""

    cores: int
    python: str
    system: str

    @classmethod
    def here(cls) -> "Machine":
        """This machine."""
        return cls(os.cpu_count() or 1, platform.python_version(), f"{platform.system()} {platform.machine()}")


async def run(names: list[str], settings: Settings) -> list[Measured]:
    """Measures one after another, so that none disturbs another."""
    found = []
    for name in names:
        found += await BENCHMARKS[name](settings)
    return found


def main() -> None:
    """Parses the arguments, measures, prints, and writes the page if asked."""
    parser = argparse.ArgumentParser(description="Ratios against a floor measured in the same run.")
    parser.add_argument("--only", default=",".join(BENCHMARKS), help="which, with commas between them")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    given = parser.parse_args()
    names = [name for name in given.only.split(",") if name in BENCHMARKS]
    with tempfile.TemporaryDirectory(prefix="webcare-bench-") as folder:
        Path(folder).chmod(0o755)
        with resolved(Settings(data_dir=Path(folder) / "data", database_url="", valkey_url="")) as settings:
            migrations.upgrade(settings.database_url)
            settings = settings.model_copy(
                update={"secret_key": SecretStr("bench-" + "x" * 40), "requests_per_minute": 10**9}
            )
            with runner() as process_runner:  # as our processes run
                found = process_runner.run(run(names, settings))
    show(found)
    if given.write:
        write(found)


def show(found: list[Measured]) -> None:
    """Prints the ratios."""
    table = Table("what", "ours", "floor", "ratio", "goal", "floor is")
    for one in found:
        table.add_row(one.what, one.ours, one.floor, f"{one.ratio:.2f}", one.goal, one.floor_is)
    Console().print(table)


def write(found: list[Measured]) -> None:
    """Writes docs/benchmarks.md."""
    machine = Machine.here()
    rows = "\n".join(
        f"| {one.what} | {one.ours} | {one.floor} | {one.ratio:.2f} | {one.goal} | {one.floor_is} |" for one in found
    )
    PAGE.write_text(
        f"""# Benchmarks

Speed is told as a ratio against a floor that was measured in the same run, because machines differ. `make bench` prints these
ratios, `make bench ARGS=--write` writes this page.

Measured on {clock.now():%Y-%m-%d}: {machine.cores} cores, {machine.system}, Python {machine.python}. Shared cores: read ratios,
not absolutes.

| what | ours | floor | ratio | goal | the floor is |
| --- | --- | --- | --- | --- | --- |
{rows}
{NOTES}"""
    )


if __name__ == "__main__":
    main()
