"""Answer predictions on demand, within the time that the gateway allows.

Trigger: GET /predict/{match_id}, POST /predict/, GET /predict/model/info.
Reads: the manifests, the ids of the snapshot's matches, cached predictions, the lanes' speed; it invokes run_inference.
Writes: cached predictions; if the client prefers a task, its idempotency key, message and record.
"""
