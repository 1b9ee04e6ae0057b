"""One dataset and one MLflow store for all tests of models: making a store takes seconds. The commands, on a bucket."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import typer
from moto import mock_aws
from typer.testing import CliRunner, Result

from functions.refresh_snapshot.handler import lambda_handler
from matchcast.adapters.s3_objects import S3Objects
from matchcast.bootstrap import releases as release_parts
from matchcast.observability import metrics
from matchcast_tools.cli import releases, snapshot, training
from matchcast_tools.models.artifact import Exported, export
from matchcast_tools.models.registry import RegisteredModel, load, resolve
from matchcast_tools.models.tracking import Tracking
from matchcast_tools.models.train import Trained, train
from matchcast_tools.stack.deployed import Stack
from tests.support.datasets import write_dataset
from tests.support.lambda_client import HandlerClient
from tests.support.mlflow_models import register_with
from tests.support.pyfunc_models import code

BOTH = ("onnx", "pyfunc")


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset that tests read only."""
    return write_dataset(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Tracking]]:
    """Make SQLite stores, copies of an empty one; what connecting puts into the environment is taken out at the end."""
    before = dict(os.environ)
    empty = tmp_path_factory.mktemp("empty-mlflow")
    Tracking.at(empty).connect(create=True)

    def make() -> Tracking:
        return Tracking.at(Path(shutil.copytree(empty, tmp_path_factory.mktemp("mlflow"), dirs_exist_ok=True)))

    yield make
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def tracking(new_store: Callable[[], Tracking]) -> Tracking:
    """A SQLite store of these tests' own."""
    return new_store()


@pytest.fixture(scope="session")
def trained(data_dir: Path, tracking: Tracking) -> Trained:
    """The first version in the store, under the three usual aliases."""
    return train(data_dir, hold_out_last_season=True, tracking=tracking)


@pytest.fixture(scope="session")
def champion(trained: Trained, tracking: Tracking) -> RegisteredModel:
    """The trained version, loaded from the registry."""
    return load("champion", tracking)


@pytest.fixture(scope="session")
def steady(trained: Trained, tracking: Tracking, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The registered custom model `steady`, which brings a module of its own, exported once."""
    folder = tmp_path_factory.mktemp("steady")
    (folder / "helping.py").write_text("HOME = 0.5\n")
    body = "import helping; return np.tile([helping.HOME, 0.3, 0.2], (len(model_input), 1))"
    (folder / "custom.py").write_text(code(body))
    helping = [str(folder / "helping.py")]
    register_with(tracking, "pyfunc", str(folder / "custom.py"), name="steady", code_paths=helping)
    return export(resolve("champion", tracking, "steady"), tracking, data_dir, BOTH)


@pytest.fixture
def export_of(trained: Trained, tracking: Tracking, data_dir: Path) -> Callable[..., Exported]:
    """`export` of the champion of a registered model."""

    def run(name: str, runtimes: Any = BOTH) -> Exported:
        return export(resolve("champion", tracking, name), tracking, data_dir, runtimes)

    return run


@dataclass
class Session:
    """A session with a bucket service, and a Lambda service that runs the handler here."""

    functions: HandlerClient

    def client(self, service_name: str, **options: Any) -> Any:
        return self.functions if service_name == "lambda" else boto3.client("s3", **options)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A stack with an empty bucket and refresh_snapshot."""
    # Else the handler prints what tests before left unsaid, in the middle of a command's output.
    metrics.clear_metrics()
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="data")
        outputs = {"DataBucketName": "data", "RefreshSnapshotFunctionName": "refresh", "ModelRuntime": "onnx"}
        stack = Stack("test", "us-east-1", "http://api", None, outputs, Session(HandlerClient(lambda_handler)))
        for group in (snapshot, releases):
            monkeypatch.setattr(group, "find_stack", lambda: stack)
        monkeypatch.setattr(release_parts, "objects", lambda: S3Objects(boto3.client("s3"), "data"))
        monkeypatch.setenv("DATA_BUCKET_NAME", "data")
        for name in ("TASKS_TABLE_NAME", "NORMAL_QUEUE_URL", "BATCHES_QUEUE_URL"):
            monkeypatch.setenv(name, "only a batch needs it")
        yield stack


@pytest.fixture
def matchcast(monkeypatch: pytest.MonkeyPatch, tracking: Tracking) -> Any:
    """The commands of models and releases, on this session's MLflow store."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.uri)
    app = typer.Typer()
    for group in (training, snapshot, releases):
        group.register(app)

    def run(*arguments: Any) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run
