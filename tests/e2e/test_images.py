"""The images, really built; that of inference also runs, between its Lambda emulator and moto's services."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import boto3
import pytest
from moto.server import ThreadedMotoServer

from matchcast.adapters.dynamodb_tasks import DynamoDBTasks
from matchcast.domain.task import TaskStatus, utc_now
from matchcast.messages import encode
from tests.support.published import publish, softmax
from tests.support.releases import MATCHES, SNAPSHOT_ID
from tests.support.tasks import a_task
from tests.support.template import ROOT, deploy_storage

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

[BASE] = re.findall(r"^FROM (.+)$", (ROOT / "functions/run_inference/Dockerfile").read_text(), re.MULTILINE)
HOST = "host.docker.internal"
INVOCATIONS = "/2015-03-31/functions/function/invocations"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


def docker(*arguments: str) -> str:
    """Run a docker command and return what it prints."""
    done = subprocess.run(["docker", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module", autouse=True)
def _engine_with_base_image() -> None:
    """Skip where nothing can be built."""
    if shutil.which("docker") is None:
        pytest.skip("Docker is not installed")
    for asked, missing in ((["info"], "no Docker engine runs"), (["image", "inspect", BASE], f"{BASE} is not here")):
        if subprocess.run(["docker", *asked], capture_output=True, check=False).returncode != 0:
            pytest.skip(missing)


def build(name: str, runtime: str = "onnx") -> str:
    """Build a function's image from this checkout and return its tag."""
    tag = f"matchcast-test/{name}:{runtime}"
    chosen = f"--build-arg=MODEL_RUNTIME={runtime}"
    docker("build", "--quiet", "--network=host", chosen, f"--file=functions/{name}/Dockerfile", f"--tag={tag}", ".")
    return tag


@pytest.fixture(scope="module")
def image() -> str:
    """Return the inference image."""
    return build("run_inference")


@dataclass(frozen=True)
class Engine:
    """Moto's services, at an address from here and one from containers, with the template's storage inside."""

    address: str
    address_for_containers: str
    names: dict[str, str]

    def client(self, service: Literal["dynamodb", "s3", "sqs"]) -> Any:
        return boto3.client(service, endpoint_url=self.address)


