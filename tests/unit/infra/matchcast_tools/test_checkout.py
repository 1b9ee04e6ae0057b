"""The checkout and the folder of local state, as seen from different working directories."""

from __future__ import annotations

from pathlib import Path

import pytest

from matchcast_tools.checkout import (
    CONTENTS,
    LOCAL_VARIABLE,
    data_folder,
    find_checkout,
    local_folder,
    require_checkout,
)
from matchcast_tools.errors import EnvironmentProblem


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the contents of a checkout; no variable names the local folder."""
    monkeypatch.delenv(LOCAL_VARIABLE)
    made = tmp_path / "checkout"
    for name in (*CONTENTS, "functions/track_tasks"):
        (made / name).mkdir(parents=True)
    return made


@pytest.mark.parametrize("inside", ["", "functions/track_tasks"])
def test_a_checkout_is_found_from_every_folder_in_it(
    checkout: Path, inside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout / inside)

    assert find_checkout() == require_checkout() == checkout
    assert local_folder() == checkout / ".local"


def test_outside_a_checkout_local_state_is_in_the_working_directory(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout.parent)

    assert find_checkout() is None
    assert data_folder() == checkout.parent / ".local" / "data"
    with pytest.raises(EnvironmentProblem, match="not in a checkout"):
        require_checkout()


def test_the_variable_names_the_local_folder_everywhere(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOCAL_VARIABLE, "elsewhere")
    monkeypatch.chdir(checkout)

    assert local_folder() == checkout / "elsewhere"
