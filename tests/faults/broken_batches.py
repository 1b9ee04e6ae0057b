"""Broken copies of batches: each lacks one thing that splits, parts, joins, cancellations or retries take care of."""

from __future__ import annotations

import json
from typing import Any

from matchcast.adapters.dynamodb_batches import DynamoDBBatches
from matchcast.adapters.sqs_batches import SQSBatches
from matchcast.batch_messages import JoinBatch, RunPart, SplitBatch
from matchcast.batches import sweep
from matchcast.batches.finish import FinishParts
from matchcast.batches.join import JoinBatches
from matchcast.batches.plan import PartPlans
from matchcast.batches.ports import BatchStore
from matchcast.batches.run_parts import RunParts
from matchcast.batches.split import SplitBatches
from matchcast.batches.sweep import LostParts
from matchcast.batches.track import TrackBatches
from matchcast.domain.batch import Batch, BatchKeys, BatchStatus, Part
from matchcast.domain.manifests import MODEL_MANIFEST_KEY, ModelManifest
from matchcast.releases.pinned_models import PinnedModels
from matchcast.releases.served_models import LoadedModel
from tests.faults import tampering as wire
from tests.faults.mutant import Mutant, on_the_wire
from tests.faults.transactions import ServiceError
from tests.faults.wire import Wire

# Counts.


def without_transaction(sent: Wire, what: str, operation: str, content: Any) -> wire.Answer:
    """Make the writes of a transaction one after the other; a process may die in between."""
    if operation != "TransactWriteItems":
        return wire.answered(sent, what, operation, content)
    for write in reversed(content["TransactItems"]):
        answer = wire.answered(sent, what, "UpdateItem", write["Update"])
        if isinstance(answer, ServiceError):
            return answer
        sent._calls(what, "between two writes", dict)
    return {}


def without_conditions(place: int, old: str, new: str) -> wire.Broken:
    """Return a wire that changes the condition of one write of a transaction."""

    def change(_: Wire, operation: str, content: Any) -> None:
        if operation == "TransactWriteItems":
            write = content["TransactItems"][place]["Update"]
            write["ConditionExpression"] = write["ConditionExpression"].replace(old, new)

    return wire.request(change)


def counted_twice(batches: DynamoDBBatches, batch: Batch, part: Part, before: Part | None) -> bool:
    return finish_part(batches, batch, part, before and before.model_copy(update={"succeeded": 0}))


finish_part = DynamoDBBatches.finish_part

# The chain of parts.


def next_at_the_end(worker: RunParts, message: RunPart, seconds: float) -> None:
    opened = worker._finish.open(message.batch_id, message.generation, message.number)
    window, worker._window = worker._window, _Nothing()  # type: ignore[assignment]
    try:
        work(worker, message, seconds)
    finally:
        worker._window = window
    if opened is not None:
        window.go_on(opened[0], message.position)


class _Nothing:
    def go_on(self, *_: object) -> None:
        pass


work = RunParts._work


def no_join_of_duplicates(finish: FinishParts, batch_id: str, generation: int, number: int) -> Any:
    found = finish._batches.get_many([batch_id]).get(batch_id)
    part = finish._batches.part(batch_id, number)
    if found is not None and part is not None and part.generation >= generation:
        return None
    return open_part(finish, batch_id, generation, number)


open_part = FinishParts.open


def join_sent_before(finish: FinishParts, batch: Batch) -> None:
    if batch.parts_done + 1 == batch.parts:
        finish._queue.send(JoinBatch(batch_id=batch.batch_id, tenant=batch.tenant, generation=batch.generation))


def ignored(_: SQSBatches, parts: Any, delay_seconds: int = 0) -> None:
    entries = [{"Id": str(n), "MessageBody": part.model_dump_json()} for n, part in enumerate(parts)]
    _._client.send_message_batch(QueueUrl=_._normal_lane, Entries=entries)  # type: ignore[arg-type]


# Splits.