@pytest.fixture(scope="module")
def engine(image: str) -> Iterator[Engine]:
    # Every address: which one containers reach the host by differs between engines.
    server = ThreadedMotoServer(ip_address="0.0.0.0", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        address = f"http://127.0.0.1:{port}"
        patch.setenv("AWS_ENDPOINT_URL", address)
        engine = Engine(address, f"http://{HOST}:{port}", deploy_storage(boto3.session.Session()))
        publish(engine.client("s3"), engine.names["DataBucketName"])
        yield engine
    server.stop()


@dataclass(frozen=True)
class Function:
    """A running container of the image."""

    address: str

    def __call__(self, event: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(self.address + INVOCATIONS, json.dumps(event).encode())
        with urllib.request.urlopen(request, timeout=60) as answer:
            content: dict[str, Any] = json.loads(answer.read())
            return content


@pytest.fixture(scope="module")
def function(image: str, engine: Engine) -> Iterator[Function]:
    environment = {
        **CREDENTIALS,
        "AWS_ENDPOINT_URL": engine.address_for_containers,
        "POWERTOOLS_SERVICE_NAME": "run_inference",
        "DATA_BUCKET_NAME": engine.names["DataBucketName"],
        "TASKS_TABLE_NAME": engine.names["TasksTableName"],
        "HIGH_QUEUE_URL": engine.names["HighQueueUrl"],
        "NORMAL_QUEUE_URL": engine.names["NormalQueueUrl"],
        "HIGH_DEAD_LETTER_QUEUE_URL": engine.names["HighDeadLetterQueueUrl"],
        "NORMAL_DEAD_LETTER_QUEUE_URL": engine.names["NormalDeadLetterQueueUrl"],
    }
    settings = [f"--env={name}={value}" for name, value in environment.items()]
    reach = ["--publish=127.0.0.1::8080", f"--add-host={HOST}:host-gateway"]
    container = docker("run", "--detach", "--rm", *reach, *settings, image)
    try:
        address = f"http://{docker('port', container, '8080/tcp').splitlines()[0]}"
        wait_for(address)
        yield Function(address)
    finally:
        docker("stop", "--time=1", container)


def wait_for(address: str) -> None:
    """Return once the emulator listens; it answers a GET of an unknown path with 404."""
    deadline = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(address, timeout=2)
        except urllib.error.HTTPError:
            return
        except OSError:
            assert time.monotonic() < deadline, "the emulator did not come up"
            time.sleep(0.1)


def record(engine: Engine, body: str, number: int) -> dict[str, Any]:
    name = engine.names["NormalQueueUrl"].rsplit("/", 1)[-1]
    return {
        "messageId": f"message-{number}",
        "receiptHandle": f"receipt-{number}",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{name}",
        "awsRegion": "us-east-1",
    }


def test_the_image_answers_a_direct_question(function: Function) -> None:
    match_id = next(iter(MATCHES))
    answer = function({"kind": "predict", "stage": "champion", "match_id": match_id})
    prediction = answer["prediction"]
    assert [prediction["home"], prediction["draw"], prediction["away"]] == pytest.approx(softmax(match_id), abs=1e-6)
    assert prediction["snapshot_id"] == SNAPSHOT_ID


def test_the_image_finishes_the_tasks_of_a_receive_and_dead_letters_poison(function: Function, engine: Engine) -> None:
    # GIVEN three messages, one of which cannot be read
    tasks = [a_task(match_id=match_id, created_at=utc_now()) for match_id in list(MATCHES)[:2]]
    bodies = [encode(tasks[0]), "this is no message", encode(tasks[1])]
    # WHEN the image receives them
    answer = function({"Records": [record(engine, body, number) for number, body in enumerate(bodies)]})
    # THEN both tasks have their results, and the third message is a dead letter
    assert answer == {"batchItemFailures": []}
    store = DynamoDBTasks(engine.client("dynamodb"), engine.names["TasksTableName"], 4)
    for task_id, task in store.get_many([task.task_id for task in tasks]).items():
        assert task.status is TaskStatus.SUCCEEDED, task_id
        assert task.result is not None
        found = [task.result.home, task.result.draw, task.result.away]
        assert found == pytest.approx(softmax(str(task.match_id)), abs=1e-6)
    received = engine.client("sqs").receive_message(QueueUrl=engine.names["NormalDeadLetterQueueUrl"])
    assert [message["Body"] for message in received["Messages"]] == ["this is no message"]


def test_the_inference_image_holds_what_it_needs_and_no_more(image: str) -> None:
    foreign, functions, compiled = inside(image)
    assert foreign == []
    assert functions == ["run_inference"]
    assert compiled > 20


def test_the_snapshot_image_holds_what_it_needs_and_can_start() -> None:
    image = build("refresh_snapshot")
    foreign, functions, compiled = inside(image)
    assert foreign == ["infra", "pandas"]
    assert functions == ["refresh_snapshot"]
    assert compiled > 20
    start = "from functions.refresh_snapshot.handler import lambda_handler"
    docker("run", "--rm", "--entrypoint=python", "--env=POWERTOOLS_SERVICE_NAME=refresh_snapshot", image, "-c", start)


@pytest.mark.parametrize(
    ("name", "foreign"),
    [
        ("run_inference", ["mlflow", "pandas", "sklearn"]),
        ("refresh_snapshot", ["infra", "mlflow", "pandas", "sklearn"]),
    ],
)
def test_an_image_for_pyfunc_holds_mlflow_and_can_load_models(name: str, foreign: list[str]) -> None:
    image = build(name, "pyfunc")
    assert inside(image)[0] == foreign
    docker("run", "--rm", "--entrypoint=python", image, "-c", "import lightgbm, mlflow.pyfunc, skops.io")


def inside(image: str) -> tuple[list[str], list[str], int]:
    """Return which tools an image has, its functions, and how many modules of the package are compiled."""
    look = (
        "import importlib.util as u, json, pathlib as p; root = p.Path('/var/task');"
        "print(json.dumps([[n for n in ('infra', 'mlflow', 'pandas', 'sklearn', 'tests') if u.find_spec(n)],"
        "sorted(q.name for q in (root / 'functions').iterdir() if q.is_dir() and q.name != '__pycache__'),"
        "len(list((root / 'matchcast').rglob('*.cpython-313.pyc')))]))"
    )
    found, functions, compiled = json.loads(docker("run", "--rm", "--entrypoint=python", image, "-c", look))
    return found, functions, compiled
