"""A copy of each generation on a Qdrant server: it nominates rows, ours are scored (decision 0021)."""
