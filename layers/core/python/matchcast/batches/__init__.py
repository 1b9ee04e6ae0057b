"""Batches: many rows of one file, split into parts, predicted in the normal lane and joined in input order."""
