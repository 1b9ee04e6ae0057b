"""Features of matches, each from earlier matches only."""
