"""Answer predictions on demand, within the time that the gateway allows.

Trigger: GET /predict/{match_id}, POST /predict/, GET /predict/model/info.
Reads: the manifests, cached predictions, the lanes' speed; it asks run_inference, once.
Writes: cached predictions; where the client prefers a task, its message and record.
"""
