"""evals: cases x system x metrics. Knows the system only as a plain callable."""

from evals.run import run

__all__ = ["run"]
