"""A model that fails: python benchmarks/failures.py [--share 0.3] [--questions N].

The example company is indexed into a temporary folder. Its questions are asked of a scripted model on
loopback that answers honestly, but fails in one way at a share of the calls, chosen at random with a fixed
seed; then in the next way. Every question must end in a typed outcome within its time limit, every shown
quote must stand at its place, and what is shown without a model must be as proven as what is shown with one.
Prints a line for each way: outcomes, who answered, the slowest question. Exits 1 where one did not hold.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "servers"))

from obedient_model import ObedientModel
from scripted_server import (
    Reply,
    ScriptedServer,
    chosen,
    content_filter,
    dripping,
    garbage,
    half,
    hang_up,
    large,
    slow,
    status,
    text,
    verdict,
)

import ragflow
from evals.datasets import load
from ragflow.answering import AskOptions
from ragflow.answers import Answer
from ragflow.app import App
from ragflow.identity import Asker

EXAMPLE = Path(__file__).parent.parent / "examples" / "northwind"
LIMIT = 10.0  # seconds a question
SLACK = 1.0
TYPED = {"answered", "partial", "conflicting", "not_found", "blocked"}
WAYS: Mapping[str, Callable[[], Reply]] = {
    "429, rate limit": lambda: status(429),
    "500, server error": lambda: status(500),
    "401, key refused": lambda: status(401),
    "400, context too long": lambda: status(400, "the context is too long"),
    "no whole reply in time": lambda: slow(30),
    "byte by byte": lambda: dripping(0.2),
    "connection closed": hang_up,
    "half a stream": half,
    "HTML": garbage,
    "1 MB of JSON": large,
    "schema ignored": lambda: verdict({"answer": "28 days", "source": "trust me"}),
    "content filter": content_filter,
    "refusal": lambda: text("I'm sorry, but I can't help with that."),
    "cut off": lambda: text('{"claims": [{"text": "Employees', finish_reason="length"),
}


def main() -> None:
    """Index, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=0.3)
    parser.add_argument("--questions", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "northwind"
        shutil.copytree(EXAMPLE, work, ignore=shutil.ignore_patterns(".ragflow"))
        with ragflow.open(work) as app:
            app.index()
        cases = load(work / "questions.jsonl").cases[: options.questions]
        held = [trial(work, way, cases, options.share) for way in WAYS]
    sys.exit(0 if all(held) else 1)


def trial(work: Path, way: str, cases: Any, share: float) -> bool:
    """Ask every question of a model that fails in this way; print a line; tell whether all held."""
    chance, honest = random.Random(way), ObedientModel([])
    calls: Counter[bool] = Counter()

    def reply(request: dict[str, Any]) -> Reply:
        fails = chance.random() < share
        calls[fails] += 1
        return WAYS[way]() if fails else honest.reply(request)

    outcomes: Counter[str] = Counter()
    by_model, slowest, broken = 0, 0.0, 0
    with ScriptedServer([chosen(reply)]) as server, opened(work, server.url) as app:
        for case in cases:
            asker = Asker("user:bench", tuple(sorted({"everyone", *(case.readers or ())})), acting=True)
            began = time.perf_counter()
            try:
                answer = app.answer(case.question, asker=asker, options=AskOptions())
            except ragflow.RagflowError as error:
                broken += 1
                print(f"  {case.id}: {type(error).__name__}: {error}")
                continue
            took = time.perf_counter() - began
            slowest = max(slowest, took)
            outcomes[answer.outcome] += 1
            by_model += answer.model is not None
            broken += answer.outcome not in TYPED or took > LIMIT + SLACK or not proven(app, answer)
    print(
        f"{way:24} {len(cases)} questions, {calls[True]:3} of {calls.total():3} calls failed: "
        f"{dict(sorted(outcomes.items()))}, {by_model} by the model, slowest {slowest:.1f} s, {broken} broken"
    )
    return not broken


def proven(app: App, answer: Answer) -> bool:
    """Tell whether every claim has a citation, and every quote stands at its place in its revision."""
    return all(claim.citations for claim in answer.claims) and all(
        app.text(f"{one.document}@{one.revision}", readers=list(answer.readers))[one.start : one.end]
        == one.quote
        for one in answer.citations
    )


def opened(work: Path, url: str) -> App:
    """Open the workspace with a tier of two models behind this address, and no memory of failures."""
    settings = yaml.safe_load((EXAMPLE / "ragflow.yaml").read_text(encoding="utf-8"))
    models = [{"model": f"openai/{name}", "api_base": url, "timeout": 2} for name in ("first", "second")]
    settings["models"] = {"small": {"try": models, "retries": 1, "cooldown": 1}}
    settings["answer"] = {"tier": "small", "timeout": LIMIT}
    (work / "ragflow.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    (work / ".ragflow" / "models.sqlite").unlink(missing_ok=True)
    return ragflow.open(work)


if __name__ == "__main__":
    main()
