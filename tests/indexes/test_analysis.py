"""Terms: what must be found by what, and what must not be told apart."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexes.analysis import LANGUAGES, analyse, question_words
from indexes.stop_words import STOP_WORDS


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("The companies' policies", ["compani", "polici"]),
        ("the company's policy", ["compani", "polici"]),
        ("a 10-K filing", ["10", "k", "10k", "file"]),
        ("version 3.5, or 1,000 of 12,345.60", ["version", "3.5", "1000", "12345.60"]),
        ("the U.S. office", ["us", "offic"]),
        ("US and e.g. u.s.a.", ["us", "eg", "usa"]),
        ("well-known co-workers", ["well", "known", "co", "worker"]),
        ("naïve Zürich ﬁnance", ["naiv", "zurich", "financ"]),
        ("reim\u00adburse reim-\nbursement", ["reimburs", "reimburs"]),
        ("don\u2019t O\u2019Brien", ["obrien"]),
        ("snake_case __init__", ["snake", "case", "init"]),
        ("2020-2024", ["2020", "2024"]),
        ("end of sentence 5. Next", ["end", "sentenc", "5", "next"]),
        ("...", []),
        ("what is the of?", []),
        ("", []),
    ],
)
def test_terms_of_what_people_write(text: str, terms: list[str]) -> None:
    assert analyse(text) == terms


def test_one_form_is_found_by_the_other() -> None:
    assert set(analyse("10K")) & set(analyse("Form 10-K"))
    assert set(analyse("10 K")) <= set(analyse("Form 10-K"))
    assert analyse("US") == analyse("U.S.")
    assert analyse("1000") == analyse("1,000")
    assert analyse("reimbursed") == analyse("Reimbursing")


@given(st.text())
def test_terms_are_never_empty_and_never_hold_white_space(text: str) -> None:
    assert all(term and not any(letter.isspace() for letter in term) for term in analyse(text))


@given(st.text())
def test_the_same_text_gives_the_same_terms_again(text: str) -> None:
    assert analyse(text) == analyse(text)


@given(st.lists(st.sampled_from(["leave", "U.S.", "10-K", "3.5", "the", "co-op", "isn't"]), max_size=6))
def test_texts_apart_by_a_blank_line_give_their_terms_one_after_the_other(words: list[str]) -> None:
    assert analyse("\n\n".join(words)) == [term for word in words for term in analyse(word)]


@given(st.text(alphabet=st.characters(max_codepoint=0x24F)))
def test_upper_case_is_no_difference_within_ascii(text: str) -> None:
    letters = text.encode("ascii", "ignore").decode()
    assert analyse(letters) == analyse(letters.upper())


# ------------------------------------------------------------------ other languages

# Forms of one word, as a question and a page may have them.
FORMS = {
    "de": """Kündigungsfristen Kündigungsfrist, Urlaubstage Urlaubstagen, Häuser Haus, Verträge Vertrag,
        Mitarbeitern Mitarbeiter, genehmigte genehmigten, STRASSE Straße, Kuendigung Kündigung,
        Kundigung Kündigung""",
    "fr": """employés employé, congés congé, salaires salaire, autorisée autorisés, déplacements déplacement,
        l'hôtel hôtels, d'hôtel hôtel, conges congés""",
    "es": """vacaciones vacación, días día, empleados empleado, contraseñas contraseña, permitidos permitida,
        vacacion vacaciones""",
    "it": """giorni giorno, dipendenti dipendente, ferie feria, dell'albergo alberghi, richiesta richieste,
        un'assenza assenze""",
    "nl": """vakantiedagen vakantiedag, opzegtermijnen opzegtermijn, werknemers werknemer, huizen huis,
        uren uur, foto's foto""",
    "pt": "férias férias, empregados empregado, salários salário, permitidas permitido",
    "sv": "dagarna dagar, anställda anställd",
    "da": "dagene dage, medarbejderne medarbejder",
    "no": "dagene dager, ansatte ansatt",
    "fi": "lomapäivät lomapäivä",
    "pl": "urlopu urlop, pracownika pracownik",
    "ru": "отпуска отпуск, сотрудники сотрудник",
}
PAIRS = [(language, *pair.split()) for language, listed in FORMS.items() for pair in listed.split(",")]
letters = st.text(alphabet="aeinrstlgu äöüßéèêçñóíàøåłę'-\u2019., 0123456789", max_size=30)
languages = st.sampled_from(LANGUAGES)


