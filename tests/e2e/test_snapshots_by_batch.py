"""A snapshot of more matches than its function may predict: the stack's workers predict them, in a batch."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq
import pytest

from matchcast.adapters.dynamodb_batches import DynamoDBBatches
from matchcast.domain.batch import SNAPSHOTS_TENANT, Batch, BatchKeys, BatchStatus
from matchcast.domain.manifests import SNAPSHOT_MANIFEST_KEY, SnapshotManifest
from matchcast_tools.stack.api_client import ApiClient
from matchcast_tools.stack.bucket import open_bucket
from matchcast_tools.stack.deployed import Stack
from matchcast_tools.stack.invoke_refresh import invoke_refresh

AT_ONCE = "SNAPSHOT_PREDICTIONS_AT_ONCE"


@pytest.fixture
def few_at_once(stack: Stack) -> Iterator[None]:
    """Let the function that makes snapshots predict five matches at most."""
    functions, name = stack.client("lambda"), stack.output("RefreshSnapshotFunctionName")
    before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]

    def configure(variables: dict[str, str]) -> None:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})

    configure({**before, AT_ONCE: "5"})
    yield
    configure(before)


def batches_of_snapshots(stack: Stack) -> list[Batch]:
    """Return all batches of snapshots, newest last."""
    records = DynamoDBBatches(stack.client("dynamodb"), stack.output("TasksTableName"))
    found = records.get_many(records.list_ids(SNAPSHOTS_TENANT, None, 100).ids)
    return sorted(found.values(), key=lambda batch: batch.created_at)


def served(stack: Stack) -> tuple[SnapshotManifest, list[dict[str, Any]]]:
    """Return the snapshot that is served, and its predictions."""
    bucket = open_bucket(stack)
    stored = bucket.get(SNAPSHOT_MANIFEST_KEY)
    assert stored is not None
    manifest = SnapshotManifest.parse(stored.body, SNAPSHOT_MANIFEST_KEY)
    predictions = bucket.get(f"{manifest.prefix}predictions.parquet")
    assert predictions is not None
    return manifest, pq.read_table(io.BytesIO(predictions.body)).to_pylist()


@pytest.mark.usefixtures("few_at_once")
def test_a_snapshot_is_made_through_a_batch_that_no_tenant_sees(stack: Stack, api: ApiClient) -> None:
    # GIVEN the snapshot of one invocation, and the batches before
    direct, rows = served(stack)
    known = {batch.batch_id for batch in batches_of_snapshots(stack)}
    listed = {batch["batch_id"] for batch in api.get("/predict/batch/", limit=100).expect(200)["items"]}
    # WHEN
    answer = invoke_refresh(stack)
    # THEN a batch made the predictions of another snapshot
    manifest, again = served(stack)
    assert manifest.snapshot_id == answer["snapshot_id"] != direct.snapshot_id
    [batch] = [batch for batch in batches_of_snapshots(stack) if batch.batch_id not in known]
    assert (batch.status, batch.total, batch.failed) == (BatchStatus.SUCCEEDED, len(again), 0)
    assert batch.provenance.model == manifest.model
    assert open_bucket(stack).get(BatchKeys(batch.batch_id).output(0)) is not None
    # AND they are those of the invocation without one, bit for bit
    assert again == rows
    assert manifest.files["predictions.parquet"] == direct.files["predictions.parquet"]
    # AND the batch is nobody's
    assert api.get(f"/predict/batch/{batch.batch_id}").status == 404
    assert {each["batch_id"] for each in api.get("/predict/batch/", limit=100).expect(200)["items"]} == listed
    # WHEN the next snapshot is made of the same matches
    invoke_refresh(stack)
    # THEN it needs no other batch
    assert {each.batch_id for each in batches_of_snapshots(stack)} == {*known, batch.batch_id}
