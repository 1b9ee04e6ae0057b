"""The zips that the laptop stack deploys."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from matchcast_tools.errors import BadInput
from matchcast_tools.laptop.package import dockerfile_command, function_files, image_files, layer_files, zip_files

ROOT = Path(__file__).resolve().parents[5]


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n")


def test_a_zip_depends_on_nothing_but_its_files() -> None:
    one = zip_files({"b.py": b"2", "a.py": b"1"})
    other = zip_files({"a.py": b"1", "b.py": b"2"})

    assert one == other
    with zipfile.ZipFile(io.BytesIO(one)) as archive:
        assert archive.namelist() == ["a.py", "b.py"]
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o644}


def test_a_function_is_packaged_under_the_dotted_name_of_its_handler(tmp_path: Path) -> None:
    # GIVEN
    write(tmp_path, "functions/__init__.py", "functions/track/__init__.py", "functions/track/handler.py")
    write(tmp_path, "functions/other/handler.py", "functions/track/docs.html", "functions/track/__pycache__/a.py")
    write(tmp_path, "functions/track/event.json", "functions/track/requirements.txt", "functions/track/Dockerfile")

    # WHEN
    files = function_files(tmp_path, "functions/track/")

    # THEN
    assert sorted(files) == [
        "functions/__init__.py",
        "functions/track/__init__.py",
        "functions/track/docs.html",
        "functions/track/handler.py",
    ]


def test_a_function_without_code_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "functions/__init__.py", "functions/track/readme.md")

    with pytest.raises(BadInput, match="holds no Python code"):
        function_files(tmp_path, "functions/track/")


def test_a_layer_is_packaged_from_its_root(tmp_path: Path) -> None:
    write(tmp_path, "layers/core/python/matchcast/ports.py")

    assert list(layer_files(tmp_path, "layers/core/")) == ["python/matchcast/ports.py"]


def test_a_layer_without_code_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="as a layer"):
        layer_files(tmp_path, "layers/core/")


def dockerfile(root: Path, *lines: str) -> None:
    (root / "Dockerfile").write_text("\n".join(("FROM base", *lines)) + "\n")


def test_an_image_holds_what_its_dockerfile_copies_and_nothing_else(tmp_path: Path) -> None:
    # GIVEN folders, single files, several files to one folder, and lines that copy no code
    write(tmp_path, "layers/core/python/matchcast/a.py", "layers/core/python/matchcast/deep/b.py")
    write(
        tmp_path,
        "functions/__init__.py",
        "functions/run/handler.py",
        "infra/__init__.py",
        "infra/errors.py",
    )
    write(tmp_path, "infra/stack.py", "functions/other/handler.py", "requirements.txt")
    dockerfile(
        tmp_path,
        "COPY requirements.txt /tmp/requirements.txt",
        "COPY --from=build /opt ${LAMBDA_TASK_ROOT}/",
        "COPY layers/core/python/matchcast ${LAMBDA_TASK_ROOT}/matchcast/",
        "COPY infra/__init__.py infra/errors.py ${LAMBDA_TASK_ROOT}/infra/",
        "COPY functions/__init__.py \\",
        "     ${LAMBDA_TASK_ROOT}/functions/",
        'COPY --chmod=644 functions/run "${LAMBDA_TASK_ROOT}/functions/run"',
        "COPY infra/errors.py ${LAMBDA_TASK_ROOT}/renamed.py",
    )

    # WHEN
    files = image_files(tmp_path, ".", "Dockerfile")

    # THEN
    assert sorted(files) == [
        "functions/__init__.py",
        "functions/run/handler.py",
        "infra/__init__.py",
        "infra/errors.py",
        "matchcast/a.py",
        "matchcast/deep/b.py",
        "renamed.py",
    ]
    assert files["renamed.py"] == b"# infra/errors.py\n"


def test_a_dockerfile_may_copy_lists_of_files_and_wildcards(tmp_path: Path) -> None:
    # GIVEN lines of several files, a wildcard of files, one of folders, and a comment within a line
    write(tmp_path, "core/a.py", "core/b.py", "core/c.py", "core/tests.md", "core/deep/d.py", "core/other/e.py")
    dockerfile(
        tmp_path,
        "COPY core/a.py \\",
        "     # a comment of Docker's, not a file",
        "     core/b.py \\",
        "     ${LAMBDA_TASK_ROOT}/listed/",
        "COPY core/*.py core/*.md /var/task/matched/",
        "COPY core/de*p ${LAMBDA_TASK_ROOT}/matched/deep",
        "COPY core/o*r/ ${LAMBDA_TASK_ROOT}",
        "COPY core/a.py ${LAMBDA_TASK_ROOT}-elsewhere/",
    )

    # WHEN it is read
    files = image_files(tmp_path, ".", "Dockerfile")

    # THEN each file is where the image has it
    assert sorted(files) == [
        "e.py",
        "listed/a.py",
        "listed/b.py",
        "matched/a.py",
        "matched/b.py",
        "matched/c.py",
        "matched/deep/d.py",
    ]


def test_a_dockerfile_that_copies_what_is_not_there_is_refused(tmp_path: Path) -> None:
    dockerfile(tmp_path, "COPY functions/gone ${LAMBDA_TASK_ROOT}/functions/gone")

    with pytest.raises(BadInput, match="copies functions/gone, which is not in"):
        image_files(tmp_path, ".", "Dockerfile")


def test_a_missing_dockerfile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is missing"):
        image_files(tmp_path, ".", "Dockerfile")


def test_the_last_command_names_the_handler(tmp_path: Path) -> None:
    dockerfile(tmp_path, 'CMD ["old.handler"]', 'CMD [ "functions.run.handler.lambda_handler" ]')

    assert dockerfile_command(tmp_path, ".", "Dockerfile") == "functions.run.handler.lambda_handler"


def test_a_dockerfile_without_command_names_none(tmp_path: Path) -> None:
    dockerfile(tmp_path)

    assert dockerfile_command(tmp_path, ".", "Dockerfile") is None


@pytest.mark.parametrize("name", ["run_inference", "refresh_snapshot"])
def test_the_images_of_the_product_hold_their_handler_and_the_package(name: str) -> None:
    path = f"functions/{name}/Dockerfile"

    files = image_files(ROOT, ".", path)

    handler = dockerfile_command(ROOT, ".", path)
    assert handler == f"functions.{name}.handler.lambda_handler"
    assert {f"functions/{name}/handler.py", "functions/__init__.py", "matchcast/ports.py"} <= set(files)
    assert not any(file.startswith(("infra", "tests")) for file in files)
