"""Predict the tasks of the queues, and answer direct requests of other functions.

Trigger: the high and normal queues (event source mappings), and direct invocation by predict_now.
Reads: the manifests, the artifacts of models, the snapshot's features, the tasks of a receive; more of the high lane.
Writes: final states of tasks, delays of messages, dead letters, the lanes' speed.
"""
