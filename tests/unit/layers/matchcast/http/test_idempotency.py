from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matchcast.errors import KeyMalformed
from matchcast.http.idempotency import HEADER, idempotency_key
from openapi_document import generate as openapi

GOOD = {
    "k": "k",
    '"k"': "k",
    "  8e03978e-40d5-43dd-bc93-6894a57f9324 ": "8e03978e-40d5-43dd-bc93-6894a57f9324",
    '"a key of words"': "a key of words",
    r'"a \"quoted\" key"': r"a \"quoted\" key",
    "x" * 255: "x" * 255,
    f'"{"x" * 255}"': "x" * 255,
    '"' + r"\"" * 255 + '"': r"\"" * 255,
}
BAD = [
    "",
    '""',
    "two words",
    '"open',
    'open"',
    'a"b',
    "é",
    '"é"',
    "a\tb",
    "a\n",
    "k1,k2",
    '"k1","k2"',
    '"a\\b"',
    "x" * 256,
    f'"{"x" * 256}"',
]


@pytest.mark.parametrize(("header", "key"), GOOD.items())
def test_a_key_is_the_same_quoted_or_not(header: str, key: str) -> None:
    found = idempotency_key(header, "POST /", {})
    assert found is not None
    assert found.value == key


@pytest.mark.parametrize("header", [bad for bad in BAD if bad == bad.strip()])
def test_what_is_no_key_is_refused_by_the_name_of_the_header(header: str) -> None:
    with pytest.raises(KeyMalformed) as caught:
        idempotency_key(header, "POST /", {})
    assert [error.header for error in caught.value.errors] == [HEADER]


def test_without_the_header_there_is_no_key() -> None:
    assert idempotency_key(None, "POST /", {}) is None


def documented_pattern() -> re.Pattern[str]:
    document = json.loads(openapi.DOCUMENT.read_text())
    found = {
        parameter["schema"]["pattern"]
        for methods in document["paths"].values()
        for operation in methods.values()
        for parameter in operation.get("parameters", [])
        if parameter["name"].lower() == HEADER.lower()
    }
    (pattern,) = found
    return re.compile(pattern)


@settings(deadline=None)
@given(st.one_of(st.text(max_size=10), st.text(' "\\!a', max_size=8), st.sampled_from([*GOOD, *BAD])))
def test_the_document_says_of_every_text_whether_it_is_a_key(header: str) -> None:
    text = header.strip()
    try:
        idempotency_key(text, "POST /", {})
    except KeyMalformed:
        assert not documented_pattern().fullmatch(text)
    else:
        assert documented_pattern().fullmatch(text)


def test_a_fingerprint_depends_on_the_request_and_not_on_the_order_of_its_fields() -> None:
    # WHEN requests differ in the order of their fields, in a value, or in the route
    one, same, other, elsewhere = (
        idempotency_key("k", route, content)
        for route, content in (
            ("POST /a", {"x": 1, "y": 2}),
            ("POST /a", {"y": 2, "x": 1}),
            ("POST /a", {"x": 1, "y": 3}),
            ("POST /b", {"x": 1, "y": 2}),
        )
    )

    # THEN
    assert one == same
    assert len({key.fingerprint for key in (one, other, elsewhere) if key}) == 3
