"""Every form of a message that is not as the product sends it, and how each has to end."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from matchcast.domain.task import Task
from matchcast.messages import encode

End = Literal["dead letter", "failed", "succeeded"]
Make = Callable[[dict[str, Any]], str]


@dataclass(frozen=True)
class Form:
    """A form of a message; `body` makes it of a good task, `code` is the cause of its letter or its task's error."""

    name: str
    make: Make
    end: End = "dead letter"
    code: str = "invalid-message"

    def body(self, task: Task) -> str:
        """Return the message that a task's message is bent into."""
        return self.make(json.loads(encode(task)))


def _text(text: str) -> Make:
    return lambda _: text


def _with(**changes: Any) -> Make:
    return lambda content: json.dumps({**content, **changes})


def _without(name: str) -> Make:
    return lambda content: json.dumps({key: value for key, value in content.items() if key != name})


def _raw(name: str, value: str) -> Make:
    """Put a value as JSON text that `json.dumps` does not write."""
    return lambda content: json.dumps({**content, name: "@"}).replace('"@"', value)


def _features(features: Any) -> Make:
    return lambda content: json.dumps({**content, "match_id": None, "features": features})


def _raw_feature(value: str) -> Make:
    return lambda content: _features({"elo_difference": "@", "form": 1.0})(content).replace('"@"', value)


UNREADABLE = (
    Form("no JSON", _text("poison")),
    Form("white space alone", _text(" \n ")),
    Form("cut off", lambda content: json.dumps(content)[:-20]),
    Form("two documents", lambda content: json.dumps(content) * 2),
    Form("byte order mark", lambda content: "\ufeff" + json.dumps(content)),
    Form("null", _text("null")),
    Form("list", lambda content: json.dumps([content])),
    Form("number", _text("1")),
    Form("text", lambda content: json.dumps(json.dumps(content))),
    Form("20,000 nested lists", _text("[" * 20_000)),
    Form("20,000 nested objects", _text('{"a":' * 20_000 + "1" + "}" * 20_000)),
    Form("lone surrogate", _raw("tenant", '"\\ud800"')),
    Form("NaN", _raw_feature("NaN")),
    Form("infinity", _raw_feature("-Infinity")),
    Form("number beyond every float", _raw_feature("1e400")),
    Form("number of 6,000 digits", _raw_feature("9" * 6000)),
    Form("no version", _without("version")),
    Form("version of the future", _with(version=99)),
    Form("version as text", _with(version="1")),
    Form("version true", _with(version=True)),
    Form("version of 1,000 characters", _with(version="v" * 1000)),
    Form("no task id", _without("task_id")),
    Form("empty task id", _with(task_id="")),
    Form("task id of 3,000 characters", _with(task_id="a" * 3000)),
    Form("task id of other characters", _with(task_id="../a\n")),
    Form("task id as a number", _with(task_id=7)),
    Form("no tenant", _without("tenant")),
    Form("empty tenant", _with(tenant="")),
    Form("tenant of 3,000 characters", _with(tenant="t" * 3000)),
    Form("tenant as a list", _with(tenant=["north"])),
    Form("no lifetime", _without("expires_at")),
    Form("end of the lifetime without a zone", _with(expires_at="2026-03-02T12:00:00")),
    Form("end of the lifetime in the year 9999", _with(expires_at="9999-12-31T23:59:59Z")),
    Form("end of the lifetime in the year 1", _with(expires_at="0001-01-01T00:00:00Z")),
    Form("end of the lifetime as a word", _with(expires_at="tomorrow")),
    Form("end of the lifetime as a huge number", _with(expires_at=10**30)),
    Form("creation without a zone", _with(created_at="2026-03-01T12:00:00")),
    Form("start deadline without a zone", _with(start_by="2026-03-01T12:00:00")),
    Form("negative generation", _with(generation=-1)),
    Form("huge generation", _with(generation=10**30)),
    Form("half a generation", _with(generation=1.5)),
    Form("match and features", _with(features={"elo_difference": 1.0, "form": 1.0})),
    Form("neither match nor features", _without("match_id")),
    Form("features as a list", _features([1.0, 2.0])),
    Form("match id as a number", _with(match_id=7)),
    Form("match id of 3,000 characters", _with(match_id="m" * 3000)),
    Form("unknown lane", _with(priority="urgent")),
    Form("stage null", _with(stage=None)),
    Form("stage with control characters", _with(stage="champion\u0000\u001b[31m")),
    Form("stage of 3,000 characters", _with(stage="s" * 3000)),
    Form("callback as an object", _with(callback_url={})),
)
WRONG = (
    Form("unknown match", _with(match_id="e0-1900-01-01-no-body"), "failed", "match-not-found"),
    Form("match id of another form", _with(match_id="no match at all"), "failed", "match-not-found"),
    Form("unknown stage", _with(stage="nowhere"), "failed", "stage-not-found"),
    Form("no features", _features({}), "failed", "invalid-request"),
    Form("features of other names", _features({"weather": 1.0}), "failed", "invalid-request"),
    Form("one feature too many", _features({"elo_difference": 1, "form": 1, "x": 1}), "failed", "invalid-request"),
    Form("feature as text", _features({"elo_difference": "1", "form": 1.0}), "failed", "invalid-request"),
    Form("feature 100 objects deep", _raw_feature('{"a":' * 100 + "1" + "}" * 100), "failed", "invalid-request"),
    Form("feature of 4,000 digits", _raw_feature("9" * 4000), "failed", "invalid-request"),
    Form("10,000 features", _features({f"feature_{n}": n for n in range(10_000)}), "failed", "invalid-request"),
)
HARMLESS = (
    Form("unknown keys", _with(of_tomorrow={"a": [1]}), "succeeded", ""),
    Form("a state that only the table has", _with(status="failed", attempts=-5, result=1), "succeeded", ""),
    Form("a key twice", lambda content: json.dumps(content)[:-1] + ', "version": 1}', "succeeded", ""),
)
FORMS = UNREADABLE + WRONG + HARMLESS
