"""A copy of each generation on a Qdrant server: it nominates rows, ours are scored (decision 0021)."""

MOST_AT_ONCE = 1_024
"""The largest batch that can be configured: so many of the last points written are written again."""
