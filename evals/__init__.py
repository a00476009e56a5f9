"""evals: cases x system x metrics. Knows the system only as a plain callable."""

from evals.run import Report, run

__all__ = ["Report", "run"]
