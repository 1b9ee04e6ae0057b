"""Answer predictions on demand, within the time that the gateway allows.

Trigger: GET /predict/{match_id}, POST /predict/, GET /predict/model/info.
Reads: nothing of its own; it asks run_inference, once.
Writes: nothing.
"""
