"""What an asker may not read changes no output of any command: two workspaces, run side by side."""

import json
import random
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from indexes.build import Chunking
from indexes.embedding import Embedder
from indexes.testing import Planted, World
from ragflow import identity, parts
from ragflow.access_probing import Output, Run
from ragflow.cli import main
from ragflow.cli.access import commands
from ragflow.config import Config, load
from ragflow.sections import Identity

READERS = ("everyone", "group:hr", "group:sales", "user:mia")
SUBJECTS = ("annual leave", "the salary band", "a hotel night", "the laptop", "parental leave")
FACTS = (
    "For {0}, {1} days are granted to each employee of the company.",
    "The limit for {0} is {1} euro, and the team lead must approve more.",
    "{0} was changed on {1} March 2025 by the works council.",
    "Nobody may hand {0} over to a third party without form {1}.",
)
QUESTIONS = (
    "How many days are granted for annual leave?",
    "What is the limit for a hotel night?",
    "When was parental leave changed?",
    "What colour is the moon?",
)
CONFIG = """\
version: 1
sources:
  a: {type: files, path: nowhere, description: Leave and pay, readers: [everyone]}
  b: {type: files, path: nowhere, description: Travel, readers: [everyone]}
  h: {type: files, path: nowhere, description: What the board knows, readers: [everyone]}
routes: [{name: moon, when: {any: [moon]}, sources: [h]}]
"""


def corpus(chance: random.Random) -> list[Planted]:
    """Documents of one to three sentences in three sources; copies of some, under other readers."""
    planted: list[Planted] = []
    for number in range(chance.randint(3, 10)):
        said = [
            chance.choice(FACTS).format(chance.choice(SUBJECTS), chance.choice((5, 28, 140)))
            for _ in range(chance.randint(1, 3))
        ]
        text = " ".join(one[0].upper() + one[1:] for one in said)
        if planted and chance.random() < 0.25:
            text = chance.choice(planted).text
        readers = tuple(sorted(chance.sample(READERS, chance.choice((0, 1, 1, 2)))))
        planted.append(Planted(f"{chance.choice('abh')}/{number}", text, readers))
    return planted


@pytest.fixture(autouse=True)
def _one_embedder(monkeypatch: pytest.MonkeyPatch, embedder: Embedder) -> None:
    monkeypatch.setattr(parts, "embedder", lambda _, **__: embedder)


class Twin:
    """A workspace whose documents are planted, and its command line for one asker."""

    def __init__(self, folder: Path, embedder: Embedder, run: Run) -> None:
        folder.mkdir(parents=True)
        (folder / "ragflow.yaml").write_text(CONFIG)
        self.world = World(folder / ".ragflow", embedder, chunking=Chunking(tokens=200, overlap=40))
        self.config = load(folder / "ragflow.yaml", environ={})
        self._run = run

    def as_(self, readers: Sequence[str], *, auditor: bool = False) -> "Twin":
        """Make these the readers of whoever runs the tests."""
        who = identity.login()
        auditors = (who,) if auditor else ()
        rights = Identity(principals={who: ("user:asker", *readers)}, auditors=auditors)
        self.config = replace(self.config, identity=rights)
        return self

    def __call__(self, *arguments: str, stdin: str = "") -> Output:
        return self._run(self.config, arguments, stdin)


Make = Callable[[str], Twin]


@pytest.fixture
def make(tmp_path: Path, embedder: Embedder) -> Iterator[Make]:
    twins: list[Twin] = []
    opened = []

    def new(name: str) -> Twin:
        running = commands()
        opened.append(running)
        twins.append(Twin(tmp_path / name, embedder, running.__enter__()))
        return twins[-1]

    yield new
    for running in opened:
        running.__exit__(None, None, None)
    for twin in twins:
        twin.world.close()


# -- what may differ -------------------------------------------------------------------------------

_IDS = re.compile(r"\b[gr]-\d{8}T\d{6}-[0-9a-f]{6}\b")
_TIMES = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
_VOLATILE = frozenset(
    "run created timings_ms generation generations parent indexed digest previous ms started_ms latency_ms "
    "steps_ms config_digest exported".split()
)


def bare(value: Any) -> Any:
    """A JSON value without what may differ."""
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if key not in _VOLATILE}
        if isinstance(kept.get("tape"), str):
            del kept["tape"]  # a digest of the moment, too; the tape itself is compared where it is exported
        return {key: bare(each) for key, each in kept.items()}
    return [bare(each) for each in value] if isinstance(value, list) else value


