"""Matches, odds, features, the betting simulation and the snapshots made from them."""
