from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from functions.serve_predictions.handler import lambda_handler
from functions.serve_predictions.schemas import (
    CardPage,
    OddsPage,
    PrecomputedPrediction,
    PredictionPage,
    RegionRoiPage,
    SnapshotScorecard,
)
from tests.support.documented import ask
from tests.support.http_events import OTHER_TENANT, Answer, Context, answer
from tests.support.serving import Service
from tests.support.snapshots import MODEL, SNAPSHOT_ID, prediction_rows, put_snapshot, snapshot_files

if TYPE_CHECKING:
    from pydantic import BaseModel

Get = Callable[..., Answer]
MATCH = "e0-2026-03-07-alder-birch"
LISTS = ["predictions", "cards", "odds"]
PAGES: dict[str, type[BaseModel]] = {
    "/predict/predictions/": PredictionPage,
    "/predict/cards/": CardPage,
    "/predict/odds/": OddsPage,
    "/predict/region-roi/": RegionRoiPage,
    "/predict/model/scorecard": SnapshotScorecard,
    f"/predict/precomputed/{MATCH}": PrecomputedPrediction,
}


def problem(found: Answer, status: int, code: str) -> dict[str, Any]:
    assert found.headers["content-type"] == "application/problem+json"
    assert (found.status, found.json["type"]) == (status, f"urn:matchcast:problem:{code}")
    body: dict[str, Any] = found.json
    return body


@pytest.mark.parametrize(("path", "model"), PAGES.items())
def test_every_answer_is_what_its_model_says(service: Service, get: Get, path: str, model: type[BaseModel]) -> None:
    found = get(path)
    assert (found.status, found.headers["content-type"]) == (200, "application/json")
    fields = {field.alias or name for name, field in model.model_fields.items()}
    assert set(found.json) == fields
    assert model.model_validate(found.json, extra="forbid").model_dump(mode="json", by_alias=True) == found.json


@pytest.mark.parametrize("path", PAGES)
def test_a_path_is_the_same_with_and_without_its_slash(service: Service, get: Get, path: str) -> None:
    with_slash, without = get(path.rstrip("/") + "/"), get(path.rstrip("/"))
    assert with_slash.status == 200
    assert with_slash.body == without.body
    assert with_slash.headers["etag"] == without.headers["etag"]


def test_a_page_says_which_snapshot_it_is_from(service: Service, get: Get) -> None:
    page = get("/predict/predictions/").json
    assert (page["snapshot_id"], page["as_of"], page["total"]) == (SNAPSHOT_ID, "2026-02-27T12:00:00Z", 7)


@pytest.mark.parametrize("name", LISTS)
def test_following_the_cursors_gives_the_whole_list_once(service: Service, get: Get, name: str) -> None:
    # GIVEN
    whole = get(f"/predict/{name}/").json["items"]
    found: list[Any] = []
    query: dict[str, Any] = {"limit": 2}
    # WHEN
    while True:
        page = get(f"/predict/{name}/", query=query).json
        found += page["items"]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    # THEN
    assert found == whole


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"region": "England"}, 4),
        ({"league": "La Liga", "team": "Alder"}, 1),
        ({"team": "São Pinho"}, 1),
        ({"team": "Nott'm Forest"}, 1),
        ({"date_from": "2026-03-08", "date_to": "2026-03-09"}, 2),
        ({"date_from": "2026-03-09", "date_to": "2026-03-08"}, 0),
        ({"region": "atlantis"}, 0),
        ({"unknown": "ignored"}, 7),
    ],
)
def test_a_list_is_filtered_by_its_query(service: Service, get: Get, query: dict[str, str], count: int) -> None:
    page = get("/predict/predictions/", query=query).json
    assert (page["total"], len(page["items"])) == (count, count)


def test_a_filter_that_holds_a_comma_is_one_value(service: Service, get: Get) -> None:
    rows = [{**prediction_rows()[0], "home_team": "Oak, Rovers"}]
    put_snapshot(service.objects, snapshot_files(predictions=rows))
    assert get("/predict/predictions/", query={"team": "oak, rovers"}).json["total"] == 1


def test_region_roi_is_filtered_by_its_region(service: Service, get: Get) -> None:
    assert [row["region"] for row in get("/predict/region-roi", query={"region": "Spain"}).json["items"]] == ["spain"]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("limit", "0"),
        ("limit", "1001"),
        ("limit", "ten"),
        ("limit", ""),
        ("date_from", "yesterday"),
        ("date_from", "1767225600"),
        ("date_from", "2026-02-30"),
        ("date_to", "2026-03-07T00:00:00"),
        ("date_to", ""),
        ("region", ""),
        ("team", "x" * 101),
        ("cursor", "not a cursor"),
        ("cursor", ""),
        ("cursor", "A" * 2001),
    ],
)
def test_a_malformed_parameter_is_a_422_that_names_it(
    service: Service, get: Get, name: str, parameter: str, value: str
) -> None:
    body = problem(get(f"/predict/{name}/", query={parameter: value}), 422, "invalid-request")
    assert [error["parameter"] for error in body["errors"]] == [parameter]


