"""Documents -> chunks -> segments -> generations: where text is found again."""
