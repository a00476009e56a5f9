"""Which language a question is in: told for short questions, and never guessed."""

import pytest

from indexes.languages import language

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
