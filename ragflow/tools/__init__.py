"""Tools: what a run may call, under policy, at most once."""
