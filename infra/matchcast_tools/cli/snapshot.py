"""`matchcast snapshot`: from a dataset to a new snapshot of the stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from matchcast.snapshots.contract import SHOWN_ODDS_FILE
from matchcast_tools.cli import output
from matchcast_tools.cli.options import AsJson, DataDir
from matchcast_tools.stack.find_stack import find_stack

if TYPE_CHECKING:
    import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(snapshot)


def snapshot(*, data: DataDir, as_json: AsJson = False) -> None:
    """Upload the dataset to the stack and have it make a new snapshot."""
    with output.progress("making the snapshot") as tell:
        from matchcast.errors import ReleaseRefused, Transient
        from matchcast.releases.retention import prune_datasets
        from matchcast_tools.dataset.upload import publish_dataset
        from matchcast_tools.stack.bucket import open_bucket
        from matchcast_tools.stack.invoke_refresh import invoke_refresh

        stack = find_stack()
        tell("uploading the dataset")
        bucket = open_bucket(stack)
        dataset = publish_dataset(bucket, data)
        tell("computing predictions, odds and ROI")
        made = {"dataset_id": dataset.dataset_id, **invoke_refresh(stack)}
        try:
            prune_datasets(bucket)
        except (ReleaseRefused, Transient) as error:
            output.warn(f"Old datasets were not removed: {error.detail}")
    output.answer(made, lambda: _show(made), as_json=as_json)


def _show(made: dict[str, Any]) -> None:
    output.say(f"snapshot {made['snapshot_id']} by {made['model']}, in {made['seconds']} s")
    table = Table("file", "rows")
    for name, rows in made["rows"].items():
        table.add_row(name, str(rows))
    output.answers.print(table)
    if made["rows"].get(SHOWN_ODDS_FILE) == 0:
        output.warn(
            f"The dataset has no odds of {made['bookmaker']} for these matches, so cards, odds and ROI are empty. "
            "Deploy with OddsBookmaker set to a book that it has."
        )
