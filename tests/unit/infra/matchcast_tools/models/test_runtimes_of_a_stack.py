"""Which runtimes the images of a stack serve, as its outputs say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.models.artifact import runtimes_of

BOTH = ("onnx", "pyfunc")


@pytest.mark.parametrize(("runtime", "expected"), [("onnx", ("onnx",)), ("pyfunc", BOTH)])
def test_a_stack_says_what_its_images_serve(runtime: str, expected: tuple[str, ...]) -> None:
    stack: Any = SimpleNamespace(output={"ModelRuntime": runtime}.__getitem__)
    assert runtimes_of(stack) == expected


def test_a_stack_of_an_older_template_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from matchcast_tools.stack.deployed import Stack
    from matchcast_tools.stack.sessions import laptop_session

    stack = Stack("old", "eu-west-1", "http://127.0.0.1:1", None, {}, laptop_session(1))
    with pytest.raises(EnvironmentProblem, match="ModelRuntime"):
        runtimes_of(stack)
