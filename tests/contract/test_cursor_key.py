"""The key of cursors comes from the template's secret, and an answer says when it cannot be had."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from matchcast.bootstrap import http
from matchcast.errors import StorageUnavailable


@pytest.fixture(autouse=True)
def _new_environment() -> Iterator[None]:
    """Make the cursors anew, as a new environment of a function does."""
    http.cursors.cache_clear()
    yield
    http.cursors.cache_clear()


def test_a_cursor_is_opened_by_every_environment_of_the_stack(
    aws: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a cursor that one environment sealed
    monkeypatch.setenv("CURSOR_SECRET_NAME", aws["CursorSecretName"])
    sealed = http.cursors().seal(["e0"], {"list": "odds"})
    # WHEN another one opens it
    http.cursors.cache_clear()
    # THEN it reads the same position
    assert http.cursors().open(sealed, {"list": "odds"}) == ["e0"]


def test_a_secret_that_cannot_be_read_is_an_answer_for_later(
    aws: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURSOR_SECRET_NAME", f"{aws['CursorSecretName']}-other")
    cursors = http.cursors()
    with pytest.raises(StorageUnavailable, match="secret that signs cursors"):
        cursors.seal(["e0"], {"list": "odds"})
