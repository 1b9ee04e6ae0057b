"""Status, list, cancellation and retry of batches as clients meet them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from matchcast.domain.batch import BatchStatus
from matchcast.domain.task import GONE_FOR, new_task_id
from tests.support.batch_flow import MIXED
from tests.support.managed_batches import MATCH, ManagedBatches
from tests.support.stored_batches import a_batch, running
from tests.support.tasks import NOW

BATCHES = "/predict/batch/"
NOBODYS = f"{BATCHES}{new_task_id(NOW)}"
MALFORMED = ["x" * 2_044, "%00", "01a1fd25-ab87-7a37-bd5a-32af2bce337", "A" * 36, "%ED%A0%80", "uploads-", "..", "%2F"]


def of_rows(service: ManagedBatches, rows: list[Any]) -> str:
    """Have a file of rows predicted; return the path of its batch, which has ended."""
    path = service.path(input=service.flow.upload(rows), output_format="jsonl")
    service.flow.settle()
    return path


def calls(service: ManagedBatches, path: str, tenant: str = "north") -> list[Any]:
    """Ask all that can be asked of one batch."""
    return [
        service.ask("GET", path, tenant=tenant),
        service.ask("GET", path, tenant=tenant, query={"links": "true", "parts": "true"}),
        service.ask("DELETE", path, tenant=tenant),
        service.ask("POST", f"{path}/retry-failed", tenant=tenant),
    ]


def test_a_batch_that_has_ended_shows_its_counts_and_no_address_unasked(service: ManagedBatches) -> None:
    # GIVEN
    path = of_rows(service, MIXED)

    # WHEN
    answer = service.ask("GET", path)

    # THEN
    assert answer.json["status"] == "succeeded"
    assert answer.json["counts"] == {"total": 10, "queued": 0, "succeeded": 6, "failed": 4, "cancelled": 0}
    assert answer.json["progress"]["parts"] == answer.json["progress"]["parts_done"] == 3
    assert answer.json["links"] == {"status": path, "output": None, "errors": None}
    assert answer.json["parts"] is None


@pytest.mark.parametrize("slash", ["", "/"])
def test_addresses_are_signed_for_the_files_that_are_there(service: ManagedBatches, slash: str) -> None:
    # GIVEN
    batch_id = of_rows(service, MIXED).rpartition("/")[2]

    # WHEN
    shown = service.ask("GET", f"{BATCHES}{batch_id}{slash}", query={"links": "true", "parts": "true"}).json

    # THEN
    folder = f"https://bucket.example/batches/{batch_id}"
    assert shown["links"]["output"] == f"{folder}/output-0.jsonl?filename={batch_id}.jsonl&seconds=900"
    assert shown["links"]["errors"] == f"{folder}/errors-0.jsonl?filename={batch_id}.errors.jsonl&seconds=900"
    assert [(part["number"], part["first_row"], part["rows"]) for part in shown["parts"]] == [
        (0, 0, 4),
        (1, 4, 4),
        (2, 8, 2),
    ]
    for part in shown["parts"]:
        for link in (part["links"]["output"], part["links"]["errors"]):
            key = link.removeprefix("https://bucket.example/").partition("?")[0]
            assert service.flow.raw.get(key) is not None


@pytest.mark.parametrize("status", [each for each in BatchStatus if not each.is_final] + [BatchStatus.FAILED])
def test_a_batch_without_files_has_no_addresses(service: ManagedBatches, status: BatchStatus) -> None:
    batch = running(a_batch(), status=status)
    service.flow.records.create(batch)

    shown = service.ask("GET", f"{BATCHES}{batch.batch_id}", query={"links": "true", "parts": "true"}).json

    assert shown["links"] == {"status": f"{BATCHES}{batch.batch_id}", "output": None, "errors": None}
    assert shown["parts"] == []


def test_files_of_an_earlier_generation_are_not_shown_while_rows_run_again(service: ManagedBatches) -> None:
    # GIVEN
    path = of_rows(service, MIXED)

    # WHEN
    again = service.ask("POST", f"{path}/retry-failed")
    shown = service.ask("GET", path, query={"links": "true"}).json

    # THEN
    assert (again.status, again.headers["location"], again.json["generation"]) == (202, path, 1)
    assert (shown["status"], shown["links"]["output"]) == ("queued", None)
    # WHEN they have run
    service.flow.poisoned = False
    service.flow.settle()
    # THEN
    ended = service.ask("GET", path, query={"links": "true"}).json
    assert "output-1" in ended["links"]["output"]
    assert (ended["counts"]["succeeded"], ended["counts"]["failed"]) == (8, 2)


def test_parts_are_shown_from_a_number_on(service: ManagedBatches) -> None:
    path = of_rows(service, MIXED)

    shown = service.ask("GET", path, query={"parts": "true", "after": 0}).json["parts"]

    assert [part["number"] for part in shown] == [1, 2]
    assert shown[0]["links"] == {"output": None, "errors": None}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("links", value) for value in ("", "1", "yes", "True", "null", "true,true")),
        *(("parts", value) for value in ("0", "on")),
        *(("after", value) for value in ("-1", "1.0", "1000000", "9" * 400, "٣", " 1")),
        *(("with_parts", "true"), ("link", "true"), ("status", "queued")),
    ],
)
def test_a_parameter_of_another_form_is_a_422(service: ManagedBatches, name: str, value: str) -> None:
    path = service.path()

    answer = service.ask("GET", path, query={name: value})

    assert answer.status == 422
    assert [error["parameter"] for error in answer.json["errors"]] == [name]
    assert len(answer.body) < 1_500


def test_a_parameter_that_is_sent_twice_is_a_422(service: ManagedBatches) -> None:
    assert service.ask("GET", service.path(), query={"links": ["true", "true"]}).status == 422
    assert service.ask("GET", BATCHES, query={"limit": [1, 2]}).status == 422


@pytest.mark.parametrize("batch_id", MALFORMED)
def test_what_cannot_be_a_batch_is_a_404_without_a_question_to_the_table(
    service: ManagedBatches, monkeypatch: pytest.MonkeyPatch, batch_id: str
) -> None:
    # GIVEN
    monkeypatch.setattr(service.flow.records, "get_many", lambda _: pytest.fail("the table was asked"))

    # WHEN
    found = calls(service, f"{BATCHES}{batch_id}")

    # THEN
    assert [answer.status for answer in found] == [404] * 4
    assert all(len(answer.body) < 1_000 for answer in found)


def test_another_tenants_batch_is_a_404_like_one_that_never_was(service: ManagedBatches) -> None:
    # GIVEN
    path = of_rows(service, MIXED)
    before = service.flow.records.get_many([path.rpartition("/")[2]])

    # WHEN
    found = [*calls(service, path, "south"), *calls(service, NOBODYS)]

    # THEN
    assert {(answer.status, answer.json["type"]) for answer in found} == {
        (404, "urn:matchcast:problem:batch-not-found")
    }
    assert service.ask("GET", BATCHES, tenant="south").json["items"] == []
    assert service.flow.records.get_many([path.rpartition("/")[2]]) == before
    assert service.flow.queue.messages == []


def test_an_expired_batch_is_a_410_and_a_404_when_it_is_forgotten(service: ManagedBatches) -> None:
    # GIVEN
    path = of_rows(service, MIXED)

    # WHEN
    service.expire()

    # THEN
    assert [answer.status for answer in calls(service, path)] == [410] * 4
    assert [answer.status for answer in calls(service, path, "south")] == [404] * 4
    assert service.ask("GET", BATCHES).json["items"] == []
    # WHEN
    service.flow.now += GONE_FOR
    # THEN
    assert [answer.status for answer in calls(service, path)] == [404] * 4


def test_a_batch_that_waits_is_cancelled_at_once_and_again_with_no_effect(service: ManagedBatches) -> None:
    # GIVEN
    path = service.path()

    # WHEN
    answers = [service.ask("DELETE", path) for _ in range(2)]

    # THEN
    assert [(answer.status, answer.json["status"]) for answer in answers] == [(200, "cancelled")] * 2
    assert answers[0].json == answers[1].json
    counts = {"total": None, "queued": None, "succeeded": 0, "failed": 0, "cancelled": 0}
    assert answers[0].json["counts"] == counts


@pytest.mark.parametrize(
    ("rows", "method", "suffix", "says"),
    [
        (MIXED, "DELETE", "", "only an open one"),
        ([MIXED[0], MIXED[1]], "POST", "/retry-failed", "no rows to run again"),
        ([""], "POST", "/retry-failed", "Mend the file"),
    ],
)
def test_what_has_nothing_to_cancel_or_to_run_is_a_409(
    service: ManagedBatches, rows: list[Any], method: str, suffix: str, says: str
) -> None:
    path = of_rows(service, rows)

    answer = service.ask(method, path + suffix)

    assert answer.status == 409
    assert says in answer.json["detail"]


def test_an_open_batch_is_not_run_again(service: ManagedBatches) -> None:
    answer = service.ask("POST", f"{service.path()}/retry-failed")

    assert (answer.status, "only one that has ended" in answer.json["detail"]) == (409, True)


def test_a_retry_with_a_key_runs_once_and_its_key_is_for_nothing_else(service: ManagedBatches) -> None:
    # GIVEN
    path, other = of_rows(service, MIXED), of_rows(service, MIXED[:5])
    headers = {"Idempotency-Key": "again"}

    # WHEN
    first = service.ask("POST", f"{path}/retry-failed", headers=headers)
    service.flow.settle()
    repeated = service.ask("POST", f"{path}/retry-failed/", headers=headers)
    reused = service.ask("POST", f"{other}/retry-failed", headers=headers)
    submitted = service.ask("POST", BATCHES, {"match_ids": [MATCH]}, headers=headers)
    malformed = service.ask("POST", f"{path}/retry-failed", headers={"Idempotency-Key": ""})

    # THEN
    assert [answer.status for answer in (first, repeated, reused, submitted, malformed)] == [202, 202, 422, 422, 400]
    assert (repeated.json["generation"], repeated.json["status"]) == (1, "succeeded")


def test_a_list_pages_with_a_cursor_that_is_bound_to_the_tenant(service: ManagedBatches) -> None:
    # GIVEN
    made = []
    for _ in range(5):
        made.append(service.path())
        service.flow.now += timedelta(seconds=1)
    # WHEN
    first = service.ask("GET", BATCHES, query={"limit": 3})
    cursor = first.json["next_cursor"]
    rest = service.ask("GET", "/predict/batch", query={"limit": 3, "cursor": cursor})

    # THEN
    shown = [item["links"]["status"] for item in first.json["items"] + rest.json["items"]]
    assert shown == made[::-1]
    assert rest.json["next_cursor"] is None
    # AND nothing else is a cursor of this list
    assert service.ask("GET", BATCHES, query={"cursor": cursor}, tenant="south").status == 404
    assert service.ask("GET", BATCHES, query={"cursor": f"{cursor[:-2]}AA"}).status == 404
    for wrong in ("not a cursor", "", "a" * 2_001):
        assert service.ask("GET", BATCHES, query={"cursor": wrong}).status == 422
    for limit in (0, 101, "x", "1.0", "+5"):
        assert service.ask("GET", BATCHES, query={"limit": limit}).status == 422
