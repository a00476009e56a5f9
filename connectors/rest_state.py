"""What a connector remembers of its last listing: fingerprints and the server's time, never text."""

import json
import os
import tempfile
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
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A name of its own: another process may write beside us, and a killed one may have left some.
        descriptor, beside = tempfile.mkstemp(dir=folder, prefix=".")
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor, not a path
            json.dump(data, file)
            file.flush()
            os.fsync(descriptor)
        Path(beside).replace(folder / _FILE)
    except OSError as error:
        raise SourceUnavailable(
            f"cannot keep what was listed in {folder}: {error.strerror}", hint="check the disk"
        ) from error
