"""``eval run --judge``: what a model thinks of the answers, as advice beside the figures."""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragflow.cli.eval_names import chosen_system
from ragflow.cli.eval_tables import aligned, figure, left_out
from ragflow.cli.options import unicode_only
from ragflow.terminal import wrapped

if TYPE_CHECKING:
    from evals.results import EvalRun
    from ragflow.config import Config

Json = Mapping[str, Any]

Url = Annotated[
    str | None,
    typer.Option(
        "--judge",
        metavar="URL",
        callback=unicode_only,
        help="An OpenAI-compatible server that judges answers; it is sent questions, answers and passages.",
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--judge-model", metavar="NAME", callback=unicode_only, help="The model that it is asked for."
    ),
]
KeyVariable = Annotated[
    str | None,
    typer.Option(
        "--judge-key-env", metavar="VARIABLE", callback=unicode_only, help="The variable that holds its key."
    ),
]


def key_of(url: str | None, model: str | None, variable: str | None) -> str | None:
    """Return the judge's key; None where it needs none. Called before anything is asked.

    Raises:
        UsageError: one of the two flags stands alone, or the variable is not set.
        ExtraMissing: there is a judge, and what its metrics come from is not installed.
    """
    from ragflow.errors import UsageError

    hint = "ragflow eval run DATASET --judge http://127.0.0.1:8080/v1 --judge-model NAME"
    if (url is None) != (model is None):
        raise UsageError("--judge and --judge-model go together", hint=hint)
    if url is not None:
        from evals.ragas_metrics import imported

        imported()
    if variable is None:
        return None
    if url is None:
        raise UsageError("--judge-key-env is of no use without --judge", hint=hint)
    # The name stands on the command line and the secret does not; no setting holds either.
    key = os.environ.get(variable)
    if not key:
        raise UsageError(f"the variable {variable} is not set", hint=f"export {variable}=...")
    return key


def advice(
    config: "Config",
    done: "EvalRun",
    judge: tuple[str, str, str | None],
    progress: Callable[[str, int, int], None],
) -> dict[str, Any]:
    """Let the judge (URL, model, key) judge the answers of a run, and return what to print of it."""
    from evals.judges import Judge, advise
    from ragflow import parts
    from ragflow.eval_json import plain

    url, model, key = judge
    system = chosen_system(done, None)
    asked = Judge(url, model, api_key=key, embedder=parts.embedder(config))
    found = advise(asked, done, system=system, progress=lambda at, total: progress("judge", at, total))
    return {
        "url": url,
        "model": model,
        "system": system,
        "repeats": asked.repeats,
        "advice": [plain(one) for one in found],
    }


def advised(shown: Json | None, width: int) -> Iterator[str]:
    """Give the lines of a judge's advice: means, spreads, and what was no verdict; none without a judge."""
    if shown is None:
        return
    yield ""
    yield wrapped(
        f"{shown['system']} as {shown['model']} judges it, {shown['repeats']} times a question", width
    )
    rows = [
        [
            one["metric"],
            figure(one["mean"]),
            figure(one["spread"]),
            f"{one['n']:,}",
            str(one["nan"] or ""),
            ", ".join(f"{count} {kind}" for kind, count in one["errors"].items()),
        ]
        for one in shown["advice"]
    ]
    yield from aligned(("advice", "mean", "spread", "n", "NaN", "no verdict"), rows, left=(0, 5))
    yield from left_out({one["metric"]: one for one in shown["advice"]}, width)
    yield "Advice only: no comparison and no gate rests on it."
