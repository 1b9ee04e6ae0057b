"""Answer what was computed before: predictions, cards, odds, region ROI, scorecard, health and the API's documents.

Trigger: the GET routes of these, and $default: every request that no other route of the API takes.
Reads: the snapshot in the data bucket, into memory; the model manifest; the secret that signs cursors.
Writes: nothing.
"""
