"""Which language a question or a document is in: told for short ones, and never guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexes.languages import language, of_document, told

QUESTIONS = {
    "en": """How many days of leave do I get?
        What is the limit for a hotel night?
        Who approves a new laptop?
        Where can I find the form for travel expenses?
        When is the salary paid?
        Is parental leave paid?
        Can I work from abroad?
        Do I have to report a broken chair?
        Why was my order delayed?
        Which printers are supported?
        opening hours of the canteen
        What happens if the backup fails?
        How do I reset my password?
        Are dogs allowed in the office?
        price of A4 paper
        Does the discount apply to returning customers?
        What should I do when a parcel is lost?
        How long is the trial period?
        Who is responsible for data protection?
        Should invoices be sent on paper?
        what about part-timers?
        Was the release moved to May?
        Tell me about the notice period
        How is overtime recorded?""",
    "de": """Wie viele Urlaubstage habe ich?
        Was kostet eine Hotelnacht höchstens?
        Wer genehmigt einen neuen Laptop?
        Wo finde ich das Formular für Reisekosten?
        Wann wird das Gehalt gezahlt?
        Ist die Elternzeit bezahlt?
        Kann ich aus dem Ausland arbeiten?
        Muss ich einen kaputten Stuhl melden?
        Warum wurde meine Bestellung verschoben?
        Welche Drucker werden unterstützt?
        Öffnungszeiten der Kantine
        Was passiert, wenn die Sicherung fehlschlägt?
        Wie setze ich mein Passwort zurück?
        Sind Hunde im Büro erlaubt?
        Preis für A4-Papier
        Gilt der Rabatt auch für alte Kunden?
        Was soll ich tun, wenn ein Paket verloren geht?
        Wie lange dauert die Probezeit?
        Wer ist für den Datenschutz zuständig?
        Müssen Rechnungen auf Papier geschickt werden?
        Und in Teilzeit?
        Wurde die Freigabe auf Mai verlegt?
        Wie lange ist die Kündigungsfrist?
        Wie werden Überstunden erfasst?""",
    "fr": """Combien de jours de congé ai-je ?
        Quelle est la limite pour une nuit d'hôtel ?
        Qui approuve un nouvel ordinateur ?
        Où trouver le formulaire des frais de voyage ?
        Quand le salaire est-il versé ?
        Le congé parental est-il payé ?
        Puis-je travailler depuis l'étranger ?
        Dois-je signaler une chaise cassée ?
        Pourquoi ma commande est-elle en retard ?
        Quelles imprimantes sont prises en charge ?
        horaires de la cantine
        Que se passe-t-il si la sauvegarde échoue ?
        Comment changer mon mot de passe ?
        Les chiens sont-ils admis au bureau ?
        prix du papier A4
        La remise vaut-elle pour les anciens clients ?
        Que faire quand un colis est perdu ?
        Combien de temps dure la période d'essai ?
        Qui est responsable de la protection des données ?
        Faut-il envoyer les factures sur papier ?
        Et pour le temps partiel ?
        La sortie a-t-elle été reportée en mai ?
        Quel est le délai de préavis ?
        Comment les heures supplémentaires sont-elles comptées ?""",
    "es": """¿Cuántos días de vacaciones tengo?
        ¿Cuál es el límite para una noche de hotel?
        ¿Quién aprueba un portátil nuevo?
        ¿Dónde está el formulario de gastos de viaje?
        ¿Cuándo se paga el salario?
        ¿El permiso parental es pagado?
        ¿Puedo trabajar desde el extranjero?
        ¿Tengo que avisar de una silla rota?
        Por qué se retrasó mi pedido
        ¿Qué impresoras se pueden usar?
        horario de la cantina
        ¿Qué pasa si falla la copia de seguridad?
        ¿Cómo cambio mi contraseña?
        ¿Se permiten perros en la oficina?
        precio del papel A4
        ¿El descuento vale para los clientes antiguos?
        ¿Qué debo hacer si se pierde un paquete?
        ¿Cuánto dura el periodo de prueba?
        ¿Quién es responsable de la protección de datos?
        ¿Hay que enviar las facturas en papel?
        ¿Y a tiempo parcial?
        ¿Se aplazó el lanzamiento a mayo?
        ¿Cuál es el plazo de preaviso?
        cuantas horas extra puedo hacer""",
    "it": """Quanti giorni di ferie ho?
        Qual è il limite per una notte in albergo?
        Chi approva un nuovo portatile?
        Dove trovo il modulo per le spese di viaggio?
        Quando viene pagato lo stipendio?
        Il congedo parentale è pagato?
        Posso lavorare dall'estero?
        Devo segnalare una sedia rotta?
        Perché il mio ordine è in ritardo?
        Quali stampanti si possono usare?
        orario della mensa
        Che cosa succede se il backup non riesce?
        Come cambio la mia password?
        I cani sono ammessi in ufficio?
        prezzo della carta A4
        Lo sconto vale anche per i vecchi clienti?
        Che cosa devo fare se un pacco va perso?
        Quanto dura il periodo di prova?
        Chi è responsabile della protezione dei dati?
        Le fatture vanno inviate su carta?
        E per chi lavora a tempo parziale?
        Il rilascio è stato spostato a maggio?
        Qual è il termine di preavviso?
        Come vengono registrati gli straordinari?""",
}
CASES = [(name, line.strip()) for name, lines in QUESTIONS.items() for line in lines.splitlines()]


def test_short_questions_are_told_apart_and_hardly_ever_mistaken() -> None:
    assert len(CASES) == 120
    given = [(name, language(text)) for name, text in CASES]
    assert sum(found == name for name, found in given) >= 0.95 * len(CASES)
    assert sum(found not in (name, None) for name, found in given) <= 0.01 * len(CASES)


def test_the_language_does_not_hang_on_capitals_or_space() -> None:
    for name, text in CASES[::7]:
        assert language(f"  {text.upper()}\n") in (name, language(text))


@pytest.mark.parametrize("text", ["", "???", "A4", "12.50", "Brennholt", "PostDesk 4.2", "\ud800", "🙂"])
def test_what_has_no_words_of_a_language_has_none(text: str) -> None:
    assert language(text) is None


def test_other_scripts_are_told_by_their_letters() -> None:
    assert language("Сколько дней отпуска мне положено в этом году?") in ("ru", "uk")
    assert language("年次有給休暇は何日ありますか。") == "ja"
    assert language("Πόσες ημέρες άδειας δικαιούμαι;") == "el"


def test_a_long_text_costs_no_more_than_its_beginning() -> None:
    text = "How many days of leave do I get? "
    assert language(text * 240) == language((text * 240)[:2_000]) == "en"


DOCUMENTS = {
    "en": "Each employee gets 28 days of leave a year. The request is handed to the team lead.",
    "de": "Jede Mitarbeiterin erhält 28 Urlaubstage. Der Antrag wird bei der Teamleitung gestellt.",
    "fr": "Chaque salarié dispose de 28 jours de congés. La demande est déposée auprès du responsable.",
    "es": "Cada empleado tiene derecho a 28 días de vacaciones al año. La solicitud se presenta al jefe.",
    "it": "Ogni dipendente ha diritto a 28 giorni di ferie. La richiesta va presentata al responsabile.",
    "nl": "Iedere medewerker heeft recht op 28 vakantiedagen. De aanvraag wordt bij de teamleider ingediend.",
    "pt": "Cada empregado tem direito a 28 dias de férias. O pedido é entregue ao chefe da equipa.",
    "sv": "Varje anställd har rätt till 28 semesterdagar. Ansökan lämnas till chefen i god tid.",
    "da": "Hver medarbejder har ret til 28 feriedage. Ansøgningen afleveres til chefen i god tid.",
    "fi": "Jokaisella työntekijällä on oikeus 28 lomapäivään. Hakemus jätetään esimiehelle ennen lomaa.",
    "pl": "Każdy pracownik ma prawo do 28 dni urlopu. Wniosek składa się u kierownika przed urlopem.",
    "ru": "Каждый сотрудник имеет право на 28 дней отпуска. Заявление подаётся руководителю.",
    "uk": "Кожен працівник має право на 28 днів відпустки. Заява подається керівнику завчасно.",
    "el": "Κάθε υπάλληλος έχει δικαίωμα σε 28 ημέρες άδειας.",
    "zh": "每位员工每年有二十八天年假。申请须提前三周提交给主管。",
    "ja": "従業員には年に28日の有給休暇があります。申請は三週間前に提出してください。",
    "ko": "모든 직원은 연 28일의 휴가를 받습니다. 신청서는 팀장에게 제출합니다.",
    "tr": "Her çalışanın yılda 28 gün izin hakkı vardır. Başvuru ekip liderine yapılır.",
}
# Each was taken for another language on the way here.
RARE_ENGLISH = """compact memories have flexible capacities
    power supply design using silicon diodes
    sporadic e ionization over lindau harz during last year
    a transistorized l t regulator
    constant frequency oscillators comment on
    a parallel arithmetic unit using a saturated transistor fast carry circuit
    seasonal illumination of a circumpolar earth satellite at its extreme latitude orbit point
    transistor equivalent circuits
    # Finance Processes - [AP](ap.md) - [AR](ar.md) - [Collections](collections.md)
    - [Docs](https://docs.example.com/com/o/de/e) - [Sales](por/a/e/do.md)"""


@pytest.mark.parametrize("code", DOCUMENTS)
def test_the_language_of_two_sentences_is_told(code: str) -> None:
    assert of_document("", DOCUMENTS[code]) == code


@pytest.mark.parametrize("line", [line.strip() for line in RARE_ENGLISH.splitlines()])
def test_an_english_line_of_rare_words_is_no_other_language(line: str) -> None:
    assert of_document("", line) in ("en", None)


def test_a_text_without_words_is_of_no_language() -> None:
    for text in ("", "   \n", "12.50 140 2024", "[]{}();", "x"):
        assert of_document("", text) is None


def test_a_short_text_is_read_with_its_title() -> None:
    assert of_document("", "28") is None
    assert of_document("Wie die Urlaubstage der Mitarbeiter berechnet werden", "28") == "de"
    long = DOCUMENTS["fr"] * 5
    assert of_document("Wie die Urlaubstage der Mitarbeiter berechnet werden", long) == "fr"


def test_most_of_a_long_text_decides() -> None:
    licence = DOCUMENTS["en"] * 12
    assert of_document("", licence + DOCUMENTS["de"] * 100) == "de"


@given(st.text(max_size=300), st.text(max_size=30))
def test_the_same_text_is_told_the_same_language_again(text: str, title: str) -> None:
    assert of_document(title, text) == of_document(title, text)


def test_small_words_alone_tell_what_they_can() -> None:
    assert told("Wie lange ist die Kündigungsfrist?") == "de"
    assert told("Kündigungsfrist") in ("de", None)
    assert told("VPN") is None
