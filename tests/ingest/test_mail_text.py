"""What was newly written in a mail: quotations, signatures and what programs add are taken away, and nothing else."""

import time

import pytest

from services.ingest.networks.mail_text import said_in, said_in_html
from tests.machine import slowness

NEW = "Mijn router is nog steeds kapot.\nBel me a.u.b. terug."

QUOTED = {
    "english": "On Fri, 20 Nov 2026 at 12:00, Acme Care <care@acme.test> wrote:\n> Have you tried it off?\n> And on?",
    "english, wrapped": "On Fri, 20 Nov 2026 at 12:00, Acme Care\n<care@acme.test> wrote:\n\n> Have you tried it off?",
    "english, unmarked": "On 20 Nov 2026, at 12:00, Acme <care@acme.test> wrote:\n\nHave you tried it off?",
    "dutch": "Op vr 20 nov 2026 om 12:00 schreef Acme Care <care@acme.test>:\n\n> Heeft u hem uitgezet?",
    "dutch, apple": "Op 20 nov 2026, om 12:00 heeft Acme <care@acme.test> het volgende geschreven:\n\n> Heeft u hem uit?",
    "german": "Am 20.11.2026 um 12:00 schrieb Acme Care:\n> Haben Sie ihn ausgeschaltet?",
    "french": "Le ven. 20 nov. 2026 à 12:00, Acme Care <care@acme.test> a écrit :\n> L'avez-vous éteint ?",
    "name first": "Acme Care <care@acme.test> schrieb am Fr., 20. Nov. 2026, 12:00:\n\n> Haben Sie ihn aus?",
    "date first": "2026-11-20 12:00 GMT+01:00 Acme Care <care@acme.test>:\n\n> Heeft u hem uitgezet?",
    "outlook, english": "From: Acme Care <care@acme.test>\nSent: Friday, 20 November 2026 12:00\nTo: Jan\nSubject: RE: router\n\nHello",
    "outlook, dutch": "________________________________\nVan: Acme\nVerzonden: vrijdag\nAan: Jan\nOnderwerp: RE: router\n\nHallo",
    "outlook, german": "Von: Acme\nGesendet: Freitag, 20. November 2026 12:00\nAn: Jan\nBetreff: AW: Router\n\nHallo",
    "outlook, french": "De : Acme\nEnvoyé : vendredi 20 novembre 2026\nÀ : Jan\nObjet : RE: routeur\n\nBonjour",
    "original message": "-----Original Message-----\nFrom: Acme\nHello",
    "oorspronkelijk": "-----Oorspronkelijk bericht-----\nVan: Acme\nHallo",
    "ursprünglich": "-----Ursprüngliche Nachricht-----\nVon: Acme\nHallo",
    "d'origine": "-----Message d'origine-----\nDe : Acme\nBonjour",
    "reply above": "##- Please type your reply above this line -##\nYour ticket is open",
    "marks only": "> Have you tried it off?\n>> My router is broken",
}

BELOW = {
    "signature": "-- \nJan de Vries\nDirecteur",
    "signature without its blank": "--\nJan de Vries\nDirecteur",
    "iphone": "Sent from my iPhone",
    "iphone, dutch": "Verstuurd vanaf mijn iPhone",
    "iphone, german": "Von meinem iPhone gesendet",
    "iphone, french": "Envoyé de mon iPhone",
    "outlook": "Get Outlook for Android",
    "samsung": "Verzonden vanaf mijn Galaxy",
    "disclaimer": "This e-mail is confidential and intended for its addressee only.\nIf it is not for you, tell us.",
    "disclaimer, dutch": "Dit bericht is vertrouwelijk en uitsluitend bestemd voor de geadresseerde.",
}


@pytest.mark.parametrize("quoted", QUOTED)
def test_what_is_quoted_is_taken_away(quoted: str) -> None:
    assert said_in(f"{NEW}\n\n{QUOTED[quoted]}\n") == NEW


@pytest.mark.parametrize("below", BELOW)
@pytest.mark.parametrize("quoted", ["dutch", "outlook, english"])
def test_what_stands_below_is_taken_away(below: str, quoted: str) -> None:
    assert said_in(f"{NEW}\n\n{BELOW[below]}\n") == NEW
    assert said_in(f"{NEW}\r\n\r\n{BELOW[below]}\r\n\r\n{QUOTED[quoted]}\r\n".replace("\n\n", "\n")) == NEW


