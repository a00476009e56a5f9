"""``ragflow access test``: every output, through the eyes of every asker, searched for canaries.

An output fails where it shows a word of a canary that the asker may not read, counts it, or tells it apart
from one that was never there; and where it does not show one that may be read, for then it proves nothing.
"""

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from indexes.embedding import Embedder
from ragflow import identity
from ragflow.access_trials import Canary, Trials, copied, plant, question, trials, word
from ragflow.config import Config
from ragflow.sections import Identity

SCHEMA = "ragflow.access_test/1"
OWNER, AUDITOR = "user:canary-owner", "user:canary-auditor"
_VOLATILE = ("run", "created", "timings_ms", "generation")
_NO_RUN = "r-20000101T000000-000000"

Progress = Callable[[str, int, int], None]
"""(what, done, total)."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a command gave."""

    code: int
    out: str
    err: str = ""


Run = Callable[[Config, Sequence[str], str], Output]
"""(configuration, arguments, stdin) -> what the command line gives."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An output that failed. ``what``: shown, counted, told_apart, or not_found (which proves nothing)."""

    output: str
    readers: tuple[str, ...]
    canary: str
    what: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What was tried and what failed."""

    chosen: Trials
    outputs: int
    failures: tuple[Failure, ...]

    @property
    def exit_code(self) -> int:
        """8 where anything failed, else 0."""
        return 8 if self.failures else 0

    def to_json(self) -> dict[str, Any]:
        """Return the object ``ragflow.access_test/1``."""
        return {
            "schema": SCHEMA,
            "status": "failed" if self.failures else "passed",
            "canaries": len(self.chosen.canaries),
            "sets": [list(one) for one in dict.fromkeys(each.readers for each in self.chosen.canaries)],
            "askers": [list(one) for one in self.chosen.askers],
            "left_out": self.chosen.left_out,
            "outputs": self.outputs,
            "failures": [
                {
                    "output": one.output,
                    "readers": list(one.readers),
                    "canary": one.canary,
                    "what": one.what,
                }
                for one in self.failures
            ],
        }


@dataclass(frozen=True, slots=True)
class _Probe:
    """A command. ``given``: what the asker wrote in it, which it may repeat.

    ``absent``: what to write instead of what, so that the command is about something that never was.
    ``must``: where the asker may read the canary, the output must show it.
    """

    name: str
    arguments: tuple[str, ...]
    stdin: str = ""
    given: tuple[str, ...] = ()
    absent: Mapping[str, str] | None = None
    must: bool = False


def tried(
    config: Config, embedder: Embedder, run: Run, *, limit: int, progress: Progress = lambda *_: None
) -> Findings:
    """Plant canaries into a copy of the workspace and look for them in every output.

    Raises ``RagflowError``: NoGeneration, WeightsMismatch, ConfigError (the table of groups), DiskFull.
    """
    chance = random.Random()  # noqa: S311 - names, no secrets
    chosen = trials(config, limit=limit, chance=chance)
    with copied(config, chosen) as copy:
        probing = _Probing(copy, chosen, run, chance)
        plant(copy, replace(chosen, canaries=()), embedder)  # what waits to be promoted is
        before = {readers: probing.sizes(readers) for readers in chosen.askers}
        plant(copy, chosen, embedder)
        probing.own()
        for done, readers in enumerate(chosen.askers):
            progress("askers", done, len(chosen.askers))
            probing.look(readers, before[readers])
        progress("askers", len(chosen.askers), len(chosen.askers))
    return Findings(chosen, probing.outputs, tuple(dict.fromkeys(probing.failures)))


class _Probing:
    """Runs the commands of one copy for one asker after the other."""

    def __init__(self, config: Config, chosen: Trials, run: Run, chance: random.Random) -> None:
        self._config = config
        self._chosen = chosen
        self._run = run
        self._never = {name: word(chance) for name in ("mark", "probe", "source")}
        self._owned: dict[Canary, Mapping[str, Any]] = {}
        self._evaluated = ""
        self.failures: list[Failure] = []
        self.outputs = 0

    def sizes(self, readers: tuple[str, ...]) -> dict[str, tuple[int, int]]:
        """Return documents and chunks by source, and under "" those of the live generation."""
        shown = self._as(readers, ("sources", "list", "--json"))
        found = {one["source"]: (one["documents"], one["chunks"]) for one in _lines(shown.out)}
        kept = self._as(readers, ("generations", "list", "--json"))
        live = [(one["documents"], one["chunks"]) for one in _lines(kept.out) if one["live"]]
        return {**found, "": live[0] if live else (0, 0)}

    def own(self) -> None:
        """Ask for every canary as somebody who may read it, and evaluate: others look at the records."""
        everybody = tuple(sorted({reader for one in self._chosen.canaries for reader in one.readers}))
        for canary in self._chosen.canaries:
            if canary.readers:
                shown = self._as(everybody, ("ask", question(canary.probe), "--explain", "--json"))
                self._owned[canary] = json.loads(shown.out)
        asked = [
            {"id": str(at), "question": question(one.probe)} for at, one in enumerate(self._chosen.canaries)
        ]
        self._questions.write_text("".join(json.dumps(one) + "\n" for one in asked))
        self._evaluated = json.loads(self._as(everybody, self._evaluating()).out).get("run", "")

    def look(self, readers: tuple[str, ...], before: Mapping[str, tuple[int, int]]) -> None:
        """Run every command for one asker."""
        hidden = [one for one in self._chosen.canaries if not one.open_to(readers)]
        self._counts(readers, before)
        for probe in self._general():
            self._judge(probe, self._as(readers, probe.arguments, probe.stdin), readers, hidden)
        for probe in self._recorded():
            shown = self._as(readers, probe.arguments, probe.stdin, auditor=True)
            self._judge(probe, shown, readers, hidden)
        for canary in self._chosen.canaries:
            for probe in self._aimed(canary):
                shown = self._as(readers, probe.arguments, probe.stdin)
                self._judge(probe, shown, readers, hidden)
                self._aimed_at(probe, shown, readers, canary)

    # -- commands --------------------------------------------------------------------------------

    def _general(self) -> Iterator[_Probe]:
        """Yield what is about no canary at all."""
        for arguments in (
            ("sources", "list"),
            ("sources", "failures"),
            ("generations", "list"),
            ("generations", "diff"),
            ("eval", "list"),
        ):
            for flags in ((), ("--json",)):
                yield _Probe(" ".join(arguments), (*arguments, *flags))
        given = tuple(one.probe for one in self._chosen.canaries)
        yield _Probe("runs list", ("runs", "list", "--limit", "1000", "--json"), given=given)
        yield _Probe("eval run", self._evaluating(), given=given)
        yield from self._recorded(own=True)

    def _recorded(self, *, own: bool = False) -> Iterator[_Probe]:
        """Yield what shows evaluations and runs, the asker's own (``last``) or those of others."""
        evaluated = "last" if own else self._evaluated
        given = tuple(one.probe for one in self._chosen.canaries)
        yield _Probe("eval show", ("eval", "show", evaluated, "--json"), given=given)
        for at in range(len(self._chosen.canaries)):
            show = ("eval", "show", evaluated, "--question", str(at), "--json")
            yield _Probe("eval show --question", show, given=given)
        report = ("eval", "report", evaluated, "-o", str(self._page), "--force")
        yield _Probe("eval report", report, given=given)
        if not own:
            yield _Probe(
                "runs list of an auditor", ("runs", "list", "--limit", "1000", "--json"), given=given
            )
            for canary, answer in self._owned.items():
                yield _Probe(
                    "runs show of an auditor", ("runs", "show", answer["run"]), given=(canary.probe,)
                )
                yield _Probe("verify of an auditor", ("verify", answer["run"]))

    def _aimed(self, one: Canary) -> Iterator[_Probe]:
        """Yield what is about one canary, by its probe, its name, its source, and what was asked of it."""
        asked, given = question(one.probe), (one.probe,)
        never = {one.probe: self._never["probe"]}
        for system in ("hybrid", "lexical", "dense"):
            arguments = ("search", asked, "--system", system, "--json")
            absent = never if system == "lexical" else None  # a vector of other words is another vector
            yield _Probe(f"search --system {system}", arguments, "", given, absent, must=system != "dense")
        yield _Probe("search", ("search", asked), given=given, must=True)
        yield _Probe("ask --explain", ("ask", asked, "--explain", "--json"), given=given, must=True)
        yield _Probe("ask", ("ask", asked), given=given)
        yield _Probe("route", ("route", asked, "--json"), given=given)
        named, nobody = (one.document, one.mark), {one.mark: self._never["mark"]}
        yield _Probe("sources show", ("sources", "show", one.document), "", named, nobody, must=True)
        yield _Probe("sources text", ("sources", "text", one.document), "", named, nobody, must=True)
        yield _Probe("access explain", ("access", "explain", one.document), "", named, nobody)
        if one.source not in self._chosen.sources:
            narrow = ("search", "log", "--source", one.source, "--system", "lexical")
            yield _Probe(
                "search --source", narrow, "", (one.source,), {one.source: f"canary-{self._never['source']}"}
            )
        if one in self._owned:
            answer = self._owned[one]
            absent = {answer["run"]: _NO_RUN}
            yield _Probe("runs show", ("runs", "show", answer["run"], "--json"), "", given, absent)
            yield _Probe("verify", ("verify", answer["run"]), "", (), absent)
            yield _Probe("ask --thread", ("ask", "And then?", "--thread", answer["run"]), "", given, absent)
            yield _Probe("verify -", ("verify", "-"), json.dumps(answer), given)

    def _evaluating(self) -> tuple[str, ...]:
        return ("eval", "run", str(self._questions), "--systems", "lexical,dense,hybrid", "--json")

    @property
    def _questions(self) -> Path:
        return self._config.folder / "questions.jsonl"

    @property
    def _page(self) -> Path:
        return self._config.folder / "report.html"

    def _as(
        self, readers: Sequence[str], arguments: Sequence[str], stdin: str = "", *, auditor: bool = False
    ) -> Output:
        who = identity.login()
        actor = AUDITOR if auditor else OWNER
        rights = Identity(principals={who: (actor, *readers)}, auditors=(who,) if auditor else ())
        self._page.unlink(missing_ok=True)
        shown = self._run(replace(self._config, identity=rights), arguments, stdin)
        self.outputs += 1
        return replace(shown, out=shown.out + self._page.read_text()) if self._page.exists() else shown

    # -- judging ---------------------------------------------------------------------------------

    def _judge(
        self, probe: _Probe, shown: Output, readers: tuple[str, ...], hidden: Sequence[Canary]
    ) -> None:
        text = f"{shown.out}\n{shown.err}".casefold()
        for given in probe.given:
            text = text.replace(given, "")
        for one in hidden:
            own = () if one.source in self._chosen.sources else (one.source,)
            if any(each in text for each in (one.mark, one.secret, one.probe, *own)):
                self._fail(probe.name, readers, one, "shown")

    def _aimed_at(self, probe: _Probe, shown: Output, readers: tuple[str, ...], one: Canary) -> None:
        if one.open_to(readers):
            text = f"{shown.out}\n{shown.err}"
            if probe.must and one.mark not in text and one.secret not in text:
                self._fail(probe.name, readers, one, "not_found")
        elif probe.absent is not None:
            arguments = tuple(_replaced(each, probe.absent) for each in probe.arguments)
            never = self._as(readers, arguments, probe.stdin)
            if _comparable(shown, probe.absent) != _comparable(never, {}):
                self._fail(probe.name, readers, one, "told_apart")

    def _counts(self, readers: tuple[str, ...], before: Mapping[str, tuple[int, int]]) -> None:
        """Hold documents and chunks against those before, and what the two generations differ in."""
        mine = [one for one in self._chosen.canaries if one.open_to(readers)]
        now = self.sizes(readers)
        for name in {*before, *now, *(one.source for one in self._chosen.canaries)}:
            more = sum(not name or one.source == name for one in mine)
            documents, chunks = before.get(name, (0, 0))
            if now.get(name, (0, 0)) != (documents + more, chunks + more):
                output = "sources list" if name else "generations list"
                self.failures.append(Failure(output, readers, name, "counted"))
        compared = self._as(readers, ("generations", "diff", "--json"))
        added = json.loads(compared.out).get("added", []) if compared.code == 0 else []
        if set(added) != {one.document for one in mine}:
            self.failures.append(Failure("generations diff", readers, "", "counted"))

    def _fail(self, output: str, readers: tuple[str, ...], one: Canary, what: str) -> None:
        self.failures.append(Failure(output, readers, one.document, what))


def _lines(text: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [one for one in found if "error" not in one]


def _replaced(text: str, words: Mapping[str, str]) -> str:
    for old, new in words.items():
        text = text.replace(old, new)
    return text


def _comparable(shown: Output, words: Mapping[str, str]) -> tuple[int, str, str]:
    """Return an output as it must be the same for what is hidden and what never was."""
    out = _replaced(shown.out, words)
    if out.startswith("{"):
        out = "\n".join(
            json.dumps({key: value for key, value in json.loads(line).items() if key not in _VOLATILE})
            for line in out.splitlines()
        )
    return shown.code, out, _replaced(shown.err, words)
