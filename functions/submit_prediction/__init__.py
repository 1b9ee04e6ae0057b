"""Accept predictions for later.

Trigger: POST /predict/async/.
Reads: the manifests, the ids of the snapshot's matches, the tenant's newest tasks, the lanes' speed.
Writes: the idempotency key, a message in a lane, then the task.
"""
