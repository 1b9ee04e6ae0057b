"""Report, list, cancel and retry tasks.

Trigger: GET /monitoring/task_status/{task_id}, GET /results/{task_id}, GET /predict/async/.
Reads: the tasks table, its tenant index, the lanes' speed.
Writes: cancellations, expiries that a reader was shown, and the messages and records of retried tasks.
"""