def record_before_inputs(split: SplitBatches, batch: Batch, *given: Any) -> Any:
    counted = write_parts(split, batch.model_copy(update={"batch_id": f"{batch.batch_id}x"}), *given)
    rows = given[-1]
    split_up = {"total": counted[0], "invalid": counted[1], "part_rows": rows}
    running = split._running(batch.model_copy(update=split_up), succeeded=0, parts=-(-counted[0] // rows))
    split._batches.change(running, [BatchStatus.QUEUED])
    return write_parts(split, batch, *given)


write_parts = SplitBatches._write_parts


def no_second_window(split: SplitBatches, message: SplitBatch) -> None:
    batch = split._record(message)
    if batch is None or batch.status is not BatchStatus.RUNNING:
        split_batch(split, message)


split_batch = SplitBatches.split


def a_plan_each_time(plans: PartPlans, batch: Batch, numbers: Any) -> Any:
    plans._objects.put(BatchKeys(batch.batch_id).plan(batch.generation), json.dumps(list(numbers)).encode())
    return numbers


def a_cut_each_time(split: SplitBatches, batch: Batch, *given: Any) -> int:
    split._objects.put(BatchKeys(batch.batch_id).cut, b"null")
    model = split._models.get(given[0].model, batch.provenance.model.stage)
    return split._measure(model.model, given[1].read(given[2], batch.provenance.input, 10))


def present_version(_: Wire, operation: str, content: Any) -> None:
    if operation in ("HeadObject", "GetObject"):
        content.pop("versionId", None)


# Workers.


def served_model(models: Any, published: Any, stage: str) -> LoadedModel:
    """Predict with what is published now."""
    manifest = ModelManifest.parse(models._objects.get(MODEL_MANIFEST_KEY).body, MODEL_MANIFEST_KEY)
    return pinned(models, manifest.stages.get(stage, published), stage)


pinned = PinnedModels.get


def one_name(keys: BatchKeys, part: Part) -> str:
    return f"{keys.folder}parts/{part.number:05d}.{keys._ending}"


def generation_name(keys: BatchKeys, part: Part) -> str:
    return f"{keys.folder}parts/{part.number:05d}-{part.generation}.{keys._ending}"


def old_output(keys: BatchKeys, _: int) -> str:
    return f"{keys.folder}output.{keys._ending}"


# Joins, cancellations, sweeps.


def of_anything(join: JoinBatches, message: JoinBatch) -> Batch | None:
    batch = join._batches.get_many([message.batch_id]).get(message.batch_id)
    is_other = batch is None or batch.generation != message.generation or batch.status.is_final
    return None if is_other else batch


def by_one_look(join: JoinBatches, message: JoinBatch) -> None:
    batch = join._due(message)
    if batch is not None:
        join._end(batch, {part.number: part for part in join._batches.parts(batch.batch_id)})


def cancelled_at_once(track: TrackBatches, tenant: str, batch_id: str) -> Batch:
    batch = track.status(tenant, batch_id)
    join = JoinBatch(batch_id=batch_id, tenant=tenant, generation=batch.generation)
    if batch.status is BatchStatus.RUNNING:
        cancelling = batch.model_copy(update={"status": BatchStatus.CANCELLING})
        if track._change(cancelling, batch):
            track._queue.send(join)
            return cancelling
    return cancel(track, tenant, batch_id)


cancel = TrackBatches.cancel


def ended_is_enough(batches: BatchStore, batch: Batch | None, part: RunPart) -> bool:
    ended = batches.part(part.batch_id, part.number)
    return batch is not None and batch.status is BatchStatus.RUNNING and ended is None


def again_with_invalid(split: SplitBatches, batch: Batch) -> Batch:
    running = from_parts(split, batch)
    return running.model_copy(update={"failed": 0})


from_parts = SplitBatches._from_parts


def retried_at_once(track: TrackBatches, batch: Batch, _: int) -> tuple[Batch, bool]:
    begun = {"status": BatchStatus.QUEUED, "generation": batch.generation + 1, "error": None}
    again = batch.model_copy(update=begun)
    split = SplitBatch(batch_id=batch.batch_id, tenant=batch.tenant, generation=again.generation)
    changed = track._batches.change(again, [batch.status], batch.generation)
    if changed:
        track._queue.send(split)
    return again, changed


BATCH_MUTANTS = (
    on_the_wire("counts added without the transaction", without_transaction),
    on_the_wire(
        "a part ends in any generation of its batch", without_conditions(0, " AND generation = :generation", "")
    ),
    on_the_wire("a part ends while its batch is cancelled", without_conditions(0, "#status = :running AND ", "")),
    Mutant("the next part is sent at the end", RunParts, "_work", next_at_the_end),
    Mutant("no join on a duplicate of an ended part", FinishParts, "open", no_join_of_duplicates),
    Mutant("the join is sent by an old record", FinishParts, "join_if_done", join_sent_before),
    Mutant("parts that the queue did not take are forgotten", SQSBatches, "send_parts", ignored),
    Mutant("the record before the inputs of its parts", SplitBatches, "_write_parts", record_before_inputs),
    Mutant("a split that resumes sends no window", SplitBatches, "split", no_second_window),
    Mutant("each split plans anew", PartPlans, "write", a_plan_each_time),
    Mutant("each split cuts anew", SplitBatches, "_part_rows", a_cut_each_time),
    on_the_wire("the input is not pinned", wire.request(present_version)),
    Mutant("parts are predicted by the served model", PinnedModels, "get", served_model),
    Mutant("a retry counts twice what succeeded before", DynamoDBBatches, "finish_part", counted_twice),
    Mutant("files of parts without generation and digest", BatchKeys, "part_output", one_name),
    Mutant("files of parts without digest", BatchKeys, "part_output", generation_name),
    Mutant("output files without generation", BatchKeys, "output", old_output),
    Mutant("a join of anything", JoinBatches, "_due", of_anything),
    Mutant("a join that looks at its batch once", JoinBatches, "join", by_one_look),
    Mutant("a cancellation without safety net", TrackBatches, "cancel", cancelled_at_once),
    Mutant("a retry without safety net", TrackBatches, "_run_again", retried_at_once),
    Mutant("a retry counts its wrong rows no more", SplitBatches, "_from_parts", again_with_invalid),
    Mutant("the sweep leaves lost parts", LostParts, "lose", lambda *_: 0),
    Mutant("the sweep takes an ended part for all", sweep, "is_waited_for", ended_is_enough),
)
"""The broken copies of batches."""
