"""The rules that decide an answer, as one object with a digest: what a record calls its ``policy``."""

from typing import Any

from ragflow import prompts
from ragflow.config import Config
from ragflow.records import canonical, sha256

_SECTIONS = ("routes", "router", "guards", "answer", "search", "models")


def rules_of(config: Config) -> dict[str, Any]:
    """Return the sections that decide, what is said of sources, what is redacted, the prompts' digests."""
    sections = {name: _plain(getattr(config, name)) for name in _SECTIONS}
    sources = {name: [one.description, list(one.examples)] for name, one in config.sources.items()}
    return {
        **sections,
        "sources": sources,
        "redact": list(config.runs.redact),
        "prompts": prompts.digests(config.folder),
    }


def _plain(section: Any) -> Any:
    if isinstance(section, dict):
        return {name: _plain(one) for name, one in section.items()}
    if isinstance(section, tuple):
        return [_plain(one) for one in section]
    return section.model_dump(mode="json", by_alias=True)


class Ruling:
    """The rules of one configuration: ``text`` is their canonical JSON, ``digest`` its SHA-256."""

    def __init__(self, config: Config) -> None:
        rules = rules_of(config)
        self.text = canonical(rules)
        self.digest = sha256(rules)
