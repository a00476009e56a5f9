"""Hits, evidence and scores as JSON and back, without loss: a float that is read again is the same float."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from connectors.documents import Anchor
from indexes.analysis import analyse
from indexes.query import Flag, Found, Hit, Query, Scores
from ragflow.asking import Evidence, SourceScore
from ragflow.passages import Candidate, Scored

Json = Mapping[str, Any]

_PLAIN = (
    "rank", "chunk", "document", "revision", "start", "end", "title", "headings", "link", "modified", "text",
    "score", "unseen", "language", "also", "unopened", "lines",
)  # fmt: skip
_DEFAULTS = {
    field.name: field.default for field in dataclasses.fields(Hit) if field.default is not dataclasses.MISSING
}


def query_json(query: Query) -> dict[str, Any]:
    """Return a query; its readers sorted."""
    return {
        "text": query.text,
        "readers": sorted(query.readers),
        "sources": None if query.sources is None else list(query.sources),
        "k": query.k,
        "system": query.system,
        "merge": query.merge,
    }


def found_json(found: Found) -> dict[str, Any]:
    """Return what a search found, with every field of every hit."""
    return {
        "hits": [_hit_json(hit) for hit in found.hits],
        "generation": found.generation,
        "idf": _pairs(found.idf),
        "rows": found.rows,
        "sources": list(found.sources),
        "language": found.language,
        "idfs": {language: _pairs(idf) for language, idf in found.idfs.items()},
    }


def read_found(shown: Json) -> Found:
    """Return what ``found_json`` was made of."""
    return Found(
        hits=tuple(_read_hit(hit) for hit in shown["hits"]),
        generation=shown["generation"],
        idf=dict(shown["idf"]),
        rows=shown["rows"],
        sources=tuple(shown["sources"]),
        language=shown["language"],
        idfs={language: dict(idf) for language, idf in shown["idfs"].items()},
    )


def anchors_json(anchors: tuple[Anchor, ...]) -> list[list[Any]]:
    """Return anchors as ``[kind, label, start, end]``."""
    return [[anchor.kind, anchor.label, anchor.start, anchor.end] for anchor in anchors]


def read_anchors(shown: list[list[Any]]) -> tuple[Anchor, ...]:
    """Return what ``anchors_json`` was made of."""
    return tuple(Anchor(*anchor) for anchor in shown)


def _hit_json(hit: Hit) -> dict[str, Any]:
    given = {name: getattr(hit, name) for name in _PLAIN}
    kept = {name: value for name, value in given.items() if name not in _DEFAULTS or value != _DEFAULTS[name]}
    scores = hit.scores
    return {
        **kept,
        "anchors": anchors_json(hit.anchors),
        "scores": [scores.lexical, scores.dense, scores.rerank, scores.fused],
        "flags": [[flag.start, flag.end, flag.family] for flag in hit.flags],
    }


def _read_hit(shown: Json) -> Hit:
    fields = dict(shown)
    fields |= {
        name: _tuples(fields[name]) for name in ("headings", "unseen", "also", "lines") if name in fields
    }
    return Hit(
        **{
            **fields,
            "anchors": read_anchors(shown["anchors"]),
            "scores": Scores(*shown["scores"]),
            "flags": tuple(Flag(*flag) for flag in shown["flags"]),
        }
    )


def _tuples(value: Any) -> Any:
    return tuple(_tuples(each) for each in value) if isinstance(value, list | tuple) else value


def evidence_json(evidence: Evidence) -> dict[str, Any]:
    """Return evidence; the wording of a sentence stands in its hit already."""
    ranked = [
        [
            one.candidate.hit, one.candidate.start, one.candidate.end, one.candidate.header,
            one.cosine, one.coverage, one.typed, one.score,
        ]
        for one in evidence.ranked
    ]  # fmt: skip
    return {
        "confidence": evidence.confidence,
        "features": _pairs(evidence.features),
        "ranked": ranked,
        "missing": list(evidence.missing),
    }


def read_evidence(shown: Json, found: Found) -> Evidence:
    """Return what ``evidence_json`` was made of; ``found``: the hits that were weighed."""
    return Evidence(
        confidence=shown["confidence"],
        features=dict(shown["features"]),
        ranked=tuple(_read_scored(row, found) for row in shown["ranked"]),
        missing=tuple(shown["missing"]),
    )


def _read_scored(row: list[Any], found: Found) -> Scored:
    at, start, end, header, cosine, coverage, typed, score = row
    hit = found.hits[at]
    text = hit.text[start:end]
    terms = frozenset(analyse(text, hit.language))
    candidate = Candidate(at, start, end, text, terms, None if header is None else (header[0], header[1]))
    return Scored(candidate, cosine, coverage, typed, score)


def score_json(score: SourceScore) -> list[Any]:
    """Return a source's score as ``[source, probability, features]``."""
    return [score.source, score.probability, _pairs(score.features)]


def read_score(shown: list[Any]) -> SourceScore:
    """Return what ``score_json`` was made of."""
    source, probability, features = shown
    return SourceScore(source, probability, dict(features))


def _pairs(values: Mapping[str, float]) -> list[list[Any]]:
    # Pairs, so that sorted keys do not change an order that people see.
    return [[name, float(value)] for name, value in values.items()]
