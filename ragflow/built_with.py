"""What of the configuration a generation depends on."""

from typing import Any

from ragflow.config import Config


def settings_of(config: Config) -> dict[str, Any]:
    """Return what of the configuration a generation depends on, as a plain object for its manifest."""
    from connectors.parsing import second

    # Told only where it is used: else every generation of before would count as made by another setting.
    chosen = {name: second.chosen(source.parser) for name, source in config.sources.items()}
    parsers = {name: second.second_key(formats)[2:] for name, formats in chosen.items() if formats}
    return {
        "chunk": config.chunk.model_dump(mode="json"),
        "embed": config.embed.own(),
        "parse": {
            "ocr": config.parse.ocr,
            "hidden_text": config.parse.hidden_text,
            **({"unstructured": parsers} if parsers else {}),
        },
    }
