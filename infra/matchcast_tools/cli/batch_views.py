"""How `matchcast batch` shows batches, their progress and what they came to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.table import Column, Table

from matchcast_tools.cli import output
from matchcast_tools.progress import Items
from matchcast_tools.stack.transfers import Moved

_MEGABYTE = 1_000_000


def moving_bytes(bar: Items) -> Moved:
    """Return what shows the bytes of a file on a bar."""
    return lambda done, total: bar(done, total, f"{done / _MEGABYTE:.1f} of {total / _MEGABYTE:.1f} MB")


def row_bar(bar: Items, batch: dict[str, Any]) -> None:
    """Show how far a batch is: rows, rows a second, and its estimated end."""
    counts, speed = batch["counts"], batch["progress"]
    if counts["total"] is None:
        return bar(0, 1, "the input is being read")
    done = counts["total"] - counts["queued"]
    said = [f"{done:,} of {counts['total']:,} rows"]
    if speed["rows_per_second"]:
        said.append(f"{speed['rows_per_second']:,.0f} rows/s")
    if speed["estimated_end"]:
        said.append(f"until {datetime.fromisoformat(speed['estimated_end']).astimezone():%H:%M:%S}")
    return bar(done, counts["total"], ", ".join(said))


def hint_at(batch_id: str) -> str:
    """Return how to go on with a batch that runs."""
    return f"Go on with `matchcast batch wait {batch_id}`, then `matchcast batch download {batch_id}`."


def summary(batch: dict[str, Any], *paths: str) -> str:
    """Return what a batch came to, in a line."""
    said = f"{batch['batch_id']} {batch['status']}"
    if batch["error"] is not None:
        said += f" ({batch['error']['code']}): {batch['error']['detail']}"
    counts = batch["counts"]
    if counts["total"] is not None:
        shown = ", ".join(f"{counts[name]:,} {name}" for name in ("succeeded", "failed", "cancelled") if counts[name])
        said += f": {counts['total']:,} rows{', ' if shown else ''}{shown}"
    if speed := batch["progress"]["rows_per_second"]:
        said += f" ({speed:,.0f} rows/s)"
    return said + "".join(f" -> {path}" for path in paths[:1]) + "".join(f", errors {path}" for path in paths[1:])


def show_batches(batches: Sequence[dict[str, Any]]) -> None:
    """Print batches as a table."""
    # An id that is cut off is of no use; the others may be.
    table = Table(
        Column("batch", no_wrap=True, min_width=36), "status", "stage", "rows", "succeeded", "failed", "cancelled",
        "created",
    )  # fmt: skip
    for batch in batches:
        counts = ("" if (count := batch["counts"][name]) is None else f"{count:,}" for name in _COUNTS)
        table.add_row(batch["batch_id"], batch["status"], batch["stage"], *counts, batch["created_at"])
    output.answers.print(table)


def show_batch(batch: dict[str, Any]) -> None:
    """Print one batch, a line for each fact."""
    model, source, speed = batch["provenance"]["model"], batch["provenance"]["input"], batch["progress"]
    facts = {
        "status": batch["status"],
        "error": batch["error"] and f"{batch['error']['code']}: {batch['error']['detail']}",
        **{name: batch["counts"][name] for name in (*_COUNTS, "queued")},
        "parts": speed["parts"] and f"{speed['parts_done']} of {speed['parts']} done",
        "rows a second": speed["rows_per_second"],
        "estimated end": speed["estimated_end"],
        "model": f"{model['name']} {model['version']} ({model['stage']}), run {model['run_id']}",
        "snapshot": batch["provenance"]["snapshot_id"],
        "input": f"{source['key']}, {source['size']:,} bytes",
        "generation": batch["generation"],
        **{name: batch[name] for name in ("created_at", "started_at", "completed_at", "expires_at")},
        **{name: batch["links"][name] for name in ("output", "errors")},
    }
    for name, fact in facts.items():
        if fact is not None:
            output.say(f"{name.replace('_', ' '):14} {fact}")


_COUNTS = ("total", "succeeded", "failed", "cancelled")
