"""Split the inputs of batches into parts, and join the files of parts.

Trigger: the queue of batches (event source mapping), one message at a time.
Reads: inputs and files of batches, the artifacts of models, the snapshot's features, the records of batches and parts.
Writes: files of batches, their records, parts to the normal lane, messages to the queue of batches, dead letters.
"""
