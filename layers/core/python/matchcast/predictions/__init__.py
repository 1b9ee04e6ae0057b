"""Predictions: many by one model call, and one on demand before a deadline."""
