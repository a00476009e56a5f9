"""What a connector remembers of its last listing: fingerprints and the server's time, never text."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from connectors.errors import SourceUnavailable

VERSION = 1
_FILE = "listing.json"


@dataclass(frozen=True, slots=True)
class Remembered:
    """A complete listing.

    ``watermark``: nothing that changed before it is unknown. ``turns``: listings since the last full one.
    """

    fingerprints: Mapping[str, str]
    watermark: datetime
    turns: int


def load(folder: Path, digest: str) -> Remembered | None:
    """Return what was remembered under the same configuration; None where nothing can be used."""
    try:
        data = json.loads((folder / _FILE).read_bytes())
        if (data["version"], data["digest"]) != (VERSION, digest):
            return None
        remembered = Remembered(
            data["fingerprints"], datetime.fromisoformat(data["watermark"]), data["turns"]
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        # Absent, damaged, of another program: the full listing says the same.
        return None
    named = remembered.fingerprints
    whole = isinstance(named, dict) and all(isinstance(value, str) for value in named.values())
    timed = remembered.watermark.tzinfo is not None and isinstance(remembered.turns, int)
    return remembered if whole and timed else None


def save(folder: Path, digest: str, remembered: Remembered) -> None:
    """Replace what is remembered, whole or not at all. Raises ``SourceUnavailable``: the disk fails."""
    data = {
        "version": VERSION,
        "digest": digest,
        "watermark": remembered.watermark.isoformat(),
        "turns": remembered.turns,
        "fingerprints": remembered.fingerprints,
    }
    beside = folder / f".{_FILE}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with beside.open("w", encoding="utf-8") as file:
            json.dump(data, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(folder / _FILE)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise SourceUnavailable(
            f"cannot keep what was listed in {folder}: {error.strerror}", hint="check the disk"
        ) from error