def compared(shown: Output) -> tuple[int, str, str]:
    """An output without what may differ: ids, times, durations."""
    out = shown.out
    if out.startswith("{"):
        out = "\n".join(json.dumps(bare(json.loads(line)), sort_keys=True) for line in out.splitlines())
    return shown.code, *(_TIMES.sub("TIME", _IDS.sub("ID", text)) for text in (out, shown.err))


def outputs(
    twin: Twin, names: Sequence[str], texts: Sequence[str], folder: Path
) -> Iterator[tuple[str, Any]]:
    """Everything that the commands give to the asker of a twin."""
    for text in texts:
        for system in ("hybrid", "lexical", "dense"):
            yield f"search {system}", compared(twin("search", text, "--system", system, "--json"))
        yield "search", compared(twin("search", text))
        for source in ("a", "b", "h", "nil"):
            yield f"search --source {source}", compared(twin("search", text, "--source", source, "--json"))
            yield f"ask --source {source}", compared(twin("ask", text, "--source", source, "--json"))
        yield "route", compared(twin("route", text, "--json"))
        yield "route", compared(twin("route", text))
        yield "ask", compared(twin("ask", text))
        yield "ask --estimate", compared(twin("ask", text, "--estimate", "--json"))
        answer = twin("ask", text, "--explain", "--json")
        yield "ask --explain", compared(answer)
        yield "verify", compared(twin("verify", "last", "--json"))
        yield "verify -", compared(twin("verify", "-", "--json", stdin=answer.out))
        yield "runs show", compared(twin("runs", "show", "last", "--json"))
        yield "runs replay", compared(twin("runs", "replay", "last", "--json"))
        exported = json.dumps(bare(json.loads(twin("runs", "export", "last").out)))
        yield "runs export", _TIMES.sub("TIME", _IDS.sub("ID", exported))
        yield "ask --thread", compared(twin("ask", "And the hotel?", "--thread", "last", "--json"))
    for name in (*names, "a/nil", "h/nil", "nil/nil"):
        for command in (("sources", "show"), ("sources", "text"), ("access", "explain")):
            yield f"{' '.join(command)} {name}", compared(twin(*command, name))
        yield f"sources show {name}", compared(twin("sources", "show", name, "--json"))
        yield f"sources text {name}", compared(twin("sources", "text", f"{name}@{'0' * 12}"))
    for command in (("sources", "list"), ("runs", "list"), ("eval", "list"), ("sources", "failures")):
        yield " ".join(command), compared(twin(*command, "--json"))
    live = [
        one for one in map(json.loads, twin("generations", "list", "--json").out.splitlines()) if one["live"]
    ]
    yield "generations list", bare(live)
    differing = bare(json.loads(twin("generations", "diff", "--json").out))
    yield "generations diff", differing if "a" not in differing else {**differing, "a": None, "b": None}
    asked = [{"id": str(at), "question": text} for at, text in enumerate(texts)]
    asked += [{"id": name, "question": texts[0], "documents": [name]} for name in names]
    (folder / "q.jsonl").write_text("".join(json.dumps(one) + "\n" for one in asked))
    evaluated = ("eval", "run", str(folder / "q.jsonl"), "--systems", "bm25,lexical,dense,hybrid", "--json")
    yield "eval run", compared(twin(*evaluated))
    for arguments in ((), *(("--question", one["id"]) for one in asked)):
        yield "eval show", compared(twin("eval", "show", "last", *arguments, "--json"))


@pytest.mark.parametrize("part", range(2))
def test_hidden_documents_change_no_output_of_any_command(
    tmp_path: Path, make: Make, rounds: Callable[..., int], part: int
) -> None:
    compared_all = 0
    number = 0
    while compared_all < rounds(fast=2, soak=40):
        number += 1
        chance = random.Random(part * 1_000 + number)
        planted = corpus(chance)
        asker = tuple(sorted(chance.sample(READERS, chance.choice((1, 2)))))
        mine = [one for one in planted if {*asker, "everyone"}.intersection(one.readers)]
        cut = chance.randint(1, len(planted))
        early = [one for one in planted[:cut] if one in mine]
        if mine == planted or not early or early == mine:
            # Without any chunk of one's own: exit 3 in one, pinned, and 6 in the other. Without anything
            # that came later: another number of generations, which is the operator's to know.
            continue
        whole, alone = make(f"whole-{number}").as_(asker), make(f"alone-{number}").as_(asker)
        whole.world.sync(planted[:cut])
        whole.world.sync(planted)
        alone.world.sync(early)
        alone.world.sync(mine)
        names = [one.name for one in planted]
        texts = chance.sample(QUESTIONS, 2)
        pairs = zip(*(outputs(one, names, texts, tmp_path) for one in (whole, alone)), strict=True)
        for (name, a), (_, b) in pairs:
            assert a == b, (number, name, asker)
        compared_all += 1


