"""Proof that the asynchronous side loses nothing, repeats nothing and fails for nothing: a simulation with faults.

`make faults SCHEDULES=10000 SEED=7` runs the schedules of the seeds 7, 8, 9, ...; `--replay SEED` shows one of
them step by step. In a schedule the real handlers run, with the real composition root, adapters and SDK; what is
simulated is below them: the wire, the services at its end, time and chance.

- `scheduler`: virtual time, and actors of which one runs at a time. At every external call the seed draws who
  goes on, so every interleaving of calls can happen, and happens again with the same seed.
- `virtual`, `threads`, `invocations`: the product in that time. Each process of a function has its own parts and its
  own clock; it is kept, stopped, killed and made anew.
- `wire`, `calls`, `weather`: each request of the SDK can be refused, take effect and lose its answer, be late, or be
  the last one of its process; the SDK's own retries follow. How much of this a schedule has is drawn too, and some
  have nothing of it.
- `dynamodb` (with `expressions`), `sqs`, `s3`, `keys`: small models of the services. Indexes and reads that are not
  consistent lag, keys stay unprocessed, messages come twice, late and in no order, objects break off. `test_faithful`,
  `test_faithful_webhooks` and `test_faithful_s3` compare them with moto. What they do not know ends the schedule, so
  that nothing is answered by accident.
- `transactions`: several writes of the table at once, their reasons, conflicts and tokens.
- `batches` (with `batch_rows`, `batch_files`, `batch_sizes`), `batch_clients`, `batch_witness`: batches of some rows,
  in parts of three to five, beside the tasks of two of five schedules. Every write of a batch or a part is judged as it
  happens, and the files of each end row by row: each row once, in input order, by the pinned model and snapshot.
- `callbacks` (with `delivery_steps`, `signatures`), `callback_clients`, `stream`, `receivers`: callbacks, in one of six
  schedules. The stream repeats and reorders; receivers work, fail, hang, are gone, lose their answers or are down for
  days, which pass in virtual time; clients rotate secrets, replay and enable. Each event has one id and one body, each
  request its claim and the signatures of all live secrets, each attempt its time, and each end its cause.
- `bucket`, `models`: two releases, which the real code publishes and reads; objects of them are lost or damaged for a
  while. `poison`: messages that cannot be read, or can be read and cannot be served, with their right ends.
- `plots` (with `batch_plots`, `callback_plots`), `clients` (with `requests`), `services`, `operators`: who acts, and
  what a schedule is about.
- `ledger`: every write of a record, judged as it happens. `witness`: every answer, compared with all others. `closing`:
  every record after all has settled. Nothing may be
    lost:     a task of which a client saw a 202, a dead letter, or an entry of a list;
    changed:  a final state, a key's task or a result differs from what was answered before, or from what is right;
    illegal:  a write broke the lifecycle, or a limit was not kept;
    stuck:    a task is queued and nothing will end it, or it took long in calm weather;
    needless: an end without its cause, a failed request or a message that comes again, and nothing had gone wrong.
- `mutants` (with `tampering`, `broken_serving`, `broken_batches`, `broken_callbacks`, `broken_webhooks`): broken
  copies of the product, which the same schedules have to catch; a schedule that shows something without a mutant too
  catches none.

`specification` is a second, independent proof: the API's contract as a small model, to which sequences of
requests through the real handlers (`handlers`) are compared (`comparison`).

To learn from a failing seed, replay it, and look for the task's four last digits in the trace.
"""
