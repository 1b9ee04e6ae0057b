"""Snapshots: what is served from memory, how it is made of a dataset, and how it is read."""
