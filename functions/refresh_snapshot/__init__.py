"""Make a new snapshot: predictions, odds and ROI of the published dataset by the model of one stage.

Trigger: a schedule, and direct invocation by `matchcast snapshot`.
Reads: the dataset manifest and its files, the model manifest and the stage's artifact.
Writes: the files of a new snapshot, then the snapshot manifest, switched only if no other was published meanwhile.
Deletes: the files of old snapshots that no manifest names.
"""
