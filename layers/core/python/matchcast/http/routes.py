"""The paths of the whole API with their methods, so that every function can answer 404 or 405 correctly.

A function is also asked for paths below its own (`/predict/{proxy+}`), some of which are another function's.
A test compares this table with the OpenAPI document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import unquote

from matchcast.domain.match_id import is_match_id
from matchcast.domain.task import is_task_id

PATHS: Mapping[str, tuple[str, ...]] = {
    "/": ("GET",),
    "/docs": ("GET",),
    "/health": ("GET",),
    "/monitoring/task_status/{task_id}": ("GET",),
    "/openapi.json": ("GET",),
    "/predict/": ("POST",),
    "/predict/async/": ("GET", "POST"),
    "/predict/async/{task_id}": ("DELETE",),
    "/predict/async/{task_id}/deliveries": ("GET",),
    "/predict/async/{task_id}/retry": ("POST",),
    "/predict/batch/": ("GET", "POST"),
    "/predict/batch/uploads": ("POST",),
    "/predict/batch/{batch_id}": ("DELETE", "GET"),
    "/predict/batch/{batch_id}/deliveries": ("GET",),
    "/predict/batch/{batch_id}/retry-failed": ("POST",),
    "/predict/cards/": ("GET",),
    "/predict/model/info": ("GET",),
    "/predict/model/scorecard": ("GET",),
    "/predict/odds/": ("GET",),
    "/predict/precomputed/{match_id}": ("GET",),
    "/predict/predictions/": ("GET",),
    "/predict/region-roi/": ("GET",),
    "/predict/{match_id}": ("GET",),
    "/results/{task_id}": ("GET",),
    "/webhooks/endpoints": ("GET",),
    "/webhooks/endpoints/{endpoint_id}/enable": ("POST",),
    "/webhooks/replay": ("POST",),
    "/webhooks/secrets": ("GET", "POST"),
    "/webhooks/secrets/{secret_id}": ("DELETE",),
}

DOCUMENTATION = frozenset({"/", "/docs", "/openapi.json"})
"""Paths that are there only while the documentation is on."""

_FORMS: Mapping[str, Callable[[str], bool]] = {
    "batch_id": is_task_id,
    "match_id": is_match_id,
    "task_id": is_task_id,
}
"""What stands in a placeholder; under a path of another form there is no resource, with any method."""
_PLACEHOLDER = re.compile(r"[<{](\w+)[>}]")


def path_pattern(template: str) -> re.Pattern[str]:
    """Return the pattern of a path like `/a/<b>/` or `/a/{b}/`, with or without the trailing slash.

    A placeholder stands for one whole segment, whatever characters it holds.
    """
    parts = _PLACEHOLDER.split(template.rstrip("/"))
    regex = "".join(f"(?P<{part}>[^/]+)" if at % 2 else re.escape(part) for at, part in enumerate(parts))
    return re.compile(f"{regex}/?\\Z")


class KnownPaths:
    """The paths of an API; where a fixed path and one with placeholders both fit, the fixed one counts."""

    def __init__(self, paths: Mapping[str, Iterable[str]]) -> None:
        found: dict[str, set[str]] = {}
        for template, methods in paths.items():
            found.setdefault(template.rstrip("/"), set()).update(method.upper() for method in methods)
        self._patterns = [
            (path_pattern(template), methods)
            for template, methods in sorted(found.items(), key=lambda item: len(_PLACEHOLDER.findall(item[0])))
        ]

    def methods(self, path: str) -> frozenset[str]:
        """Return the methods that a path has, HEAD wherever GET is; empty if there is no such path."""
        for pattern, methods in self._patterns:
            match = pattern.match(path)
            if match and all(_is_of_form(name, unquote(value)) for name, value in match.groupdict().items()):
                return frozenset(methods | ({"HEAD"} if "GET" in methods else set()))
        return frozenset()


def _is_of_form(placeholder: str, value: str) -> bool:
    is_form = _FORMS.get(placeholder)
    return is_form is None or is_form(value)
