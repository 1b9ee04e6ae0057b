"""Examples of bodies and parameters, put together from the document's own schemas."""

from __future__ import annotations

from typing import Any

TASK_ID = "019cb2d1-7c00-7000-8000-000000000000"
MATCH_ID = "e0-2026-03-07-alder-birch"
REF = "#/components/schemas/"

# By `Schema.property`, or by `property` alone. What a schema itself says of examples goes first.
_VALUES: dict[str, Any] = {
    "attempts": 0,
    "batch_id": TASK_ID,
    "TaskEnvelope.batch_id": None,
    "cached": False,
    "calibration.bookmaker": [],
    "code": "manifest-invalid",
    "Column.name": "elo_difference",
    "completed_at": None,
    "etag": '"9b2cf535f27731c974343645a3985328"',
    "gzipped": False,
    "InputFile.format": "csv",
    "InputFile.key": "input/4f1c8b7a9d2e/019cb2d1-7c00-7000-8000-000000000000.csv",
    "InputFile.size": 204_800,
    "InputFile.version_id": None,
    "DeliveryEnvelope.attempts": [
        {
            "number": 1,
            "series": 0,
            "started_at": "2026-03-01T12:00:01Z",
            "duration_ms": 87,
            "status": 204,
            "error": None,
        }
    ],
    "detail": "The newest release cannot be read; it has to be published again.",
    "duration_ms": 0.15,
    "endpoint_id": "0f4c1b7a9d2e3f5061728394a5b6c7d8",
    "away": 0.25,
    "draw": 0.25,
    "home": 0.5,
    "error": None,
    "features": {"elo_difference": 35.5, "form": 0.2},
    "from": "2025-08-15",
    "CalibrationBin.from": 0.4,
    "CalibrationBin.to": 0.5,
    "CalibrationBin.predicted": 0.45,
    "CalibrationBin.observed": 0.44,
    "generation": 0,
    "high": 1.0031,
    "low": 0.9463,
    "match_id": MATCH_ID,
    "max_drawdown": 6.5,
    "metrics": {"log_loss": 0.9747},
    "model_files": {"model.onnx": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    "name": "matchcast",
    "next_cursor": None,
    "problem": None,
    "result": None,
    "TaskLinks.result": f"/results/{TASK_ID}",
    "TaskLinks.status": f"/monitoring/task_status/{TASK_ID}",
    "retry_of": None,
    "returned": 103.5,
    "roi": 0.035,
    "roi_high": 0.152,
    "roi_low": -0.082,
    "bets": 100,
    "rows": 380,
    "run_id": "ba080a2c08c44834",
    "runtime": "onnx",
    "secret_id": TASK_ID,
    "settled": 400,
    "snapshot_features": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "snapshot_id": "20260301T000000Z-0a1b2c3d",
    "id": "20260301T000000Z-0a1b2c3d",
    "age_seconds": 300.0,
    "stage": "champion",
    "staked": 100.0,
    "stale": False,
    "start_by": None,
    "task_id": TASK_ID,
    "to": "2026-02-28",
    "total": 1,
    "version": "3",
}
_BY_FORMAT = {"date": "2026-02-28", "date-time": "2026-03-01T12:00:00Z"}


def parameter_example(name: str) -> Any:
    """Return an example of a path parameter."""
    return _VALUES[name]


def example_of(schema: dict[str, Any], schemas: dict[str, Any], name: str = "", *, shortest: bool = False) -> Any:
    """Return a value that a schema allows.

    Parameters
    ----------
    schema
        The schema, or a reference to one.
    schemas
        Those of the document, by name.
    name
        What the value is called: the name of its schema and of the property, or of one of them.
    shortest
        Whether properties are left out that are not required and have no example of their own, as in requests.

    Raises
    ------
    ValueError
        If nothing says what a text looks like.
    """
    if schema.get("examples"):
        return schema["examples"][0]
    for known in (name, name.rpartition(".")[2]):
        if known in _VALUES:
            return _VALUES[known]
    if "$ref" in schema:
        referred = schema["$ref"].removeprefix(REF)
        return example_of(schemas[referred], schemas, referred, shortest=shortest)
    if "enum" in schema:
        return schema["enum"][0]
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return example_of(choices[0], schemas, name, shortest=shortest)
    return _by_type(schema, schemas, name, shortest=shortest)


def _by_type(schema: dict[str, Any], schemas: dict[str, Any], name: str, *, shortest: bool) -> Any:
    match schema.get("type"):
        case "object":
            required, parts = schema.get("required", ()), schema.get("properties", {})
            return {
                key: example_of(parts[key], schemas, f"{name}.{key}", shortest=shortest)
                # In a request what has to be there goes first.
                for key in (sorted(parts, key=lambda key: key not in required) if shortest else parts)
                if not shortest or key in required or parts[key].get("examples")
            }
        case "array":
            return [example_of(schema["items"], schemas, name, shortest=shortest)]
        case "string" if schema.get("format") in _BY_FORMAT:
            return _BY_FORMAT[schema["format"]]
        case "boolean":
            return True
        case "number":
            return 0.5
        case "integer":
            return 1
        case _:
            raise ValueError(f"Nothing says what {name} looks like: give its field `examples`.")


def request_examples(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """Return a named example of each kind of body that a request takes."""
    return {
        kind.removesuffix("Submission").removesuffix("Request").lower(): {
            "summary": schemas[kind]["description"],
            "value": example_of(schemas[kind], schemas, kind, shortest=True),
        }
        for kind in kinds_of(schema, schemas)
    }


def kinds_of(schema: dict[str, Any], schemas: dict[str, Any]) -> list[str]:
    """Return the names of the schemas that a body may have."""
    referred = schemas[schema["$ref"].removeprefix(REF)]
    return [kind["$ref"].removeprefix(REF) for kind in referred.get("oneOf", [schema])]
