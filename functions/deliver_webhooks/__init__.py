"""Make an event of each final state of a task or batch with a callback, and deliver events until they are received.

Trigger: the stream of the tasks table, the queue of events (event source mappings), and a schedule.
Reads: the table of webhooks, signing secrets.
Writes: deliveries, messages to the queue of events, dead letters, requests to callbacks.
"""
