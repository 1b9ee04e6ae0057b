"""Fail the tasks of messages that a queue itself gave up.

Trigger: a schedule.
Reads: the dead letters of both lanes, which it leaves, and their tasks.
Writes: final states of tasks.
"""
