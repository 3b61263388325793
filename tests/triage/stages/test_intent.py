"""What the author wants."""

import pytest

from services.triage.stage import Briefing
from tests.triage.building import assessed

CASES = {
    "en": {
        "complaint": [
            "My internet has been down since Monday",
            "I can't log in to your app",
            "Why is my flight delayed again?? This is ridiculous",
            "third time I contact you and still no answer",
            "charged twice for the same order",
            "thanks for nothing, worst customer service ever",
            "Your driver left my parcel in the rain and it is broken",
        ],
        "question": [
            "How do I change my PIN?",
            "Are you open on Sunday?",
            "Does anyone know when the new phone comes out?",
            "What time does the store in Utrecht close",
        ],
        "request": [
            "Could you send me a copy of my invoice",
            "Please call me back",
            "I would like a refund for order 12345",
            "Can you change my delivery address?",
        ],
        "praise": [
            "Thank you for the quick help, you are amazing!",
            "Love the new app, works great",
            "Best service I ever had",
        ],
        "churn": [
            "I'm switching to another provider",
            "cancel my subscription, I have had enough",
            "I will never fly with you again",
            "how do I cancel my contract?",
        ],
        "other": ["Northwind sponsors the marathon this year", "On my way to the Northwind store"],
    },
    "nl": {
        "complaint": [
            "Al de hele dag geen internet",
            "Ik kan niet inloggen in de app",
            "Mijn pakket is nog steeds niet bezorgd",
            "wat een waardeloze klantenservice",
            "Weer vertraging, belachelijk",
            "de televisie valt steeds uit",
        ],
        "question": [
            "Hoe kan ik mijn pincode wijzigen?",
            "Zijn jullie zondag open?",
            "Weet iemand hoe laat de winkel sluit?",
        ],
        "request": [
            "Kunnen jullie mij terugbellen?",
            "Graag een kopie van mijn factuur, kunnen jullie die sturen",
            "Ik wil mijn geld terug",
        ],
        "praise": [
            "Bedankt voor de snelle hulp, top!",
            "Heel blij met jullie service",
            "netjes opgelost, complimenten",
        ],
        "churn": [
            "Ik ga mijn abonnement opzeggen",
            "Wij stappen over naar een andere provider",
            "nooit meer bestel ik hier",
            "Ik zeg mijn contract op",
        ],
        "other": ["Northwind sponsort dit jaar de marathon"],
    },
}


@pytest.mark.parametrize(
    ("text", "intent"), [(text, intent) for of in CASES.values() for intent, texts in of.items() for text in texts]
)
def test_intent(telecom: Briefing, text: str, intent: str) -> None:
    outcome = assessed(text, telecom, owned=True)
    assert outcome.value("intent") == intent, outcome.findings_json()
    finding = outcome.one("intent")
    assert finding is not None
    assert finding.why


@pytest.mark.parametrize(
    "text", ["I'm not leaving, relax", "ik zeg niet op hoor", "I would never cancel my subscription"]
)
def test_a_denied_threat_is_none(telecom: Briefing, text: str) -> None:
    assert assessed(text, telecom).value("intent") != "churn"


def test_a_question_mark_in_a_link_asks_nothing(telecom: Briefing) -> None:
    assert assessed("Northwind news https://news.example/a?b=c", telecom).value("intent") == "other"
