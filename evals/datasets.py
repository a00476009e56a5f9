"""A path -> the cases to evaluate: what is read, and which of it is asked."""

import random
from dataclasses import replace
from pathlib import Path

from evals import beir, questions
from evals.cases import Dataset
from evals.lines import invalid, unreadable

_SUFFIXES = frozenset({".jsonl", ".yaml", ".yml"})


def load(path: Path, *, split: str = "test") -> Dataset:
    """Read a BEIR folder (one with ``corpus.jsonl``) or a question file (``.jsonl``, ``.yaml``, ``.yml``).

    ``split`` names the judgements of a BEIR folder, ``qrels/<split>.tsv``; a question file has none.

    Raises:
        DatasetInvalid: it is neither, or a line of it is wrong; the message begins with ``name:LINE:``.
    """
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except OSError as error:
        raise unreadable(path.name, error) from error
    if is_folder:
        if not (path / "corpus.jsonl").is_file():
            what = "a folder without corpus.jsonl is no BEIR collection"
            raise invalid(
                f"{path.name}:1", what, "name a BEIR folder, or a .jsonl or .yaml file of questions"
            )
        return beir.read(path, split=split)
    if is_there and path.suffix.lower() not in _SUFFIXES:
        what = f'"{path.suffix or path.name}" is no kind of question file'
        raise invalid(f"{path.name}:1", what, "write questions as .jsonl, .yaml or .yml")
    return questions.read(path)


def sample(dataset: Dataset, *, fold: int | None, limit: int | None, seed: int | None) -> Dataset:
    """Return the data set with fewer cases, in file order; digest, path and notes stay.

    First the cases of ``fold`` (0 or 1) are kept, then ``limit`` of them drawn at random: the same ones
    each time for the same ``seed``, None being 0. A limit that is not reached draws all. Cases that are
    not reviewed count for no limit and stay, so that the run can say that they were not asked.
    """
    cases = [case for case in dataset.cases if fold is None or case.fold == fold]
    if limit is not None:
        reviewed = [case.id for case in cases if case.reviewed]
        drawn = set(random.Random(seed or 0).sample(reviewed, min(limit, len(reviewed))))  # noqa: S311
        cases = [case for case in cases if not case.reviewed or case.id in drawn]
    return replace(dataset, cases=tuple(cases))
