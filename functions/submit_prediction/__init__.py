"""Accept predictions for later.

Trigger: POST /predict/async/.
Reads: the model manifest, the ids of the snapshot's matches, the lanes' speed.
Writes: a message in a lane, then the task.
"""
