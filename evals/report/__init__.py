"""An evaluation run as one HTML file that a manager understands and an engineer can check."""

from evals.report.page import render

__all__ = ["render"]
