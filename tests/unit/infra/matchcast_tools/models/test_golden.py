"""The golden set: settled matches that no model has seen, fixtures, and no look-ahead."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from matchcast.domain.manifests import PublishedModel
from matchcast.domain.prediction import RESULTS
from matchcast.domain.signature import Column, Signature
from matchcast.errors import ReleaseRefused
from matchcast_tools.dataset.store import decode
from matchcast_tools.errors import BadInput
from matchcast_tools.models.golden import GoldenSet, first_unseen_day, read_golden
from tests.support.datasets import FEATURES, write_dataset
from tests.support.model_releases import version

PLAYED = 600
FIXTURES = 30
SINCE = date(2024, 8, 6)


def model(until: date | None = None, names: Sequence[str] = FEATURES) -> PublishedModel:
    signature = Signature(inputs=tuple(Column(name=name, type="float") for name in names))
    return version("1").model_copy(update={"trained_until": until, "signature": signature})


@pytest.fixture(scope="module")
def golden_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("golden"), played=PLAYED, fixtures=FIXTURES)


class TestTheFirstUnseenDay:
    def test_is_the_one_after_both_trainings(self) -> None:
        earlier, later = model(date(2024, 5, 1)), model(date(2024, 6, 1))
        assert first_unseen_day([earlier, later]) == first_unseen_day([later, earlier]) == date(2024, 6, 2)
        assert first_unseen_day([earlier]) == date(2024, 5, 2)

    def test_may_be_a_later_one(self) -> None:
        assert first_unseen_day([model(date(2024, 5, 1))], date(2024, 7, 1)) == date(2024, 7, 1)

    def test_is_never_one_that_a_model_has_seen(self) -> None:
        with pytest.raises(BadInput, match="Give 2024-05-02 or a later day"):
            first_unseen_day([model(date(2024, 5, 1)), model()], date(2024, 5, 1))

    def test_has_to_be_named_where_it_is_unknown(self) -> None:
        with pytest.raises(ReleaseRefused, match=r"version 1 has learnt.*trained_until.*--golden-from"):
            first_unseen_day([model(date(2024, 5, 1)), model()])
        assert first_unseen_day([model()], date(2024, 5, 1)) == date(2024, 5, 1)


class TestTheRows:
    def read(self, golden_dir: Path, since: date = SINCE, **options: int) -> GoldenSet:
        return read_golden(golden_dir, [model()], since, **options)

    def test_are_the_settled_matches_since_a_day_and_the_fixtures(self, golden_dir: Path) -> None:
        golden = self.read(golden_dir)
        matches = decode(pq.read_table(golden_dir / "matches.parquet"))
        later = matches.filter(pc.and_(pc.equal(matches["status"], "played"), pc.greater_equal(matches["date"], SINCE)))

        assert golden.settled == len(later) > 150
        assert len(golden.values) == len(later) + FIXTURES
        assert np.bincount(golden.outcomes).tolist() == [later["result"].to_pylist().count(name) for name in RESULTS]

    def test_have_the_results_of_their_own_matches(self, golden_dir: Path) -> None:
        # The first feature makes home wins likely, so a mix-up of rows would show.
        golden = self.read(golden_dir, date(2022, 1, 1))
        strength = golden.values[: golden.settled, 0]
        assert strength[golden.outcomes == 0].mean() > 0.2
        assert strength[golden.outcomes == 2].mean() < -0.2

    def test_hold_nothing_of_the_days_before(self, golden_dir: Path) -> None:
        days = [SINCE + timedelta(days=each) for each in (0, 30, 60)]
        settled = [self.read(golden_dir, day).settled for day in days]
        assert settled == sorted(settled, reverse=True)
        assert len(set(settled)) == 3
        nothing = self.read(golden_dir, date(2030, 1, 1))
        assert (nothing.settled, len(nothing.values)) == (0, FIXTURES)

    def test_are_the_newest_where_there_are_many(self, golden_dir: Path) -> None:
        every, newest = self.read(golden_dir), self.read(golden_dir, newest=10)
        assert newest.settled == 10
        np.testing.assert_array_equal(newest.values[:10], every.values[: every.settled][-10:])
        assert len(newest.values) == 20

    def test_come_in_the_order_of_each_signature(self, golden_dir: Path) -> None:
        golden = read_golden(golden_dir, [model(), model(names=FEATURES[::-1]), model(names=FEATURES[1:2])], SINCE)
        assert golden.columns == FEATURES
        rows = golden.rows(model(names=FEATURES[::-1]).signature)
        np.testing.assert_array_equal(rows, golden.values[:, ::-1])
        assert golden.rows(model(names=FEATURES[1:2]).signature).shape == (len(golden.values), 1)
        assert rows.dtype == np.float32

    def test_need_every_feature_of_every_model(self, golden_dir: Path) -> None:
        with pytest.raises(ReleaseRefused, match=r"lacks features that version 1 needs \(altitude\)"):
            read_golden(golden_dir, [model(), model(names=("altitude",))], SINCE)

    def test_need_a_dataset(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="matchcast import"):
            self.read(tmp_path)
