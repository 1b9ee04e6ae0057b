"""Broken copies of what reads releases, and of what decides how a message ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botocore.httpchecksum import StreamingChecksumBody

from matchcast.adapters import s3_objects
from matchcast.domain.manifests import FileEntry
from matchcast.errors import MatchcastError, ModelUnavailable, ReleaseUnfit, StageNotFound
from matchcast.predictions.predictor import Predictor
from matchcast.releases.readers import LastGood, ManifestReader
from matchcast.releases.served_models import LoadedModel, ServedModels
from matchcast.tasks.settle import Delivery, Outcome, Settle
from tests.faults.mutant import Mutant


def unknown_stage_is_an_outage(models: ServedModels, stage: str) -> LoadedModel:
    try:
        return get_model(models, stage)
    except StageNotFound as error:
        raise ModelUnavailable(error.detail) from error


get_model = ServedModels.get


def unfit_for_ever(settle: Settle, delivery: Delivery, answer: Any, *, counts: bool) -> Outcome:
    if isinstance(answer, ReleaseUnfit):
        return settle.postpone(delivery, answer)
    return settle_answer(settle, delivery, answer, counts=counts)


def clients_fault_buried(settle: Settle, delivery: Delivery, answer: Any, *, counts: bool) -> Outcome:
    if isinstance(answer, MatchcastError) and answer.status < 500:
        return settle.give_up(delivery, answer)
    return settle_answer(settle, delivery, answer, counts=counts)


settle_answer = Settle.answer


def all_share_a_fault(predictor: Predictor, loaded: LoadedModel, subjects: Sequence[Any]) -> list[Any]:
    rows = rows_of(predictor, loaded, subjects)
    first = next((row for row in rows if isinstance(row, MatchcastError)), None)
    return rows if first is None else [first] * len(rows)


rows_of = Predictor._rows


def gone_is_unpublished(manifests: ManifestReader[Any]) -> Any:
    manifest = current_manifest(manifests)
    if manifests._seen is None:
        manifests._good = None
        raise manifests.unpublished("Nothing is published.")
    return manifest


current_manifest = ManifestReader.current


def refused_for_ever(kept: LastGood[Any, Any, Any], release: Any) -> Any:
    if kept._refused is not None and kept._refused[0] == release:
        kept._refused = release, kept._manifests.checked_at
    return get_kept(kept, release)


get_kept = LastGood.get


def half_accepted(body: Any, amt: int | None = None) -> bytes:
    found: bytes = body._raw_stream.read(amt)
    return found


SERVING_MUTANTS = (
    Mutant("an unknown stage is an outage", ServedModels, "get", unknown_stage_is_an_outage),
    Mutant("what never can be served is postponed for ever", Settle, "answer", unfit_for_ever),
    Mutant("a client's fault is buried", Settle, "answer", clients_fault_buried),
    Mutant("a wrong request fails all that came with it", Predictor, "_rows", all_share_a_fault),
    Mutant("a manifest that is gone was never there", ManifestReader, "current", gone_is_unpublished),
    Mutant("no release but the newest", ManifestReader, "earlier", lambda _: iter(())),
    Mutant("a refused release is never tried again", LastGood, "get", refused_for_ever),
    Mutant("half an object is accepted", StreamingChecksumBody, "read", half_accepted),
    Mutant("digests are not compared", FileEntry, "verify", lambda _, body, __: body),
    Mutant("a body that breaks off is no outage", s3_objects, "HTTPError", KeyError),
)
