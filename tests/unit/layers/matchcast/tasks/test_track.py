"""Status, result and list of tasks."""

from __future__ import annotations

from datetime import timedelta

import pytest

from matchcast.adapters.in_memory import InMemoryTasks
from matchcast.domain.task import Task, TaskError, TaskStatus
from matchcast.errors import TaskGone, TaskNotFound, TaskOver
from matchcast.tasks.track import TrackTasks
from tests.support.tasks import NOW, a_prediction, a_task


def tracking(*tasks: Task) -> TrackTasks:
    store = InMemoryTasks()
    for task in tasks:
        store.create(task)
    return TrackTasks(store, store, lambda: NOW)


def test_a_tenant_sees_its_own_task_and_no_other_tenants() -> None:
    task = a_task()
    track = tracking(task)

    assert track.status("north", task.task_id) == task
    with pytest.raises(TaskNotFound):
        track.status("south", task.task_id)
    with pytest.raises(TaskNotFound):
        track.status("north", "no-such-task")


@pytest.mark.parametrize(
    ("age", "error"),
    [(timedelta(0), TaskGone), (timedelta(days=6, hours=23), TaskGone), (timedelta(days=7), TaskNotFound)],
)
def test_an_expired_task_is_gone_for_seven_days_and_then_forgotten(age: timedelta, error: type[Exception]) -> None:
    task = a_task(expires_at=NOW - age)

    with pytest.raises(error):
        tracking(task).status("north", task.task_id)


def test_another_tenants_expired_task_is_unknown_and_not_gone() -> None:
    task = a_task(expires_at=NOW)

    with pytest.raises(TaskNotFound):
        tracking(task).status("south", task.task_id)


def test_a_result_is_only_the_prediction() -> None:
    task = a_task(status=TaskStatus.SUCCEEDED, result=a_prediction())

    assert tracking(task).result("north", task.task_id) == task.result


def test_a_result_that_is_not_there_yet_is_the_task() -> None:
    task = a_task()

    assert tracking(task).result("north", task.task_id) == task


@pytest.mark.parametrize(
    "changes",
    [
        {"status": TaskStatus.FAILED, "error": TaskError(code="match-not-found", detail="No match")},
        {"status": TaskStatus.CANCELLED},
        {"status": TaskStatus.EXPIRED},
        {"start_by": NOW - timedelta(seconds=1)},
    ],
)
def test_a_task_that_ended_without_a_result_says_so(changes: dict[str, object]) -> None:
    task = a_task(**changes)

    with pytest.raises(TaskOver) as caught:
        tracking(task).result("north", task.task_id)

    error = changes.get("error")
    assert (error.detail if isinstance(error, TaskError) else "") in caught.value.detail


def test_pages_of_a_list_hold_every_task_once_newest_first() -> None:
    # GIVEN tasks of two tenants
    tasks = [a_task(created_at=NOW - timedelta(minutes=n)) for n in range(23)]
    track = tracking(*tasks, a_task(tenant="south"))

    # WHEN one tenant's list is read page by page
    seen: list[str] = []
    before = None
    while True:
        page = track.list("north", before=before, limit=10)
        seen += [task.task_id for task in page.tasks]
        before = page.next_before
        if before is None:
            break

    # THEN
    assert seen == [task.task_id for task in tasks]


def test_a_filter_by_status_reads_on_until_the_page_is_full() -> None:
    # GIVEN many tasks, of which one in a hundred failed
    tasks = [
        a_task(
            created_at=NOW - timedelta(seconds=n), status=TaskStatus.FAILED if n % 100 == 99 else TaskStatus.SUCCEEDED
        )
        for n in range(500)
    ]
    track = tracking(*tasks)

    # WHEN the failed ones are listed in pages of four
    page = track.list("north", limit=4, status=TaskStatus.FAILED)
    rest = track.list("north", before=page.next_before, limit=4, status=TaskStatus.FAILED)

    # THEN
    assert [task.task_id for task in [*page.tasks, *rest.tasks]] == [tasks[n].task_id for n in (99, 199, 299, 399, 499)]
    assert rest.next_before is None


def test_a_filter_that_finds_little_returns_a_cursor_instead_of_reading_on() -> None:
    tasks = [a_task(created_at=NOW - timedelta(seconds=n), status=TaskStatus.SUCCEEDED) for n in range(800)]
    track = tracking(*tasks)

    page = track.list("north", limit=5, status=TaskStatus.FAILED)

    assert (page.tasks, page.next_before) == ([], tasks[499].task_id)
    assert track.list("north", before=page.next_before, limit=5, status=TaskStatus.FAILED).next_before is None


def test_a_list_derives_expiry_and_hides_what_is_no_longer_readable() -> None:
    late = a_task(start_by=NOW - timedelta(seconds=1))
    gone = a_task(created_at=NOW - timedelta(days=2), expires_at=NOW)
    track = tracking(late, gone)

    assert [(task.task_id, task.status) for task in track.list("north").tasks] == [(late.task_id, TaskStatus.EXPIRED)]
    assert track.list("north", status=TaskStatus.QUEUED).tasks == []
