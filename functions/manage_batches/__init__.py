"""Accept, show, list and cancel batches, and run their failed rows again.

Trigger: POST /predict/batch/uploads, POST and GET /predict/batch/, GET and DELETE /predict/batch/{batch_id}, POST
/predict/batch/{batch_id}/retry-failed.
Reads: the manifests, uploaded inputs (HEAD alone), the tasks table and its indexes, the secret that signs cursors.
Writes: requests and match ids of batches, their records, messages to the queue of batches; addresses that it signs let
clients upload an input and read results.
"""