@pytest.mark.parametrize(("language", "one", "other"), PAIRS)
def test_forms_of_a_word_meet_in_its_language(language: str, one: str, other: str) -> None:
    assert analyse(one, language)
    assert analyse(one, language) == analyse(other, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_is_rid_of_its_stop_words_however_they_are_typed(language: str) -> None:
    for word in STOP_WORDS[language]:
        assert analyse(word, language) == [], word
        assert analyse(word.upper(), language) == [], word
        assert analyse(unicodedata.normalize("NFD", word), language) == [], word
    assert analyse("über für fuer ueber fur", "de") == []
    assert analyse("despues de que tambien", "es") == []


@pytest.mark.parametrize(
    ("language", "text", "terms"),
    [
        ("de", "Die Kosten betragen 1.500,50 Euro.", ["kost", "betrag", "1500.50", "euro"]),
        ("de", "Version 3.5 und 10-K", ["version", "3.5", "10", "k", "10k"]),
        ("en", "Die Kosten betragen 1.500,50 Euro.", ["die", "kosten", "betragen", "1.500,50", "euro"]),
        ("fr", "Aujourd'hui, l'employé d'Artagnan", ["aujourdhui", "emploi", "artagnan"]),
        ("it", "L'orario dell'ufficio non c'è", ["orar", "uffic", "non"]),
        ("nl", "De fiets van Anna's broer", ["fiet", "anna", "broer"]),
        ("xx", "The companies' policies", ["compani", "polici"]),
    ],
)
def test_terms_of_what_people_write_in_a_language(language: str, text: str, terms: list[str]) -> None:
    assert analyse(text, language) == terms


@given(letters, languages)
def test_case_and_the_way_accents_are_stored_are_no_difference(text: str, language: str) -> None:
    terms = analyse(text, language)
    assert terms == analyse(text.upper(), language)
    assert terms == analyse(unicodedata.normalize("NFD", text), language)


@given(st.text(), languages)
def test_terms_of_a_language_are_never_empty_and_always_the_same(text: str, language: str) -> None:
    terms = analyse(text, language)
    assert all(terms)
    assert terms == analyse(text, language)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("年假为15天", ["年假", "假为", "15", "天"]),
        ("差旅费。报销", ["差旅", "旅费", "报销"]),
        ("有給休暇は iPhone手順", ["有給", "給休", "休暇", "暇は", "iphon", "手順"]),
        ("ﾊﾟｿｺﾝ", ["パソ", "ソコ", "コン"]),
        ("연차 휴가는", ["연차", "휴가", "가는"]),
        ("猫", ["猫"]),
        ("2024年3月", ["2024", "年", "3", "月"]),
    ],
)
def test_letters_written_without_spaces_give_each_two_neighbours_in_any_language(
    text: str, terms: list[str]
) -> None:
    for language in ("en", "zh", "ja", "ko"):
        assert analyse(text, language) == terms
    assert [term for term in analyse(text, "de") if not term.isascii()] == [
        term for term in terms if not term.isascii()
    ]


words = st.sampled_from(
    "die Kündigungsfristen the hotel l'hôtel 1.500 10-K dell'ufficio 年假15天 was Anna's u.s. x".split()
)


@given(
    st.lists(words | letters, max_size=8).map(" ".join),
    st.lists(languages, unique=True, min_size=1, max_size=4),
)
def test_a_question_word_by_word_is_its_terms_in_every_language(text: str, asked: list[str]) -> None:
    found = question_words(text, asked)
    assert all(found)
    for language in asked:
        assert [word[language] for word in found if language in word] == analyse(text, language)


@given(st.lists(words, max_size=8), languages)
def test_stop_words_of_the_language_that_is_spoken_are_asked_in_none(said: list[str], spoken: str) -> None:
    kept = [word for word in said if analyse(word, spoken)]
    text = question_words(" ".join(said), ("en", "de"), spoken=spoken)
    assert text == question_words(" ".join(kept), ("en", "de"), spoken=spoken)
    assert question_words("Wann ist die Frist?", ("en", "de"), spoken="de") == (
        {"en": "frist", "de": "frist"},
    )
