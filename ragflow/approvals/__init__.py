"""Approvals: which actions wait for whom, and what was decided."""
