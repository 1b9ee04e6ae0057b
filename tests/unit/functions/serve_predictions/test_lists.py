"""Lists answer as their models say, filtered by their query, and name the parameter that is malformed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from functions.serve_predictions.handler import lambda_handler
from tests.support.http_events import Answer, Context, answer
from tests.support.served_paths import LISTS, PAGES, problem
from tests.support.serving import Service
from tests.support.snapshots import SNAPSHOT_ID, prediction_rows, put_snapshot, snapshot_files

if TYPE_CHECKING:
    from pydantic import BaseModel

Get = Callable[..., Answer]


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


def test_a_list_needs_a_token_with_a_tenant(service: Service, get: Get) -> None:
    problem(get("/predict/predictions/", tenant=None), 403, "tenant-missing")


def test_a_bookmaker_without_odds_gives_empty_lists(service: Service, get: Get) -> None:
    service.restart(odds_bookmaker="nobody")
    for name in ("cards", "odds"):
        page = get(f"/predict/{name}/").json
        assert (page["items"], page["next_cursor"], page["total"]) == ([], None, 0)
    assert get("/predict/predictions/").json["total"] == 7


def test_the_sample_event_is_answered(service: Service) -> None:
    from pathlib import Path

    import functions.serve_predictions as package

    event = json.loads((Path(str(package.__file__)).parent / "event.json").read_text())
    page = answer(lambda_handler(event, Context())).json
    assert (len(page["items"]), page["total"]) == (2, 7)
