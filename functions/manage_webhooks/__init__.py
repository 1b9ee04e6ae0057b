"""Manage signing secrets and failing endpoints of callbacks, show deliveries, and replay events.

Trigger: GET and POST /webhooks/secrets, DELETE /webhooks/secrets/{secret_id}, POST /webhooks/replay, GET
/webhooks/endpoints, POST /webhooks/endpoints/{endpoint_id}/enable, GET /predict/async/{task_id}/deliveries, GET
/predict/batch/{batch_id}/deliveries.
Reads: the tasks table, the table of webhooks.
Writes: secrets, encrypted; series of deliveries; messages to the queue of events.
"""
