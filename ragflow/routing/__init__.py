"""From a question to its sources, workflow, prompt and tier: rules first, then scores, then a model."""
