from __future__ import annotations

import base64
import gzip
from datetime import UTC, datetime
from typing import Any

import pytest

from matchcast.http.caching import Freshness, accepts_gzip, cached_response, entity_tag, is_unchanged

MODIFIED = datetime(2026, 3, 1, 12, 0, 0, 999_000, tzinfo=UTC)
IDENTITY = {"snapshot": "one", "list": "odds", "limit": 100}
FRESHNESS = Freshness(IDENTITY, modified_at=MODIFIED, cache_control="private, max-age=30")
BODY = b'{"items":[' + b",".join(b'{"n":%d}' % n for n in range(1000)) + b"]}"
TAG = entity_tag(IDENTITY, encoding="identity")


def respond(headers: dict[str, str], body: bytes = BODY) -> Any:
    return cached_response(headers, FRESHNESS, lambda: body)


@pytest.mark.parametrize(
    ("accept", "accepted"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("br, gzip, deflate", True),
        ("gzip;q=0", False),
        ("gzip; q=0.0", False),
        ("gzip;q=0.001", True),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *;q=1", False),
        ("br;q=1.0, *;q=0.5", True),
        ("identity", False),
        ("gzip;q=0.5, identity;q=0.9", False),
        ("gzip;q=0.9, identity;q=0.5", True),
        ("gzip;q=0.5, identity;q=0.5", True),
        ("identity;q=0, gzip;q=0.1", True),
        ("gzipped", False),
        ("br", False),
        (";;,,", False),
    ],
)
def test_gzip_is_used_when_it_is_accepted_and_not_less_welcome(accept: str, accepted: bool) -> None:
    assert accepts_gzip(accept) is accepted


def test_a_compressed_answer_is_the_same_body_as_base64() -> None:
    answer = respond({"accept-encoding": "gzip"})
    assert gzip.decompress(base64.b64decode(answer.body)) == BODY
    assert answer.base64_encoded is True
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.body) < len(BODY) / 2


def test_a_small_body_is_left_as_it_is() -> None:
    answer = respond({"accept-encoding": "gzip"}, b"{}")
    assert (answer.body, answer.base64_encoded) == ("{}", False)
    assert "Content-Encoding" not in answer.headers


def test_an_answer_says_how_long_it_may_be_kept_and_what_it_depends_on() -> None:
    headers = respond({}).headers
    assert headers["Cache-Control"] == "private, max-age=30"
    assert headers["Last-Modified"] == "Sun, 01 Mar 2026 12:00:00 GMT"
    assert headers["Vary"] == "Accept-Encoding, Authorization"
    assert headers["ETag"] == TAG


def test_encodings_have_tags_of_their_own() -> None:
    assert respond({"accept-encoding": "gzip"}).headers["ETag"] != TAG


@pytest.mark.parametrize("change", [{"snapshot": "two"}, {"list": "cards"}, {"limit": 99}, {"after": [1, "x"]}])
def test_another_snapshot_path_or_filter_has_another_tag(change: dict[str, Any]) -> None:
    assert entity_tag({**IDENTITY, **change}, encoding="identity") != TAG


@pytest.mark.parametrize(
    "value",
    [TAG, f"W/{TAG}", f'"other", {TAG}', f'"a,b" , W/{TAG},"c"', "*", " * ", f"{TAG},", f'""  , {TAG}'],
)
def test_a_tag_that_the_client_holds_gives_304(value: str) -> None:
    answer = cached_response({"if-none-match": value}, FRESHNESS, lambda: pytest.fail("the body was made"))
    assert (answer.status_code, answer.body) == (304, None)
    assert answer.headers["ETag"] == TAG
    assert answer.headers["Cache-Control"] == "private, max-age=30"
    assert "Content-Type" not in answer.headers


@pytest.mark.parametrize(
    "value",
    ['"other"', TAG.strip('"'), "", f"{TAG[:-1]}", '"*"', "W/", f"'{TAG[1:-1]}'", " " * 8_000, TAG + "," * 8_000],
)
def test_another_tag_gives_200(value: str) -> None:
    assert respond({"if-none-match": value}).status_code == 200


@pytest.mark.parametrize(
    ("since", "unchanged"),
    [
        ("Sun, 01 Mar 2026 12:00:00 GMT", True),
        ("Mon, 02 Mar 2026 00:00:00 GMT", True),
        ("Sun, 01 Mar 2026 11:59:59 GMT", False),
        ("Sunday, 01-Mar-26 12:00:00 GMT", True),
        ("Sun Mar  1 12:00:00 2026", True),
        ("yesterday", False),
        ("", False),
        ("Sun, 41 Mar 2026 12:00:00 GMT", False),
        ("Sun, 01 Mar 2026 13:00:00 +0100", True),
        (f"Sun, {'9' * 30} Mar 2026 12:00:00 GMT", False),
        ("Sun, 99999999999 Mar 2026 12:00:00 GMT", False),
        ("Sun, 01 Mar 99999999999999999999 12:00:00 GMT", False),
        ("Sun, 01 Mar 2026 99999999999999:00:00 GMT", False),
        ("Sun, 01 Mar 2026 12:00:00 +99999999999999", False),
        ("Fri, 31 Dec 9999 23:59:59 -2359", False),
        ("Mon, 01 Jan 0001 00:00:00 +2359", False),
        ("Sun, 01 Mar 2026 12:00:00 GMT" + " " * 8_000, False),
    ],
)
def test_if_modified_since_is_compared_by_the_second(since: str, unchanged: bool) -> None:
    assert is_unchanged({"if-modified-since": since}, TAG, MODIFIED) is unchanged


def test_if_none_match_takes_the_place_of_if_modified_since() -> None:
    headers = {"if-none-match": '"other"', "if-modified-since": "Mon, 02 Mar 2026 00:00:00 GMT"}
    assert is_unchanged(headers, TAG, MODIFIED) is False
