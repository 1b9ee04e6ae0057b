"""Routes of serve_predictions, and of everything that no other function answers."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.serve_predictions import documents
from functions.serve_predictions.answers import ListName, SnapshotAnswers, snapshot_answers
from functions.serve_predictions.parameters import Cursor, DateFrom, DateTo, League, Limit, Region, Team
from functions.serve_predictions.schemas import (
    CardPage,
    HealthProblem,
    HealthReport,
    OddsPage,
    Page,
    PrecomputedPrediction,
    PredictionPage,
    RegionRoiPage,
    SnapshotHealth,
    SnapshotScorecard,
)
from matchcast.bootstrap import http, parts, releases, snapshots
from matchcast.errors import CursorNotFound, MatchNotFound, RouteNotFound
from matchcast.http.api import Api, serve
from matchcast.http.contract import READ, SNAPSHOT, answers
from matchcast.snapshots.serve import HealthStatus
from matchcast.snapshots.tables import Filters

api = Api(http.settings)
snapshot = SnapshotAnswers(api)
_OF_LISTS = (
    "Sorted by kick-off, then by match id. The filters are combined, and a page without `next_cursor` is the last one."
)
_HEALTH_BODY = {"application/json": {"model": HealthReport}}
HEALTH_ANSWERS: dict[int, Any] = {
    200: {"description": "Requests are answered; `degraded`: out of old data.", "content": _HEALTH_BODY},
    503: {"description": "There is no snapshot to answer from.", "content": _HEALTH_BODY},
}


def add_list(name: ListName, page: type[Page], description: str) -> None:
    """Add the route of one list of matches."""

    def list_matches(
        *,
        region: Region = None,
        league: League = None,
        team: Team = None,
        date_from: DateFrom = None,
        date_to: DateTo = None,
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> Response[Any]:
        return snapshot.match_list(name, Filters(region, league, team, date_from, date_to), limit, cursor)

    # The OpenAPI document takes the operation's id, summary and description from these.
    list_matches.__name__, list_matches.__doc__ = f"list_{name}", f"{description}\n\n{_OF_LISTS}"
    api.get(
        f"/predict/{name}/", security=READ, responses=snapshot_answers(200, 304, CursorNotFound, *SNAPSHOT, model=page)
    )(list_matches)


add_list("predictions", PredictionPage, "Return precomputed predictions, display columns only.")
add_list(
    "cards",
    CardPage,
    "Return predictions with the bookmaker's odds: implied and margin-free probabilities, fair odds, edge.",
)
add_list("odds", OddsPage, "Return the bookmaker's odds alone.")


@api.get("/predict/region-roi/", security=READ, responses=snapshot_answers(200, 304, *SNAPSHOT, model=RegionRoiPage))
def region_roi(region: Region = None) -> Response[Any]:
    """Return what betting on the model's edges would have returned, region by region.

    One unit is staked wherever the model's probability x odds - 1 is above a threshold, on matches played since the
    model was trained.
    """
    return snapshot.region_roi(region)


@api.get(
    "/predict/model/scorecard", security=READ, responses=snapshot_answers(200, 304, *SNAPSHOT, model=SnapshotScorecard)
)
def model_scorecard() -> Response[Any]:
    """Return how good the predictions of matches played since were, next to the bookmaker and the base rate.

    Every figure has its 95% interval, over all matches and by region and season.
    """
    return snapshot.scorecard()


@api.get(
    "/predict/precomputed/<match_id>",
    security=READ,
    responses=snapshot_answers(200, 304, MatchNotFound, *SNAPSHOT, model=PrecomputedPrediction),
)
def precomputed(match_id: str) -> Response[Any]:
    """Return everything that was precomputed for one match.

    The features that the model was given are in it, by the names of its signature.
    """
    return snapshot.match(match_id)


@api.get("/health", responses=HEALTH_ANSWERS)
def health() -> Response[Any]:
    """Tell what is served and how good it is, as the answering environment knows it.

    `degraded` is served too: from a snapshot that is old, whose newest result is, or in place of a newer one that was
    refused.
    """
    found = snapshots.serve_snapshot().health()
    manifest, problem = found.manifest, found.problem
    report = HealthReport(
        status=found.status,
        snapshot=SnapshotHealth(
            id=manifest.snapshot_id if manifest else None,
            as_of=manifest.as_of if manifest else None,
            created_at=manifest.created_at if manifest else None,
            age_seconds=found.age_seconds,
            stale=found.stale,
            newest_result=manifest.newest_result if manifest else None,
            results_age_seconds=found.results_age_seconds,
            results_stale=found.results_stale,
            problem=HealthProblem(code=problem.code, detail=problem.public_detail) if problem else None,
        ),
        model=manifest.model if manifest else None,
    )
    status = 503 if found.status is HealthStatus.UNAVAILABLE else 200
    headers = {"Cache-Control": "no-store"}
    return Response(status, content_type="application/json", body=report.model_dump_json(), headers=headers)


@api.get("/", responses=answers(303, RouteNotFound))
def home() -> Response[Any]:
    """Lead to the page that describes the API.

    For people who open the API's address in a browser; a 404 where the documentation is turned off.
    """
    documents.demand_documentation()
    return Response(303, headers={"Location": "/docs", "Cache-Control": "public, max-age=300"})


@api.get("/openapi.json", responses=documents.document_answers)
def openapi() -> Response[Any]:
    """Return the OpenAPI document of the whole API.

    With the features that the served champion takes, and examples that can be sent as they are. No name in it changes
    with a release.
    """
    return documents.openapi_document(api.current_event.headers)


@api.get("/docs", responses=documents.page_answers)
def docs() -> Response[Any]:
    """Return a page to read and try the API.

    Swagger UI with this document; it loads nothing from another host.
    """
    return documents.docs_page(api.current_event.headers)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one HTTP request."""
    return serve(api, event, context)


parts.make_at_init(snapshots.serve_snapshot, releases.models, http.cursors)