def test_a_repeated_parameter_is_a_422(service: Service, get: Get) -> None:
    problem(get("/predict/predictions/", query={"region": ["england", "spain"]}), 422, "invalid-request")


@pytest.mark.parametrize("limit", [1, 1000])
def test_the_ends_of_the_range_of_limit_are_allowed(service: Service, get: Get, limit: int) -> None:
    assert len(get("/predict/odds/", query={"limit": limit}).json["items"]) == min(limit, 6)


def cursor_of(get: Get, name: str = "predictions", **query: Any) -> str:
    cursor: str = get(f"/predict/{name}/", query={"limit": 1, **query}).json["next_cursor"]
    assert cursor
    return cursor


def test_a_changed_cursor_is_not_found(service: Service, get: Get) -> None:
    cursor = cursor_of(get)
    for changed in (cursor[:-1], "A" + cursor[1:], cursor + "A", cursor[:20]):
        problem(get("/predict/predictions/", query={"cursor": changed}), 404, "cursor-not-found")


def test_a_cursor_of_another_tenant_is_not_found(service: Service, get: Get) -> None:
    query = {"cursor": cursor_of(get)}
    assert get("/predict/predictions/", query=query).status == 200
    problem(get("/predict/predictions/", query=query, tenant=OTHER_TENANT), 404, "cursor-not-found")


def test_a_cursor_of_another_list_or_other_filters_is_not_found(service: Service, get: Get) -> None:
    cursor = cursor_of(get, region="england")
    assert get("/predict/predictions/", query={"cursor": cursor, "region": "england"}).status == 200
    problem(get("/predict/cards/", query={"cursor": cursor, "region": "england"}), 404, "cursor-not-found")
    problem(get("/predict/predictions/", query={"cursor": cursor, "region": "spain"}), 404, "cursor-not-found")
    problem(get("/predict/predictions/", query={"cursor": cursor}), 404, "cursor-not-found")


def test_a_cursor_goes_on_with_another_limit_and_in_a_newer_snapshot(service: Service, get: Get) -> None:
    whole = get("/predict/predictions/").json["items"]
    cursor = cursor_of(get)
    put_snapshot(service.objects, snapshot_id="20260302T000000Z-ffffffff")
    service.later()
    page = get("/predict/predictions/", query={"cursor": cursor, "limit": 3}).json
    assert (page["snapshot_id"], page["items"]) == ("20260302T000000Z-ffffffff", whole[1:4])


def test_a_list_needs_a_token_with_a_tenant(service: Service, get: Get) -> None:
    problem(get("/predict/predictions/", tenant=None), 403, "tenant-missing")


@pytest.mark.parametrize("path", [f"/predict/precomputed/{MATCH}", f"/predict/precomputed/{quote(MATCH, safe='')}/"])
def test_one_match_shows_all_columns(service: Service, get: Get, path: str) -> None:
    match = get(path).json
    assert (match["match_id"], match["home"], match["pick"]) == (MATCH, 0.5, "home")
    assert match["model"]["run_id"] == "run-3"
    assert set(match["features"]) == {"elo_difference", "form"}


def test_a_percent_encoded_id_is_the_same_match(service: Service, get: Get) -> None:
    assert get(f"/predict/precomputed/{MATCH.replace('-', '%2D')}").json["match_id"] == MATCH


@pytest.mark.parametrize(
    "match_id",
    ["e0-2026-03-07-no-body", "predictions", "%00", "a%2Fb", "⚽", "%FF", MATCH.upper(), "x" * 500, "'", "{}"],
)
def test_an_unknown_match_is_not_found(service: Service, get: Get, match_id: str) -> None:
    problem(get(f"/predict/precomputed/{match_id}"), 404, "match-not-found")


def test_the_scorecard_is_that_of_the_snapshot_and_says_of_which(service: Service, get: Get) -> None:
    # WHEN
    card = get("/predict/model/scorecard").json
    # THEN
    about = {name: card.pop(name) for name in ("snapshot_id", "as_of", "stale", "model")}
    assert about == {
        "snapshot_id": SNAPSHOT_ID,
        "as_of": "2026-02-27T12:00:00Z",
        "stale": False,
        "model": MODEL.model_dump(),
    }
    assert card == json.loads(snapshot_files()["scorecard.json"])
    assert card["overall"]["model"]["log_loss"] == {"value": None, "low": None, "high": None}


def test_a_snapshot_without_a_scorecard_answers_with_an_empty_one(service: Service, get: Get) -> None:
    files = {name: body for name, body in snapshot_files().items() if name != "scorecard.json"}
    put_snapshot(service.objects, files)
    card = get("/predict/model/scorecard").json
    assert (card["rows"], card["overall"], card["regions"], card["trained_until"]) == (0, None, [], None)
    SnapshotScorecard.model_validate(card, extra="forbid")