def test_an_answer_below_or_between_what_is_quoted_stays() -> None:
    text = "On Fri, 20 Nov 2026, Acme <care@acme.test> wrote:\n> Is it on?\n\nYes.\n\n> Since when?\nSince Monday.\n"
    assert said_in(text) == "Yes.\n\nSince Monday."


@pytest.mark.parametrize(
    "text",
    [
        "On Monday your colleague wrote: we will call you. Nobody called.",
        "Op mijn rekening staat:\n12 euro te veel",
        "Le routeur ne marche pas :\n- il clignote",
        "Van: wie is deze factuur?\nIk ken haar niet.",
        "I wrote you 3 times:\nMonday\nTuesday\nWednesday",
        "Met vriendelijke groet,\nJan de Vries\n06-12345678",
        "Sent from the shop were two boxes, I ordered three.",
        "Ik heb verzonden vanaf mijn adres: twee dozen.",
        "- een\n- twee\n-- drie",
        "3 > 2 en a -> b",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert said_in(text) == text


def test_what_is_passed_on_to_us_stays_whole() -> None:
    text = "Is dit echt?\n\n---------- Forwarded message ---------\nVan: Acme\nDatum: vrijdag\nOnderwerp: Factuur\n\n> Betaal nu"
    assert said_in(text) == text


def test_a_mail_that_is_all_quotation_comes_back_whole() -> None:
    assert said_in("> Have you tried it off?\n> And on?") == "> Have you tried it off?\n> And on?"
    assert said_in("") == ""


HTML = {
    "gmail": '<div class="gmail_quote"><div class="gmail_attr">On Fri wrote:</div><blockquote>Is it on?</blockquote></div>',
    "gmail, now": '<div class="gmail_quote gmail_quote_container">On Fri<blockquote>Is it on?</blockquote></div>',
    "outlook": '<hr style="width:98%"><div id="divRplyFwdMsg"><b>From:</b> Acme</div><div>Is it on?</div>',
    "outlook for the web": '<div id="appendonsend"></div><div>From: Acme</div>Is it on?',
    "apple": '<br><blockquote type="cite">On 20 Nov 2026, Acme &lt;c@acme.test&gt; wrote:<br>Is it on?</blockquote>',
    "thunderbird": '<div class="moz-cite-prefix">Op 20-11-2026 om 12:00 schreef Acme:<br></div><blockquote>Is hij aan?</blockquote>',
    "yahoo": '<div id="x" class="yahoo_quoted">On Friday<div>Is it on?</div></div>',
    "signature": '<div class="gmail_signature"><b>Jan</b><br>Directeur</div>',
}


@pytest.mark.parametrize("program", HTML)
def test_html_of_mail_programs(program: str) -> None:
    assert said_in_html(f"<div>Hij doet het <b>niet</b>.</div><br>{HTML[program]}") == "Hij doet het niet."


def test_an_answer_below_a_blockquote_stays() -> None:
    html = "<p>Op 20-11-2026 schreef Acme:</p><blockquote><p>Aan?</p><blockquote>Kapot</blockquote></blockquote><p>Ja, aan.</p>"
    assert said_in_html(html) == "Ja, aan."


def test_a_forward_of_gmail_stays() -> None:
    html = (
        '<p>Echt?</p><div class="gmail_quote">---------- Forwarded message ---------<br>Van: Acme<p>Betaal nu</p></div>'
    )
    assert "Betaal nu" in said_in_html(html)


@pytest.mark.parametrize(
    "text",
    ["On " * 99_000, "> " * 149_000, "<blockquote>" * 60_000, "From: a\n" * 37_000, "On 1 a\n" * 42_000, "-" * 299_000,
     "<div class=" * 60_000, "On 1 " + "wrote " * 60 + "\n", ("on 1 " + "wrote " * 50 + "\n") * 900, "From: a\n" * 200_000],
)  # fmt: skip
def test_no_mail_takes_long(text: str) -> None:
    started = time.process_time()
    said_in(text)
    said_in_html(text)
    assert time.process_time() - started < 3 * slowness()
