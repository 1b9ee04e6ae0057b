"""Fail the tasks whose messages SQS dead-lettered.

Trigger: a schedule.
Reads: the dead letters of both lanes, which it leaves, and their tasks.
Writes: final states of tasks.
"""
