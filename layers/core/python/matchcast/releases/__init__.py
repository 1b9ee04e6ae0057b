"""Releases: read whole and verified, switched at once, kept as a history, removed when old."""
