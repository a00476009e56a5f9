"""evals: cases x system x metrics. Knows the system only as a plain callable."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evals.running import Report, run

__all__ = ["Report", "run"]


def __getattr__(name: str) -> Any:
    # Loaded when first used: `ask` needs the validator of this package alone, and is in a hurry.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from evals import running

    return getattr(running, name)
