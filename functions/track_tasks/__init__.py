"""Report, list, cancel and retry tasks.

Trigger: GET /monitoring/task_status/{task_id}, GET /results/{task_id}, GET /predict/async/, DELETE
/predict/async/{task_id}, POST /predict/async/{task_id}/retry.
Reads: the tasks table, its tenant index, the lanes' speed, the secret that signs cursors; for a retry also the
manifests and the ids of the snapshot's matches.
Writes: cancellations, expiries before they are shown, and the messages and records of retried tasks.
"""
