"""What survives the engine: when it is saved, and how it is read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.laptop.keeping import Keeper, prepare
from matchcast_tools.laptop.state import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A local folder with a saved state of port 4711, and an object."""
    made = Folder(tmp_path / "local")
    made.objects.mkdir(parents=True)
    (made.objects / "model").write_text("weights")
    queue = {"url": "http://localhost:4711/000000000000/high", "body": "port 4711 of http://localhost:47110/"}
    made.saved.write_text(json.dumps({"port": 4711, "services": {"sqs": queue}}))
    return made


@pytest.fixture
def keeper(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Keeper:
    """A keeper whose engine has one service."""
    made = Keeper(folder, 4711)
    monkeypatch.setattr(made, "_collect", lambda: {"sqs": {"messages": [1]}})
    return made


def services(folder: Folder) -> Any:
    return json.loads(folder.saved.read_text())["services"]


def test_a_state_for_the_same_port_is_left_as_it_is(folder: Folder) -> None:
    before = folder.saved.read_bytes()

    prepare(folder, 4711)

    assert folder.saved.read_bytes() == before


def test_addresses_of_another_port_are_changed_and_nothing_else(folder: Folder) -> None:
    # WHEN
    prepare(folder, 4712)

    # THEN
    assert json.loads(folder.saved.read_text())["port"] == 4712
    assert services(folder)["sqs"] == {
        "url": "http://localhost:4712/000000000000/high",
        "body": "port 4711 of http://localhost:47110/",
    }
    assert folder.saved.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", '{"port": 4711, "serv', "[]", "null", "{}", '{"port": "x"}'])
def test_a_state_that_cannot_be_read_is_explained_and_kept(folder: Folder, text: str) -> None:
    folder.saved.write_text(text)

    with pytest.raises(EnvironmentProblem, match=r"saved\.json cannot be read.*matchcast up --new"):
        prepare(folder, 4711)

    assert folder.saved.read_text() == text


def test_parts_of_a_stack_that_never_was_ready_are_removed(folder: Folder) -> None:
    folder.saved.unlink()

    prepare(folder, 4711)

    assert list(folder.kept.iterdir()) == []
    assert folder.kept.stat().st_mode & 0o077 == 0


def test_a_ready_stack_is_saved_if_anything_has_changed(folder: Folder, keeper: Keeper) -> None:
    # GIVEN a stack that is ready
    folder.stack_file.write_text("{}")

    # WHEN nothing has changed
    before = folder.saved.read_bytes()
    keeper.save()
    # THEN
    assert folder.saved.read_bytes() == before

    # WHEN something has
    keeper.changed = True
    keeper.save()
    # THEN
    assert services(folder) == {"sqs": {"messages": [1]}}
    assert keeper.changed is False


def test_a_stack_that_is_not_ready_is_not_saved(folder: Folder, keeper: Keeper) -> None:
    keeper.changed = True

    keeper.save()

    assert "url" in services(folder)["sqs"]
    assert keeper.changed is True


def test_a_save_that_fails_leaves_what_was_saved_before_and_is_tried_again(
    folder: Folder, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a disk that is full
    folder.stack_file.write_text("{}")
    before = folder.saved.read_bytes()

    def full(draft: Path, _: str) -> int:
        draft.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    keeper.changed = True

    # WHEN
    with pytest.raises(OSError, match="No space"):
        keeper.save()

    # THEN no half-written file stays
    assert folder.saved.read_bytes() == before
    assert sorted(path.name for path in folder.kept.iterdir()) == ["s3", "saved.json"]
    assert keeper.changed is True


def test_the_engine_still_has_what_is_saved_and_restored_by() -> None:
    from ministack import app
    from ministack.core import persistence

    assert callable(app._load_persisted_state)
    assert {"sqs", "dynamodb", "cognito", "lambda", "cloudformation", "s3"} <= set(app._state_map)
    assert callable(app._build_persistence_save_dict)
    assert callable(app._get_module)
    assert persistence._json_object_hook({"__bytes__": "AA=="}) == b"\0"
