from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchcast.errors import CursorNotFound, InvalidRequest
from matchcast.http.cursors import Cursors

LIST = {"list": "odds", "region": "england", "tenant": "a"}


@pytest.fixture
def cursors() -> Cursors:
    return Cursors(lambda: b"secret")


@given(position=st.recursive(st.integers(-(2**53), 2**53) | st.text() | st.none(), st.lists))
def test_a_cursor_gives_back_the_position_it_was_sealed_with(position: object) -> None:
    cursors = Cursors(lambda: b"secret")
    assert cursors.open(cursors.seal(position, LIST), LIST) == position


def test_the_order_of_what_a_cursor_is_bound_to_does_not_matter(cursors: Cursors) -> None:
    text = cursors.seal(1, {"a": 1, "b": None})
    assert cursors.open(text, {"b": None, "a": 1}) == 1


def test_a_cursor_needs_no_escaping_in_a_query(cursors: Cursors) -> None:
    text = cursors.seal("~" * 50, LIST)
    assert text.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "other", [{**LIST, "tenant": "b"}, {**LIST, "region": "spain"}, {**LIST, "list": "cards"}, {}, {**LIST, "x": None}]
)
def test_a_cursor_of_another_list_filter_or_tenant_is_not_found(cursors: Cursors, other: dict[str, str]) -> None:
    text = cursors.seal([1, "e0"], LIST)
    with pytest.raises(CursorNotFound):
        cursors.open(text, other)


def test_a_cursor_signed_with_another_key_is_not_found(cursors: Cursors) -> None:
    with pytest.raises(CursorNotFound):
        Cursors(lambda: b"other").open(cursors.seal(1, LIST), LIST)


def test_every_flipped_bit_of_a_cursor_is_noticed(cursors: Cursors) -> None:
    sealed = base64.urlsafe_b64decode(cursors.seal([12, "e0"], LIST) + "==")
    for bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CursorNotFound):
            cursors.open(base64.urlsafe_b64encode(changed).decode().rstrip("="), LIST)


@pytest.mark.parametrize("text", ["", "!", "ab cd", "é" * 30, "A" * 3000, "a+/b" * 20, "=" * 40, "A" * 40 + "\n"])
def test_a_text_that_is_no_cursor_is_an_invalid_parameter(cursors: Cursors, text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        cursors.open(text, LIST)
    assert [error.parameter for error in caught.value.errors] == ["cursor"]


@pytest.mark.parametrize("length", [1, 2, 21, 22, 23, 24, 25])
def test_a_cursor_that_was_cut_off_is_not_found(cursors: Cursors, length: int) -> None:
    with pytest.raises(CursorNotFound):
        cursors.open(cursors.seal([1, "e0"], LIST)[:length], LIST)


def test_moving_bytes_between_binding_and_position_is_noticed(cursors: Cursors) -> None:
    # GIVEN a cursor whose binding and payload, joined, read the same as another pair
    tag = cursors._tag(b"12", {"a": 1})
    with pytest.raises(CursorNotFound):
        cursors.open(base64.urlsafe_b64encode(tag + b"2").decode().rstrip("="), {"a": 1})


def test_the_key_is_only_asked_for_when_a_cursor_is_used() -> None:
    # GIVEN a key that counts its reads
    asked: list[int] = []

    def key() -> bytes:
        asked.append(1)
        return b"k"

    # WHEN no cursor is used
    # THEN
    cursors = Cursors(key)
    assert asked == []

    # WHEN a cursor is used
    # THEN
    cursors.seal(1, {})
    assert asked == [1]
