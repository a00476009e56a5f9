"""Language models behind a name: calls, what is done when one fails, what they may cost."""
