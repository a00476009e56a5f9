"""Replays: a run executed again from its record."""
