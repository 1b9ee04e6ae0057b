"""Pages and matches of the snapshot as answers that clients may keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import orjson

from matchcast import bootstrap
from matchcast.errors import MatchcastError
from matchcast.http.api import Api
from matchcast.http.caching import Freshness, cached_response
from matchcast.observability import MetricUnit, count_requests, metrics
from matchcast.use_cases.serve_snapshot import ServedSnapshot
from matchcast.use_cases.snapshot_tables import Filters, RowsPage

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

ListName = Literal["predictions", "cards", "odds"]
_FORMAT = 1
"""Part of every entity tag; raise it when the same snapshot is written in another way."""


class SnapshotAnswers:
    """Answers requests of one `Api` out of the snapshot."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._reported_at: datetime | None = None

    def match_list(self, name: ListName, filters: Filters, limit: int, cursor: str | None) -> Response[Any]:
        """Return one page of a list."""
        with self._request() as served:
            tenant = self._api.tenant(bootstrap.tenant_claim())
            bound_to = {"list": name, "tenant": tenant, **filters.as_dict()}
            after = bootstrap.cursors().open(cursor, bound_to) if cursor else None

            def body() -> bytes:
                page = getattr(served.tables, name).page(filters, after and tuple(after), limit)
                following = bootstrap.cursors().seal(page.last, bound_to) if page.last else None
                return page_body(served, page, following)

            return self._cached(served, {**bound_to, "after": after, "limit": limit}, body)

    def region_roi(self, region: str | None) -> Response[Any]:
        """Return the figures of one region, or of all."""
        with self._request() as served:

            def body() -> bytes:
                return page_body(served, served.tables.region_roi.page(region), None)

            return self._cached(served, {"list": "region_roi", "region": region}, body)

    def scorecard(self) -> Response[Any]:
        """Return how good the model's predictions of played matches were."""
        with self._request() as served:
            return self._cached(served, {"list": "scorecard"}, lambda: scorecard_body(served))

    def match(self, match_id: str) -> Response[Any]:
        """Return everything that the snapshot says of one match."""
        with self._request() as served:
            row = served.match(match_id)
            return self._cached(served, {"match": match_id}, lambda: row)

    @contextmanager
    def _request(self) -> Iterator[ServedSnapshot]:
        """Give the present snapshot, and count how the request for it ended."""
        stage, outcome = "unknown", "failed"
        try:
            served = self._current()
            stage = served.manifest.model.stage
            yield served
            outcome = "succeeded"
        except MatchcastError as error:
            outcome = "failed" if error.status >= 500 else "rejected"
            raise
        finally:
            count_requests("precomputed", stage, outcome)

    def _current(self) -> ServedSnapshot:
        use_case = bootstrap.serve_snapshot()
        served = use_case.current()
        if self._reported_at != use_case.checked_at:
            # Once a look into the bucket, not once a request: each of these is a log line.
            self._reported_at = use_case.checked_at
            age = use_case.age_seconds(served.manifest)
            metrics.add_metric(name="snapshot_age_seconds", unit=MetricUnit.Seconds, value=age)
        return served

    def _cached(self, served: ServedSnapshot, identity: Mapping[str, Any], body: Callable[[], bytes]) -> Response[Any]:
        settings = bootstrap.serve_predictions_settings()
        freshness = Freshness(
            identity={
                "format": _FORMAT,
                "snapshot": served.manifest.snapshot_id,
                "bookmaker": settings.odds_bookmaker,
                **identity,
            },
            modified_at=served.manifest.created_at,
            cache_control=f"private, max-age={int(settings.model_refresh_seconds)}",
        )
        return cached_response(self._api.current_event.headers, freshness, body)


def page_body(served: ServedSnapshot, page: RowsPage, next_cursor: str | None) -> bytes:
    """Return a page as JSON: the encoded rows as they are, and what is said of them."""
    about = {
        "next_cursor": next_cursor,
        "snapshot_id": served.manifest.snapshot_id,
        "as_of": served.manifest.as_of,
        "total": page.total,
    }
    return b'{"items":[' + page.rows + b"]," + orjson.dumps(about, option=orjson.OPT_UTC_Z)[1:]


def scorecard_body(served: ServedSnapshot) -> bytes:
    """Return the scorecard as JSON: the encoded card as it is, and whose it is."""
    manifest = served.manifest
    about = {
        "snapshot_id": manifest.snapshot_id,
        "as_of": manifest.as_of,
        "model": manifest.model.model_dump(),
    }
    return orjson.dumps(about, option=orjson.OPT_UTC_Z)[:-1] + b"," + served.tables.scorecard[1:]
