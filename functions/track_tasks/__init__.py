"""Tell what became of tasks.

Trigger: GET /monitoring/task_status/{task_id}, GET /results/{task_id}, GET /predict/async/.
Reads: the tasks table, its tenant index, the lanes' speed.
Writes: nothing.
"""
