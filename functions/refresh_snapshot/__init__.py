"""Make a new snapshot: predictions, odds, ROI and scorecard of the published dataset by the model of one stage.

Trigger: a schedule, and direct invocation by `matchcast snapshot`, `promote` and `rollback`.
Reads: the manifests of dataset, models and snapshots, the dataset's files, the stage's artifact.
Writes: the files of a new snapshot, then the snapshot manifest, switched only if no other was published meanwhile.
Deletes: the files of old snapshots that no manifest names.
"""
