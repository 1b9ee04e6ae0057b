"""Proof that the asynchronous side loses nothing and repeats nothing: a simulation with faults, drawn from a seed.

`make faults SCHEDULES=10000 SEED=7` runs the schedules of the seeds 7, 8, 9, ...; `--replay SEED` shows one of
them step by step. In a schedule the real use cases run (submit, on-demand requests that become tasks, worker,
status, list, cancel, retry, redrive, sweep); what is simulated is the outside:

- `scheduler`: virtual time, and actors of which one runs at a time. At every external call the seed draws who
  goes on, so every interleaving of calls can happen, and happens again with the same seed. Clocks differ by up
  to a second.
- `calls`: each external call can be the last of its process (before or after it took effect), be refused, take
  effect and lose its answer, be sent twice by the SDK, or take so long that the function's time is over. Tables,
  queues and models can be out of reach for a while. How much of this a schedule has is drawn too.
- `table`, `queues`, `model`: the in-memory adapters (which the contract tests keep honest) behind these calls,
  and SQS with its visibility, delays, duplicates, disorder and dead letters. Every write is checked against
  the lifecycle as it happens.
- `clients`, `services`: who acts. Clients repeat requests with and without keys, read, cancel and try again;
  pollers run workers; operators redrive; sweeps come now and then; one actor sends poison.
- `witness`: remembers every answer. After the storm all faults pass, time goes on until nothing moves, and then
  nothing may be
    lost:    a task of which a client saw a 202 is not readable, or a dead letter is gone;
    changed: a final state, an idempotency key's task, or a result differs from what was answered before, or
             from what the model gives;
    illegal: a write broke the lifecycle or its generation;
    stuck:   a task is queued, no message of it is left, and it has not expired.
- `mutants`: broken copies of the product, which the same schedules have to catch.

`specification` is a second, independent proof: the API's contract as a small model, to which sequences of
requests through the real handlers (`handlers`) are compared (`comparison`).

To learn from a failing seed, replay it, and look for the task's four last digits in the trace.
"""
