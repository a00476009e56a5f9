"""The versions of the libraries that decide a document's text."""

from functools import cache
from importlib import metadata


@cache
def named(library: str) -> str:
    """Return ``library/version``; reading it from the installed files is slow, so once a process."""
    return f"{library}/{metadata.version(library)}"
