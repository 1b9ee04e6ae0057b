"""Pages and matches of the snapshot as answers that clients may keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import orjson

from matchcast.bootstrap import http, snapshots
from matchcast.http.api import Api
from matchcast.http.caching import Freshness, cached_response
from matchcast.http.contract import answers
from matchcast.observability import MetricUnit, metrics
from matchcast.snapshots.serve import ServedSnapshot
from matchcast.snapshots.tables import Filters, RowsPage

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

ListName = Literal["predictions", "cards", "odds"]
_FORMAT = 2
"""Part of every entity tag; raise it when the same snapshot is written in another way."""
STALE_HEADER = "Snapshot-Stale"
"""A boolean of RFC 9651: `?1` on answers out of a snapshot that is older than it should be, else `?0`."""

snapshot_answers = partial(
    answers,
    headers={
        STALE_HEADER: {
            "description": "`?1`: the snapshot is older than it should be, and so is this answer. `?0`: it is not.",
            "schema": {"type": "string", "enum": ["?0", "?1"]},
        }
    },
)
"""What `matchcast.http.contract.answers` says, of routes that answer out of the snapshot."""


@dataclass(frozen=True, slots=True)
class Source:
    """The snapshot that one request is answered from, and since when it is older than it should be, if it is."""

    served: ServedSnapshot
    stale_since: datetime | None

    @property
    def about(self) -> dict[str, Any]:
        """Return what every list says of its snapshot."""
        manifest = self.served.manifest
        return {
            "snapshot_id": manifest.snapshot_id,
            "as_of": manifest.as_of,
            "stale": self.stale_since is not None,
        }


class SnapshotAnswers:
    """Answers requests of one `Api` out of the snapshot."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._reported_at: datetime | None = None

    def match_list(self, name: ListName, filters: Filters, limit: int, cursor: str | None) -> Response[Any]:
        """Return one page of a list."""
        source = self._current()
        bound_to = {"list": name, "tenant": self._api.tenant, **asdict(filters)}
        after = http.cursors().open(cursor, bound_to) if cursor else None

        def body() -> bytes:
            page = getattr(source.served.tables, name).page(filters, after and tuple(after), limit)
            following = http.cursors().seal(page.last, bound_to) if page.last else None
            return page_body(source, page, following)

        return self._cached(source, {**bound_to, "after": after, "limit": limit}, body)

    def region_roi(self, region: str | None) -> Response[Any]:
        """Return the figures of one region, or of all."""
        source = self._current()

        def body() -> bytes:
            return page_body(source, source.served.tables.region_roi.page(region), None)

        return self._cached(source, {"list": "region_roi", "region": region}, body)

    def scorecard(self) -> Response[Any]:
        """Return how good the model's predictions of played matches were."""
        source = self._current()
        return self._cached(source, {"list": "scorecard"}, lambda: scorecard_body(source))

    def match(self, match_id: str) -> Response[Any]:
        """Return everything that the snapshot says of one match."""
        source = self._current()
        row = source.served.match(match_id)
        return self._cached(source, {"match": match_id}, lambda: row)

    def _current(self) -> Source:
        """Return the present snapshot, whose stage the request asks for."""
        use_case = snapshots.serve_snapshot()
        served = use_case.current()
        if self._reported_at != use_case.checked_at:
            # Once a look into the bucket, not once a request: each of these is a log line.
            self._reported_at = use_case.checked_at
            age = use_case.age_seconds(served.manifest)
            metrics.add_metric(name="snapshot_age_seconds", unit=MetricUnit.Seconds, value=age)
        self._api.asked.stage = served.manifest.model.stage
        return Source(served, use_case.stale_since(served.manifest))

    def _cached(self, source: Source, identity: Mapping[str, Any], body: Callable[[], bytes]) -> Response[Any]:
        settings, manifest = snapshots.serve_predictions_settings(), source.served.manifest
        freshness = Freshness(
            identity={
                "format": _FORMAT,
                "snapshot": manifest.snapshot_id,
                "stale": source.stale_since is not None,
                "bookmaker": settings.odds_bookmaker,
                **identity,
            },
            # A client that holds the answer has to learn that it is stale, whichever condition it sends.
            modified_at=source.stale_since or manifest.created_at,
            cache_control=f"private, max-age={int(settings.model_refresh_seconds)}",
        )
        response = cached_response(self._api.current_event.headers, freshness, body)
        response.headers[STALE_HEADER] = "?0" if source.stale_since is None else "?1"
        return response


def page_body(source: Source, page: RowsPage, next_cursor: str | None) -> bytes:
    """Return a page as JSON: the encoded rows as they are, and what is said of them."""
    about = {"next_cursor": next_cursor, **source.about, "total": page.total}
    return b'{"items":[' + page.rows + b"]," + orjson.dumps(about, option=orjson.OPT_UTC_Z)[1:]


def scorecard_body(source: Source) -> bytes:
    """Return the scorecard as JSON: the encoded card as it is, and whose it is."""
    about = {**source.about, "model": source.served.manifest.model.model_dump()}
    return orjson.dumps(about, option=orjson.OPT_UTC_Z)[:-1] + b"," + source.served.tables.scorecard[1:]
