"""Measures: retrieval, grounding. Knows the system only as plain values and callables."""
