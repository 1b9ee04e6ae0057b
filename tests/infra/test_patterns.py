"""Every regular expression of what runs on AWS is found in the code, and matches any text in linear time."""

from __future__ import annotations

import ast
import importlib
import re
import time
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from matchcast.http.routes import PATHS, path_pattern

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {"functions": ROOT, "layers/core/python/matchcast": ROOT / "layers/core/python"}
FUNCTIONS = {"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
MADE_WHEN_CALLED = {"matchcast.http.routes.path_pattern": [path_pattern(path).pattern for path in PATHS]}
"""What functions compile that make their pattern of their arguments."""
LENGTH = 6_000
# A linear match of so many characters takes well under a millisecond; a quadratic one takes millions of steps.
QUADRATIC_SECONDS = 0.008


def found() -> Iterator[tuple[str, str]]:
    """Yield every pattern with the place that uses it."""
    for folder, root in SOURCES.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            module = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
            yield from patterns_of(module, ast.parse(path.read_text(encoding="utf-8")))


def patterns_of(module: str, tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the patterns of calls of `re`, and of `pattern=` in any call (pydantic's fields and parameters)."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        expressions = [keyword.value for keyword in call.keywords if keyword.arg in {"pattern", "regex"}]
        if is_of_re(call.func):
            expressions.append(call.args[0])
        for expression in expressions:
            place = f"{module}:{call.lineno}"
            text = value_of(module, expression)
            if text is not None:
                yield place, text
                continue
            within = [node.name for node in functions if node.lineno <= call.lineno <= (node.end_lineno or 0)]
            made = MADE_WHEN_CALLED.get(f"{module}.{within[-1] if within else ''}")
            assert made, f"{place}: write the pattern as a constant, or say in MADE_WHEN_CALLED what is compiled"
            yield from ((place, text) for text in made)


def is_of_re(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "re"
        and function.attr in FUNCTIONS
    )


def value_of(module: str, expression: ast.expr) -> str | None:
    """Return what an expression of constants of its module is; None if it depends on more than these."""
    if any(isinstance(node, ast.Call) for node in ast.walk(expression)):
        return None
    names = vars(importlib.import_module(module))
    used = {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}
    if not used <= set(names):
        return None
    value: Any = eval(compile(ast.Expression(expression), module, "eval"), dict(names))
    return value.pattern if isinstance(value, re.Pattern) else str(value)


PATTERNS = sorted({text: place for place, text in found()}.items())


def samples(pattern: str) -> list[str]:
    """Return characters that the pattern treats in different ways: its own literals, one of each class, a stranger."""
    literal = [char for char in dict.fromkeys(pattern) if char in "\"',;=-/ _.:" or char == "W"]
    return [*literal[:5], "a", "0", " "][:8]


def attacks(pattern: str) -> Iterator[str]:
    """Yield long texts of repeated parts, with beginnings that let a match start and ends that let it fail."""
    chars = list(dict.fromkeys(samples(pattern)))
    pumps = [*chars, *("".join(pair) for pair in permutations(chars, 2))]
    for start in ("", "a", '"', "/predict/", "q="):
        for pump in pumps:
            for end in ("", "\x00"):
                yield start + pump * (LENGTH // len(pump)) + end


def seconds_of(pattern: re.Pattern[str], text: str) -> float:
    started = time.process_time()
    pattern.fullmatch(text)
    pattern.search(text)
    return time.process_time() - started


def is_slow(pattern: str) -> str | None:
    """Return a text on which the pattern takes more than linear time, if one is found."""
    compiled = re.compile(pattern)
    for text in attacks(pattern):
        if (
            seconds_of(compiled, text) > QUADRATIC_SECONDS
            and min(seconds_of(compiled, text) for _ in range(3)) > QUADRATIC_SECONDS
        ):
            return text
    return None


@pytest.mark.parametrize(("pattern", "place"), PATTERNS, ids=[place for _, place in PATTERNS])
def test_a_pattern_is_matched_in_linear_time(pattern: str, place: str) -> None:
    slow = is_slow(pattern)

    assert slow is None, f"{pattern!r} of {place} is slow on {slow[:30]!r}..." if slow else ""


def test_the_patterns_of_the_code_are_found() -> None:
    places = {place.partition(":")[0] for _, place in PATTERNS}

    assert {"matchcast.http.routes", "matchcast.domain.match_id", "matchcast.domain.manifests"} <= places
    assert len(PATTERNS) >= 10


@pytest.mark.parametrize("pattern", [r"-+,", r"\s*a\s*=?\s*;"])
def test_a_pattern_that_is_not_linear_is_caught(pattern: str) -> None:
    assert is_slow(pattern)


def test_a_pattern_that_depends_on_arguments_has_to_be_declared() -> None:
    code = "import re\ndef f(x):\n    return re.compile(x + 'a')\n"

    with pytest.raises(AssertionError, match="MADE_WHEN_CALLED"):
        list(patterns_of("matchcast.echo", ast.parse(code)))