def test_an_auditor_sees_of_others_what_an_index_without_the_hidden_would_show(make: Make) -> None:
    leave = Planted("a/1", "Annual leave is 28 days.")
    board = Planted("h/1", "The board meets in May.", ("group:hr",))
    seen = []
    for planted in ([leave, board], [leave]):
        twin = make(f"audited-{len(planted)}")
        twin.world.sync(planted)
        twin.as_(("group:sales",))("ask", "How long is annual leave?")
        if board in planted:  # this one names what the auditor may not read
            twin.as_(("group:hr",))("ask", "When does the board meet?", "--explain")
        twin.config = replace(twin.config, identity=Identity(auditors=(identity.login(),)))
        shown = twin("runs", "list", "--json")
        assert len(shown.out.splitlines()) == 1
        seen.append(compared(shown))
    assert seen[0] == seen[1]


# -- revoked ---------------------------------------------------------------------------------------


def test_what_was_revoked_is_gone_from_every_output_of_an_open_process(tmp_path: Path, make: Make) -> None:
    twin = make("revoked").as_(("group:hr",))
    told = "The zanzibar allowance is granted to each employee who sails on Fridays."
    kept = Planted("a/kept", "Annual leave is 28 days for each employee.", ("group:hr", "group:sales"))
    twin.world.sync([kept, Planted("h/zanzibar", told, ("group:hr",))])
    text = "Who is granted the allowance?"
    answer = twin("ask", text, "--explain", "--json")
    shown = json.loads(answer.out)
    assert "h/zanzibar" in answer.out
    related = json.loads(twin("ask", "How many days is annual leave?", "--json").out)
    (tmp_path / "q.jsonl").write_text(json.dumps({"id": "q", "question": text}) + "\n")
    evaluated = json.loads(twin("eval", "run", str(tmp_path / "q.jsonl"), "--json").out)["run"]
    page = tmp_path / "report.html"

    def everything() -> Iterator[tuple[str, Output]]:
        for system in ("hybrid", "lexical", "dense"):
            yield system, twin("search", text, "--system", system, "--json")
        for run in (shown["run"], related["run"]):
            yield "runs show", twin("runs", "show", run)
            yield "verify", twin("verify", run, "--json")
            yield "thread", twin("ask", "And then?", "--thread", run, "--json")
        yield "verify -", twin("verify", "-", "--json", stdin=answer.out)
        yield "ask", twin("ask", text, "--explain", "--json")
        yield "route", twin("route", text, "--json")
        for command in (("sources", "list"), ("runs", "list"), ("eval", "list"), ("generations", "diff")):
            yield " ".join(command), twin(*command, "--json")
        yield "eval show", twin("eval", "show", evaluated, "--json")
        yield "eval show -q", twin("eval", "show", evaluated, "--question", "q", "--json")
        made = twin("eval", "report", evaluated, "-o", str(page), "--force")
        yield "eval report", replace(made, out=made.out + page.read_text())

    assert any("zanzibar" in one.out for _, one in everything())
    for readers in (("group:board",), ()):
        twin.world.sync([kept, Planted("h/zanzibar", told, readers)])
        for name, one in everything():
            assert "zanzibar" not in f"{one.out}{one.err}".casefold(), (readers, name)
        assert twin("sources", "show", "h/zanzibar").code == 6
        assert twin("sources", "text", "h/zanzibar").code == 6
        assert json.loads(twin("sources", "list", "--json").out)["source"] == "a"
        assert twin("search", text, "--source", "h").code == 2
        (live,) = [
            one
            for one in map(json.loads, twin("generations", "list", "--json").out.splitlines())
            if one["live"]
        ]
        assert (live["documents"], live["chunks"]) == (1, 1)
    twin.world.sync([kept, Planted("h/zanzibar", told, ("group:hr",))])
    assert "zanzibar" in twin("runs", "show", shown["run"]).out  # given back, and so is the record


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE acls SET readers = '[\"group:hr\"'",
        "UPDATE acls SET readers = '\"group:hr\"'",
        "UPDATE acls SET readers = '{\"group:hr\": 1}'",
        "UPDATE acls SET readers = '[[\"group:hr\"]]'",
        "UPDATE acls SET readers = x'5b'",
        "DELETE FROM acls",
        "UPDATE documents SET acl = 77",
        "UPDATE documents SET acl = 'group:hr'",
        "UPDATE documents SET acl = -1",
    ],
)
def test_access_that_is_damaged_or_missing_is_nobodys(make: Make, damage: str) -> None:
    twin = make("damaged").as_(("group:hr",))
    twin.world.sync([Planted("a/1", "Annual leave is 28 days.", ("group:hr",))])
    ask = ("ask", "How long is annual leave?", "--json")
    run = json.loads(twin(*ask).out)["run"]
    assert twin("sources", "text", "a/1").out == "Annual leave is 28 days."
    store = sqlite3.connect(twin.config.workspace / "store.sqlite")
    with store:
        store.execute("PRAGMA foreign_keys = OFF")
        store.execute(damage)
        store.execute("UPDATE meta SET value = value + 1 WHERE key = 'epoch'")
    store.close()
    for command in (
        ask,
        ("search", "leave"),
        ("route", "leave"),
        ("sources", "list"),
        ("runs", "list", "--json"),
    ):
        shown = twin(*command)
        assert shown.code in (0, 6), (command, shown)
        assert "28 days" not in shown.out
        assert "a/1" not in shown.out
    for command in (
        ("sources", "show", "a/1"),
        ("sources", "text", "a/1"),
        ("runs", "show", run),
        ("verify", run),
    ):
        assert twin(*command).code == 6
    assert json.loads(twin("generations", "list", "--json").out)["documents"] == 0
    # The next sync gives it its readers again.
    if not damage.startswith("UPDATE documents"):
        twin.world.sync([Planted("a/1", "Annual leave is 28 days.", ("group:hr",))])
        assert twin("sources", "text", "a/1").code == 0


