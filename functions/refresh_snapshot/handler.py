"""Entry of refresh_snapshot: one new snapshot, on a schedule or on demand."""

from __future__ import annotations

import time
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from matchcast.bootstrap import parts, refresh, releases
from matchcast.domain.manifests import SnapshotManifest
from matchcast.errors import MatchcastError, PredictionsPending, ReleaseRaceLost, ReleaseRefused
from matchcast.observability import MetricUnit, flushed_metrics, logger, metrics, report_refused
from matchcast.snapshots.refresh import RefreshSnapshot


class RefreshAnswer(BaseModel):
    """What an invocation answers: the snapshot that is served from now on."""

    model_config = ConfigDict(frozen=True)

    snapshot_id: str
    model: str = Field(description="Name and version of the model that made it.")
    bookmaker: str = Field(description="Whose odds it shows.")
    rows: dict[str, int] = Field(description="Rows by file.")
    seconds: float = Field(ge=0, description="How long it took to make and publish.")

    @classmethod
    def of(cls, manifest: SnapshotManifest, seconds: float) -> Self:
        """Describe a snapshot that was published."""
        return cls(
            snapshot_id=manifest.snapshot_id,
            model=f"{manifest.model.name} {manifest.model.version}",
            bookmaker=manifest.bookmaker,
            rows={name: entry.rows or 0 for name, entry in sorted(manifest.files.items())},
            seconds=round(seconds, 3),
        )


class PendingAnswer(BaseModel):
    """What an invocation answers whose predictions a batch is still making: the next one goes on."""

    model_config = ConfigDict(frozen=True)

    pending: str = Field(description="What is still to be done.")
    seconds: float = Field(ge=0, description="How long the invocation went on.")


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001
    """Make and publish a snapshot, whatever the event is.

    A snapshot that is refused ends the invocation with its error, so that it is counted, alarmed on and,
    on a schedule, tried again; the last good snapshot keeps serving. Predictions that a batch is still making are no
    error: the next invocation goes on with that batch.
    """
    started = time.perf_counter()
    use_case = refresh.refresh_snapshot(lambda: context.get_remaining_time_in_millis() / 1000)
    try:
        manifest = use_case.refresh()
    except PredictionsPending as pending:
        with flushed_metrics():
            return _answer_pending(pending, time.perf_counter() - started)
    except MatchcastError as error:
        if isinstance(error, ReleaseRefused) and not isinstance(error, ReleaseRaceLost):
            report_refused("snapshot", error)
        else:
            logger.error("no snapshot made", code=error.code, detail=error.detail)
        raise
    answer = RefreshAnswer.of(manifest, time.perf_counter() - started)
    logger.info("snapshot published", **answer.model_dump())
    with flushed_metrics():
        _remove_old(use_case)
    return answer.model_dump(mode="json")


def _answer_pending(pending: PredictionsPending, seconds: float) -> dict[str, Any]:
    """Say what is still to be done."""
    metrics.add_metric(name="snapshots_pending_total", unit=MetricUnit.Count, value=1)
    logger.info("predictions pending", detail=pending.detail)
    return PendingAnswer(pending=pending.detail, seconds=round(seconds, 3)).model_dump(mode="json")


def _remove_old(use_case: RefreshSnapshot) -> None:
    """Make room; a failure here changes nothing about the published snapshot."""
    try:
        removed = use_case.remove_old()
    except MatchcastError as error:
        logger.warning("old snapshots stay", code=error.code, detail=error.detail)
        metrics.add_metric(name="retention_errors_total", unit=MetricUnit.Count, value=1)
    else:
        if removed:
            logger.info("old snapshots removed", objects=len(removed))


parts.make_at_init(releases.objects)
