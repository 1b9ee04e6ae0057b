"""A model version as the files that functions read: exported, described, and shown to agree with the original."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from matchcast.adapters.onnx_model import ARTIFACT, load_onnx
from matchcast.domain.manifests import FileEntry, PublishedModel, Runtime
from matchcast.domain.prediction import OUTCOMES
from matchcast.snapshots.dataset import FEATURES_FILE
from matchcast_tools.dataset.store import read_features
from matchcast_tools.models.export import NotExportable, check_parity, parity_rows, to_onnx
from matchcast_tools.models.isolated import load_isolated
from matchcast_tools.models.model_directory import model_directory
from matchcast_tools.models.registry import ModelVersion, RegisteredModel, load_version
from matchcast_tools.models.tracking import Tracking
from matchcast_tools.models.training_set import feature_rows
from matchcast_tools.stack.deployed import Stack

if TYPE_CHECKING:
    from matchcast.ports import Rows

SIGNATURE = "signature.json"
LINEAGE = "lineage.json"
"""Where a version comes from: run, data, settings, scores, libraries."""
SAMPLED_ROWS = 10_000
RUNTIME_OUTPUT = "ModelRuntime"


@dataclass(frozen=True, slots=True)
class Exported:
    """A version that passed parity: what the manifest will say of it, its files, and the difference found.

    `example` holds the rows of its input example, float32, shape (n, columns); there may be none.
    """

    published: PublishedModel
    bodies: dict[str, bytes]
    parity_rows: int
    parity_difference: float
    example: Rows


def export(
    at: ModelVersion, tracking: Tracking, data_dir: Path | None, runtimes: Collection[str] = ("onnx",)
) -> Exported:
    """Return a version as it would be published, with parity shown; writes nothing.

    Parity is shown on the model's input example and on rows sampled from the dataset in `data_dir`. What ONNX lacks
    becomes a `pyfunc` artifact, if that is among the `runtimes` of the stack's images (`runtimes_of`).

    Raises
    ------
    SignatureMissing, ParityFailed, ReleaseRefused
        If it may not be served.
    """
    model = load_version(at, tracking)
    runtime, artifact = _artifact(model, runtimes)
    signature = json.dumps(
        {**model.signature.model_dump(mode="json"), "outputs": list(OUTCOMES)}, indent=1, sort_keys=True
    ).encode()
    bodies = {**artifact, SIGNATURE: signature, LINEAGE: _lineage(model)}
    files = {file: FileEntry.of(body) for file, body in bodies.items()}
    published = PublishedModel(
        name=at.name,
        version=at.version,
        run_id=at.run_id,
        runtime=runtime,
        prefix=f"models/{at.name}/{at.version}-{_digest(files)[:8]}/",
        files=files,
        signature=model.signature,
        metrics=at.metrics,
        trained_until=at.trained_until,
    )
    sampled = sample_rows(model, data_dir)
    rows = parity_rows(model, sampled)
    served = load_isolated(published, bodies) if runtime == "pyfunc" else load_onnx(published, bodies)
    difference = check_parity(model, served, rows)
    return Exported(published, bodies, len(rows), difference, rows[: len(rows) - len(sampled)])


def runtimes_of(stack: Stack) -> tuple[str, ...]:
    """Return what the images of a deployed stack can serve; those built for pyfunc serve both."""
    return ("onnx", "pyfunc") if stack.output(RUNTIME_OUTPUT) == "pyfunc" else ("onnx",)


def _artifact(model: RegisteredModel, runtimes: Collection[str]) -> tuple[Runtime, dict[str, bytes]]:
    """Return a model as ONNX, or, where that lacks something and the stack can serve it, as it is."""
    try:
        return "onnx", {ARTIFACT: to_onnx(model)}
    except NotExportable as error:
        if "pyfunc" in runtimes:
            return "pyfunc", model_directory(model)
        raise NotExportable(
            f"{error.detail} A stack that is built and deployed with {RUNTIME_OUTPUT}=pyfunc serves it as it is."
        ) from error


def _digest(files: Mapping[str, FileEntry]) -> str:
    """Return one SHA-256 over all files, so that a release with another file never overwrites one that is served."""
    return hashlib.sha256("".join(f"{name} {files[name].sha256}\n" for name in sorted(files)).encode()).hexdigest()


def _lineage(model: RegisteredModel) -> bytes:
    """Return a version's lineage as JSON: all from the registry, so that publishing again gives the same bytes."""
    at, metadata = model.at, model.pyfunc.metadata
    content = {
        "name": at.name,
        "version": at.version,
        "run_id": at.run_id,
        "model_id": metadata.model_id,
        "source": at.source,
        "tags": at.tags,
        "params": at.params,
        "metrics": at.metrics,
        "flavors": sorted(metadata.flavors),
        "libraries": _libraries(metadata),
        "trained_from": at.trained_from,
        "trained_until": at.trained_until.isoformat() if at.trained_until else None,
        "dataset": at.dataset,
    }
    return json.dumps(content, indent=1, sort_keys=True).encode()


def _libraries(metadata: Any) -> dict[str, str]:
    """Return the versions that the model was logged with: Python, MLflow, and what each flavor notes."""
    found = {"mlflow": metadata.mlflow_version}
    for flavor, notes in metadata.flavors.items():
        for name in ("python_version", "cloudpickle_version", "sklearn_version", "skops_version", "lgb_version"):
            if name in notes:
                found[name.removesuffix("_version")] = notes[name]
        if f"{flavor}_version" in notes:
            found[flavor] = notes[f"{flavor}_version"]
    return {name: str(version) for name, version in found.items() if version is not None}


def sample_rows(model: RegisteredModel, data_dir: Path | None) -> Rows:
    """Return up to 10,000 feature rows of the dataset, the same ones each time; none without a fitting dataset."""
    names = list(model.signature.names)
    nothing = np.empty((0, len(names)), dtype=np.float32)
    if data_dir is None or not (data_dir / FEATURES_FILE).exists():
        return nothing
    features = read_features(data_dir)
    if not set(names) <= set(features.column_names):
        return nothing
    rows = feature_rows(features, names)
    picked = np.random.default_rng(0).permutation(len(rows))[:SAMPLED_ROWS]
    return rows[np.sort(picked)]
