"""What is refused before the gates, by them, or at the switch, and that it changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from matchcast.adapters.in_memory import InMemoryObjects
from matchcast.domain.manifests import MODEL_MANIFEST_KEY
from matchcast.errors import AliasUnknown, ReleaseRaceLost, ReleaseRefused
from matchcast_tools.errors import BadInput
from matchcast_tools.models.gates import GatesFailed, Limits
from tests.support.datasets import write_dataset
from tests.support.mlflow_warnings import MLFLOW_WARNINGS
from tests.support.objects import keys
from tests.support.promotions import UNTIL, Registry

pytestmark = MLFLOW_WARNINGS


class TestRefusals:
    """Each leaves manifest, files and alias as they were."""

    @pytest.fixture(autouse=True)
    def _nothing_changes(self, registry: Registry, objects: InMemoryObjects) -> Iterator[None]:
        before = objects.get(MODEL_MANIFEST_KEY)
        yield
        assert objects.get(MODEL_MANIFEST_KEY) == before
        assert registry.version("champion") == registry.version("good")

    def test_an_unknown_alias(self, registry: Registry, objects: InMemoryObjects) -> None:
        with pytest.raises(AliasUnknown, match="nobody"):
            registry.promote(objects, "nobody")

    def test_an_alias_to_itself(self, registry: Registry, objects: InMemoryObjects) -> None:
        with pytest.raises(BadInput, match="another stage than itself"):
            registry.promote(objects, "champion")

    @pytest.mark.parametrize("to", ["bad/stage", "", "latest", "v1", "a" * 256])
    def test_a_stage_that_the_registry_takes_for_no_alias(
        self, registry: Registry, objects: InMemoryObjects, to: str
    ) -> None:
        with pytest.raises(BadInput, match="is no alias"):
            registry.promote(objects, to=to, trial={"limits": Limits(drift=1)})

    def test_too_few_settled_matches(self, registry: Registry, objects: InMemoryObjects) -> None:
        with pytest.raises(GatesFailed, match=r"settled is 0, limit 200: .*--hold-out-last-season"):
            registry.promote(objects, "all-seeing")

    def test_a_training_with_an_unknown_end(self, registry: Registry, objects: InMemoryObjects) -> None:
        with pytest.raises(ReleaseRefused, match="trained_until"):
            registry.promote(objects, "silent")
        day = UNTIL + timedelta(days=1)
        done = registry.promote(objects, "silent", dry_run=True, trial={"golden_from": day, "limits": Limits(drift=1)})
        assert done.report is not None

    def test_matches_that_the_champion_has_seen(self, registry: Registry, objects: InMemoryObjects) -> None:
        with pytest.raises(BadInput, match="are not to be scored on what they have seen"):
            registry.promote(objects, trial={"golden_from": date(2023, 1, 1)})

    def test_a_dataset_without_any_match_for_it(
        self, registry: Registry, objects: InMemoryObjects, tmp_path: Path
    ) -> None:
        small = write_dataset(tmp_path, played=60, fixtures=0)
        with pytest.raises(ReleaseRefused, match="no match to try"):
            registry.promote(objects, trial={"data_dir": small, "golden_from": date.max})

    def test_a_champion_whose_files_are_damaged(self, registry: Registry, objects: InMemoryObjects) -> None:
        key = next(key for key in keys(objects) if key.endswith("model.onnx"))
        objects.put(key, b"changed")
        with pytest.raises(ReleaseRefused, match=r"cannot be loaded to compare with.*matchcast publish"):
            registry.promote(objects)

    def test_a_lost_race(self, registry: Registry, objects: InMemoryObjects, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(objects, "switch", lambda *_: False)
        with pytest.raises(ReleaseRaceLost, match="Somebody else"):
            registry.promote(objects)
