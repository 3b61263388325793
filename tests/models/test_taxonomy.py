"""The shipped taxonomies: how an issue type is read and written, and what every file of them holds."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from shared.models import taxonomy
from shared.models.phrase import LANGUAGES, TaxonomyError
from shared.models.taxonomy import load, read_definition, sectors

SECTORS = ("airline", "bank", "energy", "retail", "software", "telecom")


GOOD: dict[str, Any] = {
    "key": "outage.internet",
    "name": {"en": "Internet outage", "nl": "Internetstoring"},
    "severity": 5,
    "phrases": {"en": "no internet\n# a remark\n\ninternet .. down", "nl": ["geen internet"]},
    "unless": {"nl": [{"phrase": "geen internet .. nodig", "negatable": False}]},
}


class TestDefinitions:
    def test_what_is_written_is_read_and_written_again(self) -> None:
        definition = read_definition(GOOD)
        assert [phrase.text for phrase in definition.phrases["en"]] == ["no internet", "internet .. down"]
        assert read_definition(json.loads(json.dumps(definition.as_source()))) == definition

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"key": "Outage Internet"}, "lower-case words joined by dots"),
            ({"name": {"en": "Outage"}}, "needs a `name`"),
            ({"name": {"en": "A", "nl": "B", "gift card": None}}, "unknown fields gift card"),
            ({"severity": 6}, "from 1 to 5"),
            ({"severity": True}, "from 1 to 5"),
            ({"parent": "Not a key"}, "must be the key"),
            ({"phrases": {"de": ["kein netz"]}}, "unknown fields de"),
            ({"phrases": {"en": ["ok", "not ("]}}, "Issue type outage.internet, phrases.en: Phrase 'not ('"),
            ({"phrase": []}, "unknown fields phrase"),
        ],
    )
    def test_a_mistake_is_said_with_its_place(self, change: dict[str, Any], said: str) -> None:
        with pytest.raises(TaxonomyError, match=re.escape(said)):
            read_definition({**GOOD, **change})


class TestShippedFiles:
    def test_there_is_one_for_every_sector(self) -> None:
        assert sectors() == SECTORS
        with pytest.raises(TaxonomyError, match="choose one of: airline, bank"):
            load("bakery")

    @pytest.mark.parametrize("sector", [None, *SECTORS])
    def test_every_type_is_rich_in_both_languages(self, sector: str | None) -> None:
        definitions = load(sector)
        seen: set[str] = set()
        for definition in definitions:
            assert definition.parent is None or definition.parent in seen, "parents come first"
            seen.add(definition.key)
            for language in LANGUAGES:
                texts = [phrase.text for phrase in definition.phrases[language]]
                assert 8 <= len(texts) <= 30, f"{definition.key} {language}"
                assert len(set(texts)) == len(texts), f"{definition.key} {language} says something twice"
        if sector:
            assert 12 <= len(definitions) - len(load(None)) <= 20

    def test_sectors_can_be_loaded_together(self) -> None:
        keys = Counter(one.key for sector in SECTORS for one in load(sector)) - Counter(
            one.key for _ in SECTORS for one in load(None)
        )
        assert [key for key, times in keys.items() if times > 1] == []

    def test_a_parent_ring_and_a_missing_parent_are_found(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        body = "{key: %s, name: {en: A, nl: B}, severity: 1, parent: %s}"
        (tmp_path / "common.yaml").write_text("issue_types: []")
        for name, rows in {"ring": [("a", "b"), ("b", "a")], "orphan": [("a", "nobody")]}.items():
            lines = "".join(f"\n  - {body % row}" for row in rows)
            (tmp_path / f"{name}.yaml").write_text(f"issue_types:{lines}")
        monkeypatch.setattr(taxonomy, "_FOLDER", tmp_path)
        taxonomy._read_file.cache_clear()
        try:
            with pytest.raises(TaxonomyError, match="form a ring"):
                load("ring")
            with pytest.raises(TaxonomyError, match="parent nobody, which does not exist"):
                load("orphan")
        finally:
            taxonomy._read_file.cache_clear()