def test_configurations_of_evaluations_name_no_hidden_source(tmp_path: Path, make: Make) -> None:
    twin = make("configured").as_(())
    twin.world.sync([Planted("a/1", "Annual leave is 28 days.")])
    (tmp_path / "q.jsonl").write_text(json.dumps({"id": "q", "question": "How long is leave?"}) + "\n")
    assert twin("eval", "run", str(tmp_path / "q.jsonl"), "--systems", "lexical").code == 0
    page = tmp_path / "page.html"
    assert twin("eval", "report", "last", "-o", str(page)).code == 0
    assert "board" not in page.read_text()
    may: Config = replace(
        twin.config,
        identity=Identity(principals=twin.config.identity.principals, impersonate=(identity.login(),)),
    )
    twin.config = may
    assert twin("eval", "report", "last", "-o", str(page), "--force").code == 0
    assert "board" in page.read_text()


def test_runs_that_are_not_there_leave_no_gap_and_are_no_ones_last(make: Make) -> None:
    twin = make("gaps").as_(("group:hr",))
    twin.world.sync([Planted("a/1", "Annual leave is 28 days."), Planted("h/1", "The board meets in May.")])
    first = json.loads(twin("ask", "How long is annual leave?", "--source", "a", "--json").out)["run"]
    for _ in range(5):
        twin("ask", "When does the board meet?", "--source", "h", "--json")
    twin.world.sync(
        [Planted("a/1", "Annual leave is 28 days."), Planted("h/1", "The board meets in May.", ())]
    )
    listed = [
        json.loads(line)["run"] for line in twin("runs", "list", "--limit", "2", "--json").out.splitlines()
    ]
    assert listed == [first]
    assert json.loads(twin("runs", "show", "last", "--json").out)["run"] == first
    assert json.loads(twin("verify", "last", "--json").out)["run"] == first


def test_records_of_the_operator_are_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "board.md").write_text("# Board\n\nThe board meets in May.\n")
    config = "version: 1\nsources:\n  hr: {type: files, path: docs, readers: [group:hr]}\n"
    login = identity.login()

    def code(*arguments: str, rights: str = "{}") -> int:
        (tmp_path / "ragflow.yaml").write_text(f"{config}identity: {rights}\n")
        capsys.readouterr()
        return main(["-C", str(tmp_path), *arguments])

    assert code("index", "--json") == 0
    run = json.loads(capsys.readouterr().out)["run"]
    assert code("runs", "show", run) == code("verify", run) == code("runs", "show", "last") == 0
    may = f"{{impersonate: [{login}]}}"
    assert code("runs", "show", run, "--as", "group:hr", rights=may) == 6
    assert code("verify", run, "--as", "group:hr", rights=may) == 6
    other = f"principals: {{{login}: [user:other, group:hr]}}"
    assert code("runs", "show", run, rights=f"{{{other}}}") == 6
    assert code("runs", "show", run, rights=f"{{{other}, auditors: [{login}]}}") == 6
    assert code("runs", "show", run, rights=f"{{{other}, auditors: [{login}], impersonate: [{login}]}}") == 0
