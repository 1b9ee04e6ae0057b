"""`make prove-batches`: a file of many rows on a laptop stack, predicted once, killed, cancelled and run again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from matchcast_tools.stack.batches import BatchClient
from tests.proofs.batch_input import BatchInput, write_input
from tests.proofs.batch_kills import Killer, messages_soon_again
from tests.proofs.batch_memory import WORKERS, peak_memory
from tests.proofs.batch_neighbours import (
    LEAST_TASKS,
    described,
    every_message_has_its_tenant,
    tasks_beside_a_batch,
    tasks_until,
    waits,
)
from tests.proofs.batch_pace import cores, largest_difference, pyfunc_pace
from tests.proofs.batch_runs import (
    Finished,
    codes,
    every_bad_row_with_a_reason,
    every_good_row_once_in_order,
    taken_home,
    watched,
)
from tests.proofs.bench import Bench, bench
from tests.proofs.claims import Claims

MOST_MEGABYTES = 1_000
TIMES_THE_LOOP = 10
ON_DEMAND, ON_DEMAND_SECONDS = 10_000, 180
PART_SECONDS = 15
PART_KILLS, SPLIT_KILLS = 8, 2
CANCEL_TRIES = 5
LEAST_PARTS = 6


def main(
    rows: Annotated[int, typer.Option(min=10_000, help="How many rows the file has.")] = 1_000_000,
) -> None:
    """Show on a laptop stack that a batch predicts every row of a file once, whatever happens to its workers."""
    claims = Claims()
    claims.say("starting a laptop stack with the sample league")
    # As many tasks as one tenant may have by default are queued in the end, of which the count is an estimate.
    with bench("--set", "ModelRuntime=onnx", "--set", "MaxOpenTasks=100000") as work:
        client = BatchClient(work.api, claims.say)
        claims.say(f"writing a file of {rows} rows, one in a hundred of which is wrong")
        examples = [work.api.get(f"/predict/precomputed/{match}").expect(200)["features"] for match in work.matches]
        source = write_input(work.folder / "rows.csv", examples, rows)
        # Environments that have started: what is measured is the work.
        watched(client, client.submit(match_ids=work.matches[:10])["batch_id"])
        key = uploaded(client, claims, source)
        first = undisturbed(work, client, claims, source, key)
        as_on_demand(work, claims, source, first)
        as_fast_as_promised(work, claims, source, first)
        killed(work, client, claims, key, first)
        cancelled(work, client, claims, key, first)
        tasks_beside_a_batch(work, claims)
        every_message_has_its_tenant(work, claims, flood=max(200, min(10_000, rows // 100)))
    claims.finish()


def uploaded(client: BatchClient, claims: Claims, source: BatchInput) -> str:
    """Upload the file by the presigned form."""
    began = time.monotonic()
    key = client.upload(source.path)
    size = source.path.stat().st_size / 1e6
    claims.say(f"{size:.0f} MB uploaded in {time.monotonic() - began:.1f} s")
    return key


def undisturbed(work: Bench, client: BatchClient, claims: Claims, source: BatchInput, key: str) -> Finished:
    """Run the file once: every row in one of two files, in little memory."""
    claims.say("running it")
    with peak_memory(work) as peaks:
        batch_id = client.submit(input=key)["batch_id"]
        # Seldom, for what is measured is not how fast a status is read.
        batch = watched(client, batch_id, pause=1.0)
    done = taken_home(client, batch_id, work.folder, "first")
    counts = batch["counts"]
    claims.hold(
        "every row is in one of the two files, and the counts are those of the files",
        holds=batch["status"] == "succeeded"
        and done.counts_are_those_of_its_files()
        and counts["succeeded"] + counts["failed"] == source.rows == counts["total"],
        rows=counts["total"],
        outputs=done.output.num_rows,
        errors=done.errors.num_rows,
        parts=batch["progress"]["parts"],
    )
    claims.hold(
        "every good row has exactly one prediction, in input order, with its custom_id",
        holds=every_good_row_once_in_order(done, source),
        good=len(source.good),
    )
    claims.hold(
        "every bad row is in the error file with a reason",
        holds=every_bad_row_with_a_reason(done, source) and set(codes(done)) == {"invalid-row", "match-not-found"},
        bad=len(source.bad),
        codes_of_errors=codes(done),
    )
    largest = {name: round(max(peaks[name].values(), default=0.0)) for name in WORKERS}
    claims.hold(
        f"no worker ever has {MOST_MEGABYTES} MB",
        holds=min(largest.values()) > 0 and max(largest.values()) < MOST_MEGABYTES,
        peak_rss_mb=max(largest.values()),
        peak_rss_mb_by_function=largest,
        workers_sampled=sum(len(found) for found in peaks.values()),
    )
    return done


def as_on_demand(work: Bench, claims: Claims, source: BatchInput, done: Finished) -> None:
    """Single requests give the same predictions."""
    claims.say(f"asking for up to {ON_DEMAND} random rows one by one, for {ON_DEMAND_SECONDS} s at most")
    began = time.monotonic()
    asked, largest = largest_difference(work, source, done, ON_DEMAND, ON_DEMAND_SECONDS)
    claims.hold(
        "single requests for the same rows answer the same within 1e-6",
        holds=largest <= 1e-6 and asked >= min(2_000, len(source.good)),
        compared_on_demand=asked,
        largest_difference=largest,
        on_demand_requests_per_second=round(asked / (time.monotonic() - began), 1),
    )


def as_fast_as_promised(work: Bench, claims: Claims, source: BatchInput, done: Finished) -> None:
    """The batch beside loops that call the registered model itself, on this machine, in this run."""
    claims.say("predicting rows of the same file with mlflow.pyfunc, row by row and 10,000 at once")
    pace = pyfunc_pace(work, source)
    seconds = done.seconds()
    speed = source.rows / seconds
    times = speed / cores() / pace.row_by_row
    claims.hold(
        f"for each core the batch is at least {TIMES_THE_LOOP} times as fast as a plain loop, from submission to files",
        holds=times >= TIMES_THE_LOOP,
        seconds=round(seconds, 2),
        split_seconds=round(seconds - done.seconds("started_at"), 2),
        rows_per_second=round(speed),
        rows_per_second_and_core=round(speed / cores()),
        pyfunc_loop_rows_per_second=round(pace.row_by_row),
        pyfunc_vectorised_rows_per_second=round(pace.vectorised),
        times_the_loop=round(times, 1),
    )


def killed(work: Bench, client: BatchClient, claims: Claims, key: str, first: Finished) -> None:
    """The same file while workers are killed: the same bytes."""
    split_seconds = first.seconds() - first.seconds("started_at")
    hidden = max(10, round(2 * split_seconds))
    claims.say(f"the same file again; workers are killed at its split ({SPLIT_KILLS}), its parts and its join")
    killer = Killer(work, splits=SPLIT_KILLS, parts=PART_KILLS, split_seconds=split_seconds)
    with messages_soon_again(work, PART_SECONDS, hidden):
        batch_id = client.submit(input=key)["batch_id"]
        watched(client, batch_id, killer.watch)
        done = taken_home(client, batch_id, work.folder, "killed")
    same = done.digests == first.digests
    claims.hold(
        "both files have the same bytes as those of the first run",
        holds=same and all(killer.kills_of(name) for name in WORKERS),
        identical_after_resume=same,
        workers_killed=killer.by_step,
        seconds_with_kills=round(done.seconds(), 2),
    )


def cancelled(work: Bench, client: BatchClient, claims: Claims, key: str, first: Finished) -> None:
    """The same file, cancelled in the middle and then completed, while tasks are answered."""
    claims.say("the same file once more, cancelled in the middle")
    done = cancelled_in_the_middle(work, client, key)
    counts = done.batch["counts"]
    claims.hold(
        "cancelled in the middle, every row is in one of the two files, and the counts are those of the files",
        holds=done.batch["status"] == "cancelled"
        and done.counts_are_those_of_its_files()
        # A small file has too few parts to be stopped between them.
        and counts["cancelled"] > 0
        and (counts["succeeded"] > 0 or done.batch["progress"]["parts"] < LEAST_PARTS),
        outputs_when_cancelled=counts["succeeded"],
        errors_when_cancelled=counts["failed"] + counts["cancelled"],
        rows_cancelled=counts["cancelled"],
    )
    claims.say("running the cancelled rows, while tasks of both lanes are submitted")
    batch_id = client.retry_failed(done.batch["batch_id"])["batch_id"]
    ids = tasks_until(
        work, lambda sent: sent >= LEAST_TASKS and client.status(batch_id)["status"] in {"succeeded", "failed"}
    )
    again = taken_home(client, batch_id, work.folder, "again")
    beside = waits(work, ids)
    claims.hold(
        "a retry of what was cancelled completes it to the same files, and the tasks beside it succeed",
        holds=again.batch["status"] == "succeeded"
        and again.output.equals(first.output)
        and again.errors.equals(first.errors)
        and sum(map(len, beside.values())) == len(ids),
        retry_seconds=round(again.seconds("started_at"), 2),
        identical_after_retry=again.digests == first.digests,
        tasks_beside_the_retry=len(ids),
        **described("beside_the_retry", beside),
    )


def cancelled_in_the_middle(work: Bench, client: BatchClient, key: str) -> Finished:
    """Return a batch that was cancelled while its parts ran; one that ended before is tried again."""
    for _ in range(CANCEL_TRIES):
        batch_id = client.submit(input=key)["batch_id"]
        wanted = client.status(batch_id)
        while wanted["status"] == "queued" or (
            wanted["status"] == "running" and wanted["progress"]["parts_done"] < wanted["progress"]["parts"] // 3
        ):
            time.sleep(0.05)
            wanted = client.status(batch_id)
        if work.api.request("DELETE", f"/predict/batch/{batch_id}").status == 200:
            watched(client, batch_id)
            return taken_home(client, batch_id, Path(work.folder), "cancelled")
    raise RuntimeError("the batch ended before it could be cancelled; take more ROWS")


if __name__ == "__main__":
    typer.run(main)
