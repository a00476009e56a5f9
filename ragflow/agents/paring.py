"""What of a result a model needs to see: words and names; what proves a citation stays in the record."""

from ragflow.workflows.contracts import Json

# Of an answer, with what explains it, and of a search.
_OF = {
    "ragflow.ask/1": ("outcome", "reason", "answer", "citations", "missing", "warnings"),
    "ragflow.search/1": ("hits",),
}
_PLACE = frozenset({"revision", "chunk", "start", "end", "anchors", "score", "scores", "flags"})


def pared(value: Json) -> Json:
    """Return a result without what only a program reads: digests, offsets and scores of our own objects."""
    if isinstance(value, list):
        return [pared(inside) for inside in value]
    if not isinstance(value, dict):
        return value
    schema = value.get("schema")
    kept = _OF.get(schema) if isinstance(schema, str) else None
    if kept is not None:
        value = {key: value[key] for key in kept if key in value}
    elif "document" in value and "revision" in value:
        value = {key: inside for key, inside in value.items() if key not in _PLACE}
    return {key: pared(inside) for key, inside in value.items()}
