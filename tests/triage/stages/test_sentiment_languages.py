"""Sentiment in German, French, Spanish, Italian and Portuguese: by the words of each language, and through the whole pipeline."""

import json
import re
from pathlib import Path

import pytest

from services.triage.analyse import analyse
from services.triage.library import Library
from services.triage.reading import fold
from services.triage.stage import Briefing
from services.triage.stages import sentiment
from services.triage.words import lexicon
from services.triage.words.lexicon import WeightedWords, plain_words
from tests.triage.building import a_mention

LANGUAGES = ("de", "fr", "es", "it", "pt")
FOLDER = Path(lexicon.__file__).parents[1] / "lexicons"
SAID = [
    ("de", "negative", "Seit drei Wochen kein Internet, und am Telefon werde ich nur vertröstet. Nie wieder!"),
    ("de", "negative", "Ich bin mit der Beratung überhaupt nicht zufrieden."),
    ("de", "negative", "Der Monteur ist schon wieder nicht gekommen"),
    ("de", "neutral", "Bis wann kann ich die Rechnung für September herunterladen?"),
    ("de", "positive", "Vielen Dank an Frau Kühn, sie hat mir sehr freundlich geholfen."),
    ("fr", "negative", "Toujours pas de réponse après trois mails, c'est inadmissible."),
    ("fr", "negative", "Je ne suis pas satisfait de votre service."),
    ("fr", "negative", "Bravo, encore un train supprimé, c'est vraiment n'importe quoi"),
    ("fr", "neutral", "Bonjour, à quelle heure ferme le magasin de Lille le samedi ?"),
    ("fr", "positive", "Livraison rapide, produit conforme, je recommande !"),
    ("es", "negative", "Llevo tres semanas sin internet y nadie me da una solución."),
    ("es", "negative", "No estoy contento con la reparación"),
    ("es", "negative", "Genial, otra vez el vuelo cancelado, qué desastre"),
    ("es", "neutral", "¿A qué hora sale el último tren a Toledo?"),
    ("es", "positive", "Excelente trato, la habitación muy limpia y el personal encantador"),
    ("it", "negative", "Da tre settimane senza linea e il call center non risponde, una vergogna."),
    ("it", "negative", "Non sono soddisfatto del servizio"),
    ("it", "negative", "Complimenti, bolletta raddoppiata e assistenza inesistente, pessimi"),
    ("it", "neutral", "Vorrei cambiare l'indirizzo di consegna del mio ordine."),
    ("it", "positive", "Grazie mille per la gentilezza, problema risolto subito"),
    ("pt", "negative", "Estou há três semanas sem internet e ninguém resolve o meu problema."),
    ("pt", "negative", "Não estou satisfeito com o serviço"),
    ("pt", "negative", "Parabéns, mais um voo cancelado, que vergonha"),
    ("pt", "neutral", "Gostaria de alterar o endereço de entrega do meu pedido."),
    ("pt", "positive", "Quarto limpo, equipe simpática e café da manhã delicioso"),
]


@pytest.mark.parametrize(("language", "value", "text"), SAID)
def test_the_lexicon_reads_what_customers_say(language: str, value: str, text: str, library: Library) -> None:
    briefing = Briefing("w", "1").with_models(library)
    (outcome,) = sentiment.assess([a_mention(text, lang=language)], briefing)
    assert outcome.value("sentiment") == value, outcome.findings["sentiment"]


def test_the_pipeline_reads_it_in_the_language_that_it_finds(library: Library) -> None:
    felt = [(language, value, text) for language, value, text in SAID if value != "neutral"]
    rows = list(analyse([json.dumps({"text": text}) for _, _, text in felt], library=library))
    for (language, value, _), row in zip(felt, rows, strict=True):
        assert row["findings"]["language"]["value"] == language
        assert row["findings"]["sentiment"]["value"] == value, row["findings"]["sentiment"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_lexicon_has_words_enough_and_stands_folded(language: str) -> None:
    assert len(WeightedWords.read("sentiment", language).weights) >= 400
    assert WeightedWords.read("sentiment_modifiers", language).weights
    for name in ("sentiment", "sentiment_modifiers"):
        words = (FOLDER / f"{name}.{language}.yaml").read_text(encoding="utf-8").split("\n", 1)[1]
        assert words == fold(words)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_stands_under_two_weights(language: str) -> None:
    content = (FOLDER / f"sentiment.{language}.yaml").read_text(encoding="utf-8")
    words = re.sub(r"^#.*$|^-?[\d.]+:(?: >-)?", "", content, flags=re.MULTILINE).split()
    assert len(words) == len(set(words))


@pytest.mark.parametrize("clash", ["war", "pas", "ne", "mas", "mais", "ma", "die", "sin", "net"])
def test_what_turns_a_text_round_in_one_language_is_no_other_word_in_another(clash: str) -> None:
    assert not any(clash in plain_words(f"sentiment_turns:{kind}") for kind in ("negators", "breaks", "contrasts"))
