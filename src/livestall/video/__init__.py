"""To be opened by its first verb."""
