"""The `matchcast` command: one module per group of commands."""
