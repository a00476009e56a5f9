"""ragflow: answers over a company's own documents that anyone can check.

``ragflow.open(folder)`` gives the ``App``; its methods are the Python face.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ragflow.app import App, open  # noqa: A004  the pinned name
    from ragflow.errors import RagflowError

__all__ = ["App", "RagflowError", "open"]

_HOMES = {"App": "ragflow.app", "open": "ragflow.app", "RagflowError": "ragflow.errors"}


def __getattr__(name: str) -> Any:
    """Import the face when it is used: ``ragflow --help`` needs none of it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
