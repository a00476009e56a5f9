"""Watching: traces and figures of finished runs."""
