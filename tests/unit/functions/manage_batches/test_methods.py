"""Methods and paths of the routes of batches."""

from __future__ import annotations

import pytest

from tests.support.managed_batches import ManagedBatches

BATCHES = "/predict/batch/"
NOBODYS = f"{BATCHES}019ca945-0a00-7d61-8ac3-54eb9c6d4038"


def test_head_is_get_without_its_body(service: ManagedBatches) -> None:
    # GIVEN
    path = service.path()

    # WHEN
    heads = [service.ask("HEAD", where) for where in (path, BATCHES, NOBODYS)]
    gets = [service.ask("GET", where) for where in (path, BATCHES, NOBODYS)]

    # THEN
    assert [head.status for head in heads] == [get.status for get in gets] == [200, 200, 404]
    assert [head.headers for head in heads] == [get.headers for get in gets]
    assert service.ask("HEAD", "/predict/batch/uploads").status == 405


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/predict/batch", "GET, HEAD, POST"),
        ("GET", "/predict/batch/uploads", "POST"),
        ("DELETE", "/predict/batch/uploads/", "POST"),
        ("POST", NOBODYS, "DELETE, GET, HEAD"),
        ("GET", f"{NOBODYS}/retry-failed/", "POST"),
    ],
)
def test_another_method_is_a_405(service: ManagedBatches, method: str, path: str, allow: str) -> None:
    answer = service.ask(method, path)

    assert (answer.status, answer.headers.get("allow")) == (405, allow)


@pytest.mark.parametrize("path", [f"{NOBODYS}/parts", f"{NOBODYS}/retry-failed/x", "/predict/batch/uploads/x"])
def test_a_path_below_is_a_404(service: ManagedBatches, path: str) -> None:
    assert service.ask("POST", path, {}).status == 404
