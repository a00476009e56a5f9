"""Questions in the language of the documents are answered from the right page, and others are not."""

import pytest

import ragflow

READERS = ["everyone"]
# Language -> two pages, each with a question that it answers, in other forms of its words.
PAGES = {
    "de": {
        "urlaub": (
            (
                "# Urlaub\n\nJede Mitarbeiterin erhält 28 Urlaubstage im Jahr. Der Antrag muss drei Wochen "
                "vorher eingereicht werden. Nicht genommene Tage verfallen am 31. März.\n"
            ),
            "Wann verfällt nicht genommener Urlaub?",
        ),
        "kuendigung": (
            (
                "# Kündigung\n\nWährend der Probezeit beträgt die Kündigungsfrist zwei Wochen. Danach gilt "
                "eine Frist von drei Monaten. Die Kündigung muss schriftlich erfolgen.\n"
            ),
            "Wie lang sind die Kündigungsfristen in der Probezeit?",
        ),
    },
    "fr": {
        "conges": (
            (
                "# Congés\n\nChaque salarié dispose de 28 jours de congés payés par an. La demande doit être "
                "déposée trois semaines à l'avance. Les jours non pris sont perdus le 31 mars.\n"
            ),
            "Combien de jours de congé ai-je par an ?",
        ),
        "hotel": (
            (
                "# Déplacements\n\nL'hôtel ne doit pas coûter plus de 140 euros la nuit. Un prix plus élevé "
                "est approuvé par la direction. Les justificatifs sont remis dans les deux semaines.\n"
            ),
            "Combien peut coûter une nuit d'hôtel ?",
        ),
    },
    "es": {
        "vacaciones": (
            (
                "# Vacaciones\n\nCada empleado tiene derecho a 28 días de vacaciones al año. La solicitud se "
                "presenta con tres semanas de antelación. Los días no disfrutados se pierden en marzo.\n"
            ),
            "¿Cuántos días de vacaciones tienen los empleados?",
        ),
        "contrasenas": (
            (
                "# Equipos\n\nLos ordenadores portátiles se cambian cada cuatro años. Las contraseñas tienen "
                "al menos catorce caracteres. No se permite instalar programas privados.\n"
            ),
            "¿Cuántos caracteres tiene que tener mi contraseña?",
        ),
    },
    "it": {
        "ferie": (
            (
                "# Ferie\n\nOgni dipendente ha diritto a 28 giorni di ferie all'anno. La richiesta va "
                "presentata con tre settimane di anticipo. I giorni non goduti si perdono il 31 marzo.\n"
            ),
            "Quanti giorni di ferie hanno i dipendenti?",
        ),
        "mensa": (
            (
                "# Mensa\n\nIl pranzo in mensa costa 4,50 euro. La mensa è aperta da mezzogiorno alle due. "
                "Le biciclette si possono lasciare nel cortile.\n"
            ),
            "Quanto costa un pranzo in mensa?",
        ),
    },
    "nl": {
        "vakantie": (
            (
                "# Vakantie\n\nIedere medewerker heeft recht op 28 vakantiedagen per jaar. De aanvraag moet "
                "drie weken van tevoren worden ingediend. Niet opgenomen dagen vervallen op 31 maart.\n"
            ),
            "Hoeveel vakantiedagen heeft een medewerker?",
        ),
        "ziekte": (
            (
                "# Ziekte\n\nWie ziek is, meldt zich voor 9 uur bij de teamleider. Vanaf de derde dag is een "
                "verklaring van een arts vereist. Bij zieke kinderen worden tien dagen per jaar betaald.\n"
            ),
            "Vanaf welke dag is een verklaring van de arts nodig?",
        ),
    },
}
UNANSWERED = {
    "de": "Wer war der erste Mensch auf dem Mond?",
    "fr": "Qui fut le premier homme sur la Lune ?",
    "es": "¿Quién fue el primer hombre en la Luna?",
    "it": "Chi fu il primo uomo sulla Luna?",
    "nl": "Wie was de eerste mens op de maan?",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("languages")
    sources = "".join(f"  {one}: {{type: files, path: {one}, readers: [everyone]}}\n" for one in PAGES)
    (folder / "ragflow.yaml").write_text(f"version: 1\nsources:\n{sources}")
    for language, pages in PAGES.items():
        (folder / language).mkdir()
        for name, (text, _) in pages.items():
            (folder / language / f"{name}.md").write_text(text, encoding="utf-8")
    with ragflow.open(folder) as opened:
        opened.index()
        yield opened


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("language", PAGES)
def test_a_question_in_the_documents_language_is_answered_from_the_right_page(app, language, alone):
    sources = [language] if alone else None
    for name, (_, question) in PAGES[language].items():
        answer = app.ask(question, readers=READERS, sources=sources)
        assert answer.outcome == "answered", question
        assert answer.citations[0].document == f"{language}/{name}.md", question


@pytest.mark.parametrize("language", PAGES)
def test_what_no_page_tells_is_not_answered(app, language):
    assert app.ask(UNANSWERED[language], readers=READERS).outcome != "answered"


@pytest.mark.parametrize("language", PAGES)
def test_a_document_shows_its_language(app, language):
    for name in PAGES[language]:
        assert app.show(f"{language}/{name}.md", readers=READERS)["language"] == language
