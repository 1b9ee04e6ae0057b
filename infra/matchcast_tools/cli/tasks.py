"""`matchcast predict | submit | wait | tasks`: ask a stack's API for predictions."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from matchcast.domain.prediction import OUTCOMES
from matchcast_tools.cli import output
from matchcast_tools.cli.options import AsJson, CallbackUrl, number
from matchcast_tools.errors import BadInput
from matchcast_tools.stack.api_client import ApiClient, in_path
from matchcast_tools.stack.find_stack import find_stack

MatchId = Annotated[str | None, typer.Argument(help="A match of the snapshot, for example e0-2024-08-16-...")]
Features = Annotated[
    Path | None, typer.Option("--features", help="A JSON file with your own features, in place of a match.")
]
Stage = Annotated[str, typer.Option(help="The stage whose model answers.")]
Seconds = Annotated[float, number("--seconds", least=0, help="How long to wait at most.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(predict)
    app.command()(submit)
    app.command()(wait)
    app.command("tasks")(list_tasks)


def predict(
    match_id: MatchId = None, features: Features = None, stage: Stage = "champion", as_json: AsJson = False
) -> None:
    """Ask for a prediction and wait for the answer."""
    api = ApiClient.of(find_stack())
    subject = _subject(match_id, features)
    if "match_id" in subject:
        answer = api.get(f"/predict/{in_path(subject['match_id'])}", stage=stage)
    else:
        answer = api.post("/predict/", {**subject, "stage": stage})
    prediction = answer.expect(200)
    output.answer(prediction, lambda: _show_prediction(prediction), as_json=as_json)


def submit(
    match_id: MatchId = None,
    features: Features = None,
    stage: Stage = "champion",
    priority: Annotated[str, typer.Option(help="The lane: high or normal.")] = "normal",
    start_within: Annotated[int | None, typer.Option(help="Seconds; the task expires if it starts later.")] = None,
    callback_url: CallbackUrl = None,
    as_json: AsJson = False,
) -> None:
    """Submit a prediction as a task and print its id."""
    body = {**_subject(match_id, features), "stage": stage, "priority": priority}
    if start_within is not None:
        body["start_within"] = start_within
    if callback_url is not None:
        body["callback_url"] = callback_url
    task = ApiClient.of(find_stack()).post("/predict/async/", body).expect(202)
    output.answer(task, lambda: typer.echo(task["task_id"]), as_json=as_json)


def wait(
    task_id: Annotated[str, typer.Argument(help="A task's id, as `matchcast submit` prints it.")],
    seconds: Seconds = 60,
    as_json: AsJson = False,
) -> None:
    """Wait until a task is over; exit 0 if it succeeded, 1 if it ended otherwise, 3 if it is still queued."""
    task = ApiClient.of(find_stack()).wait(task_id, seconds)
    output.answer(task, lambda: _show_task(task), as_json=as_json)
    if task["status"] != "succeeded":
        raise typer.Exit(1)


def list_tasks(
    status: Annotated[str | None, typer.Option(help="Only tasks in this state.")] = None,
    match_id: Annotated[str | None, typer.Option(help="Only tasks of this match.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Tasks in all.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List your tasks, newest first."""
    api = ApiClient.of(find_stack())
    tasks: list[dict[str, Any]] = []
    cursor: str | None = None
    while len(tasks) < limit:
        wanted = min(100, limit - len(tasks))
        page = api.get("/predict/async/", status=status, match_id=match_id, limit=wanted, cursor=cursor).expect(200)
        tasks += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    output.answer(tasks, lambda: _show_tasks(tasks), as_json=as_json)


def _show_task(task: dict[str, Any]) -> None:
    if task["result"] is not None:
        _show_prediction(task["result"])
    else:
        typer.echo(f"{task['status']}: {(task['error'] or {}).get('detail', 'it has no result')}")


def _show_tasks(tasks: list[dict[str, Any]]) -> None:
    # An id that is cut off is of no use; the others may be.
    table = Table(Column("task", no_wrap=True, min_width=36), "status", "match", "stage", "lane", "created")
    for task in tasks:
        subject = task["match_id"] or "(own features)"
        table.add_row(task["task_id"], task["status"], subject, task["stage"], task["priority"], task["created_at"])
    output.answers.print(table)


def _subject(match_id: str | None, features: Path | None) -> dict[str, Any]:
    """Return what to predict, as the API takes it."""
    if (match_id is None) == (features is None):
        raise BadInput("Give either a match id or --features FILE.")
    if features is None:
        return {"match_id": match_id}
    try:
        content = json.loads(features.read_text(), parse_constant=_finite, parse_float=_finite)
    except OSError as error:
        raise BadInput(f"{features} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise BadInput(f"{features} is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise BadInput(f'{features} has to hold a JSON object such as {{"elo_difference": 35.5, ...}}.')
    return {"features": content}


def _finite(text: str) -> float:
    """Return a number of a JSON file, which Python would also read as one that JSON does not have."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number in JSON; leave a missing feature out")
    return number


def _show_prediction(prediction: dict[str, Any]) -> None:
    model = prediction["model"]
    table = Table(*OUTCOMES, title=prediction["match_id"] or "own features")
    table.add_row(*(f"{prediction[outcome]:.1%}" for outcome in OUTCOMES))
    table.caption = f"{model['name']} {model['version']} ({model['stage']})"
    output.answers.print(table)
