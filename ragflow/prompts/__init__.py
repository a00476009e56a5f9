"""Prompts are files: wording lives here, rules never do. A prompt is known by name and digest."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ragflow.errors import ConfigError

SHIPPED = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class PromptFile:
    """A prompt's wording. ``digest``: SHA-256 of its bytes, 64 hex."""

    name: str
    text: str
    digest: str


def texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Give name and wording of every prompt that is shipped or lies in ``<folder>/prompts/``."""
    for place in (SHIPPED, folder / "prompts"):
        for file in sorted(place.glob("*.md")):
            yield file.name, file.read_bytes().decode(errors="replace")


def digests(folder: Path) -> dict[str, str]:
    """Return the digest of every prompt, by name: that of the folder's own where there is one."""
    found: dict[str, str] = {}
    for place in (SHIPPED, folder / "prompts"):
        for file in sorted(place.glob("*.md")):
            found[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found


def load(name: str, folder: Path) -> PromptFile:
    """Read a prompt: ``<folder>/prompts/<name>`` if it is there, else the one that is shipped.

    Raises:
        ConfigError: there is none of that name, or it is no UTF-8 text.
    """
    if Path(name).name != name or not name.endswith(".md"):
        raise ConfigError(f'"{name}" cannot name a prompt: write the name of a .md file, without a folder')
    for place in (folder / "prompts", SHIPPED):
        try:
            raw = (place / name).read_bytes()
        except FileNotFoundError:
            continue
        try:
            return PromptFile(name, raw.decode(), hashlib.sha256(raw).hexdigest())
        except UnicodeDecodeError as error:
            raise ConfigError(f"{place / name} is not UTF-8 text") from error
    raise ConfigError(f"there is no prompt {name}", hint=f"put it into {folder / 'prompts'}")
