"""What an evaluation run says of the settings that it was made with."""

from collections.abc import Collection

from ragflow import functions, systems
from ragflow.config import Config
from ragflow.cross_encoders import CrossEncoders
from ragflow.redact import redact
from ragflow.sections import Settings


def described(config: Config, made: Collection[str], encoders: CrossEncoders) -> dict[str, object]:
    """Return the configuration as a plain object without secrets, and what is imported by its digest.

    A CrossEncoder counts by the digest of its files, which may change under the same name.
    """
    settings = Settings(**{name: getattr(config, name) for name in Settings.model_fields})
    plain = {name: _without_secrets(value) for name, value in settings.model_dump(mode="json").items()}
    imported = {name: functions.source_digest(name) for name in made if ":" in name}
    read = encoders.keys(reranked=systems.RERANKED in made)
    found = {"functions": imported, "cross_encoders": read}
    return plain | {name: told for name, told in found.items() if told}


def _without_secrets(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_secrets(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_secrets(each) for each in value]
    return redact(value, ["secret"]) if isinstance(value, str) else value
