"""Small pure functions that look at what comes in, what was found, and what goes out."""
