"""Agents: a model that works on a task with tools, within limits."""