def test_a_bookmaker_without_odds_gives_empty_lists(service: Service, get: Get) -> None:
    service.restart(odds_bookmaker="nobody")
    for name in ("cards", "odds"):
        page = get(f"/predict/{name}/").json
        assert (page["items"], page["next_cursor"], page["total"]) == ([], None, 0)
    assert get("/predict/predictions/").json["total"] == 7


@pytest.mark.parametrize("path", PAGES)
def test_an_answer_that_the_client_holds_is_a_304_without_a_body(service: Service, get: Get, path: str) -> None:
    first = get(path)
    again = get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
    since = get(path, headers={"If-Modified-Since": first.headers["last-modified"]})
    assert since.status == 304


def test_a_304_becomes_a_200_with_the_next_snapshot(service: Service, get: Get) -> None:
    tag = get("/predict/cards/").headers["etag"]
    put_snapshot(service.objects, snapshot_id="20260302T000000Z-ffffffff")
    service.later()
    assert get("/predict/cards/", headers={"If-None-Match": tag}).status == 200


def test_an_answer_may_be_kept_by_its_client_for_as_long_as_the_manifest_is_trusted(service: Service, get: Get) -> None:
    assert get("/predict/cards/").headers["cache-control"] == "private, max-age=30"


def test_tenants_do_not_share_entity_tags_because_their_cursors_differ(service: Service, get: Get) -> None:
    mine, other = get("/predict/cards/"), get("/predict/cards/", tenant=OTHER_TENANT)
    assert mine.headers["etag"] != other.headers["etag"]
    assert mine.json["items"] == other.json["items"]


@pytest.mark.parametrize("path", PAGES)
def test_a_wrong_cursor_or_match_is_an_error_whatever_the_client_holds(service: Service, get: Get, path: str) -> None:
    everything = {"If-None-Match": "*"}
    assert get(path, headers=everything).status == 304
    problem(get("/predict/precomputed/no-such-match", headers=everything), 404, "match-not-found")
    problem(get("/predict/cards/", query={"cursor": "AAAA"}, headers=everything), 404, "cursor-not-found")


def test_a_compressed_page_is_the_same_page(service: Service, get: Get) -> None:
    plain, small = get("/predict/cards/"), get("/predict/cards/", headers={"Accept-Encoding": "gzip, br"})
    assert small.headers["content-encoding"] == "gzip"
    assert small.raw["isBase64Encoded"] is True
    assert small.body == plain.body
    assert small.headers["etag"] != plain.headers["etag"]


@pytest.mark.parametrize("path", PAGES)
def test_without_a_snapshot_every_list_is_a_503_that_says_when_to_come_back(
    empty: Service, get: Get, path: str
) -> None:
    found = get(path)
    problem(found, 503, "snapshot-unavailable")
    assert found.headers["retry-after"] == "5"
    assert b"snapshots/" not in found.body


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/predict/predictions", "GET"),
        ("DELETE", "/predict/async/", "GET, POST"),
        ("PUT", "/predict/e0-2026-03-07-alder-birch", "GET"),
        ("GET", "/predict/", "POST"),
        ("OPTIONS", "/predict/cards/", "GET"),
        ("HEAD", "/health", "GET"),
    ],
)
def test_a_path_of_any_function_under_another_method_is_a_405(
    service: Service, method: str, path: str, allow: str
) -> None:
    found = ask(lambda_handler, method, path)
    problem(found, 405, "method-not-allowed")
    assert found.headers["allow"] == allow


@pytest.mark.parametrize("path", ["/", "/predict/a/b/c", "/nothing", "/predict/precomputed/"])
def test_an_unknown_path_is_a_404(service: Service, get: Get, path: str) -> None:
    assert get(path).status == 404


def test_requests_are_counted_by_how_they_ended(service: Service, get: Get, capsys: pytest.CaptureFixture[str]) -> None:
    # WHEN one request succeeds, one asks for an unknown match, and one finds no snapshot
    get("/predict/predictions/")
    get("/predict/precomputed/no-such-match")
    service.objects.put("snapshots/manifest.json", b"")
    service.restart()
    get("/predict/cards/")
    # THEN
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    counted = [line for line in lines if "prediction_requests_total" in line]
    assert [(line["source"], line["stage"], line["outcome"]) for line in counted] == [
        ("precomputed", "champion", "succeeded"),
        ("precomputed", "champion", "rejected"),
        ("precomputed", "unknown", "failed"),
    ]


def test_the_age_of_the_snapshot_is_reported_once_a_look_into_the_bucket(
    service: Service, get: Get, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        get("/predict/predictions/")
    service.later()
    get("/predict/odds/")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "snapshot_age_seconds" in line]
    assert [line["snapshot_age_seconds"] for line in lines] == [[300.0], [331.0]]


def test_the_sample_event_is_answered(service: Service) -> None:
    from pathlib import Path

    import functions.serve_predictions as package

    event = json.loads((Path(str(package.__file__)).parent / "event.json").read_text())
    page = answer(lambda_handler(event, Context())).json
    assert (len(page["items"]), page["total"]) == (2, 7)
