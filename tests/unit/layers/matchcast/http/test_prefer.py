"""The Prefer header: what can be read counts, what cannot is ignored, and nothing makes it slow."""

from __future__ import annotations

from datetime import timedelta

import pytest

from matchcast.http.prefer import parse_prefer


@pytest.mark.parametrize(
    ("header", "respond_async", "seconds"),
    [
        ("respond-async", True, None),
        ("Respond-Async , WAIT = 5", True, 5),
        ('wait="7"', False, 7),
        ("wait=5; strict, respond-async; x=1", True, 5),
        ("wait=0", False, 0),
        ("wait=007", False, 7),
        ("wait=28", False, 28),
        ("wait=29", False, 28),
        ("wait=1000000000", False, 28),
        ("wait=" + "9" * 4_000, False, 28),
        ("wait=" + "0" * 4_000, False, 0),
        ("wait=5, wait=9", False, 5),
        ('foo="a,wait=9,b", wait=3', False, 3),
        ('foo="unclosed, wait=3', False, None),
        ("wait=-1", False, None),
        ("wait=1.5", False, None),
        ("wait=٣", False, None),
        ("wait", False, None),
        ("respond-async=1", False, None),
        ('respond-async=""', True, None),
        ("respond async", False, None),
        ("=5", False, None),
        (',;="', False, None),
        ("", False, None),
        ("respond-async" + " " * 10_000, False, None),
    ],
)
def test_a_preference_is_read_or_ignored(header: str, respond_async: bool, seconds: int | None) -> None:
    found = parse_prefer(header)

    assert found.respond_async is respond_async
    assert found.wait == (None if seconds is None else timedelta(seconds=seconds))
