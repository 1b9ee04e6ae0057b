"""Tasks: accepted, tracked, run and ended exactly once; their lanes and dead letters."""
