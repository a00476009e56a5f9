"""Sources -> items -> documents: where text comes from. The lowest floor; knows nothing of indexes."""
