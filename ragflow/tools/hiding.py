"""What no model and no record may see: secrets by their value, and what the configuration names."""

from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ragflow.redact import CLOSED, Kind, redact
from ragflow.workflows.contracts import Json

if TYPE_CHECKING:
    from ragflow.config import Config

_SHORTEST = 4  # a shorter value stands in any text, and would make all of it unreadable


@dataclass(frozen=True, slots=True)
class Hiding:
    """Takes out of JSON what nobody is to see. Hiding twice is hiding once.

    ``secrets``: values as they stand in the environment; ``kinds``: of ``runs.redact``.
    """

    secrets: tuple[str, ...]
    kinds: tuple[Kind, ...]

    def text(self, text: str) -> str:
        """Return a text without secrets, and without what ``runs.redact`` names."""
        for secret in self.secrets:
            text = text.replace(secret, "[secret]")
        return redact(text, self.kinds)

    def value(self, value: Json, fields: Collection[str] = ()) -> Json:
        """Return JSON with all its texts hidden, and what stands under one of these keys left out."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, (list, tuple)):
            return [self.value(one, fields) for one in value]
        if isinstance(value, dict):
            return {
                self.text(key): CLOSED if key in fields else self.value(inner, fields)
                for key, inner in value.items()
            }
        return value


def hiding(config: "Config") -> Hiding:
    """Return what hides the values of all variables that the configuration names, longest first.

    Read at the moment of use: a variable that is set later is hidden from then on.
    """
    found: set[str] = set()
    for name in named(config):
        value = config.secret(name) or ""
        if len(value) >= _SHORTEST:
            plain = value.encode()
            found |= {value, quote(value, safe=""), b64encode(plain).decode()}
    return Hiding(tuple(sorted(found, key=lambda one: (-len(one), one))), config.runs.redact)


def named(config: "Config") -> tuple[str, ...]:
    """Return the environment variables that any key ending in ``_env`` names, sorted."""
    sections: dict[str, Any] = {
        name: [one.model_dump() for one in part.values()]
        for name, part in (("tools", config.tools), ("models", config.models), ("sources", config.sources))
    }
    single = (config.embed, config.index, config.database, config.telemetry)
    return tuple(sorted(set(_variables([sections, [one.model_dump() for one in single]]))))


def _variables(data: object) -> Iterator[str]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            if isinstance(value, str) and str(key).endswith("_env"):
                yield value
            yield from _variables(value)
    elif isinstance(data, (list, tuple)):
        for one in data:
            yield from _variables(one)
