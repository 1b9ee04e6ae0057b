"""A release whose champion is good and whose candidate is broken, in every way that a published model can be."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from matchcast.domain.manifests import MODEL_MANIFEST_KEY, ModelManifest, PublishedModel
from matchcast.domain.signature import Column, Signature
from matchcast.errors import ModelCrashed, ReleaseRefused
from matchcast.ports import Model
from tests.support.releases import SIGNATURE, Logits, Release, artifact, published
from tests.support.tasks import NOW

if TYPE_CHECKING:
    from matchcast.ports import Rows

CANDIDATE = "4"


@dataclass
class Answering:
    """A model of any behaviour."""

    behave: Callable[[Rows], Rows]

    def predict(self, rows: Rows) -> Rows:
        """Do what it does."""
        return self.behave(rows)


def _nan(rows: Rows) -> Rows:
    return np.full((len(rows), 3), np.nan, np.float32)


def _narrow(rows: Rows) -> Rows:
    return np.full((len(rows), 2), 0.5, np.float32)


def _short(rows: Rows) -> Rows:
    return np.full((len(rows) - 1, 3), 1 / 3, np.float32)


def _raise(rows: Rows) -> Rows:
    raise RuntimeError("segments of it are missing")


def _crash(rows: Rows) -> Rows:
    raise ModelCrashed("it ended its process with status 3")


BEHAVIOURS = {"NaN": _nan, "two columns": _narrow, "a row too few": _short, "raising": _raise, "crashing": _crash}
KINDS = ("missing columns", "lost file", "changed file", "refused by its loader", *BEHAVIOURS, "slow")


@dataclass
class WithCandidate(Release):
    """A release with a champion, and a candidate that is broken in one way; None: there is no candidate."""

    kind: str | None = None
    gate: threading.Event = field(default_factory=threading.Event)
    """What a slow candidate waits for."""

    def __post_init__(self) -> None:
        super().__post_init__()
        stages = {"champion": published()}
        if self.kind is not None:
            candidate = published(CANDIDATE)
            if self.kind == "missing columns":
                odds = (Column(name="odds_home", type="float"), Column(name="odds_away", type="float"))
                candidate = candidate.model_copy(update={"signature": Signature(inputs=SIGNATURE.inputs + odds)})
            if self.kind != "lost file":
                body = b"another" if self.kind == "changed file" else artifact(CANDIDATE)
                self.objects.put(candidate.prefix + "model.onnx", body)
            stages["candidate"] = candidate
        manifest = ModelManifest(release=1, published_at=NOW, stages=stages)
        self.objects.put(MODEL_MANIFEST_KEY, manifest.body())

    def load(self, published: PublishedModel, files: Mapping[str, bytes]) -> Model:
        """Return the model of a version (a `ModelLoader`)."""
        if published.version != CANDIDATE:
            return super().load(published, files)
        if self.kind == "refused by its loader":
            raise ReleaseRefused("It has the wrong width.")
        if self.kind == "slow":
            return Answering(self._slow)
        behave = BEHAVIOURS.get(str(self.kind))
        return Logits(np.zeros((4, 3), np.float32)) if behave is None else Answering(behave)

    def _slow(self, rows: Rows) -> Rows:
        self.gate.wait(60)
        return np.full((len(rows), 3), 1 / 3, np.float32)
