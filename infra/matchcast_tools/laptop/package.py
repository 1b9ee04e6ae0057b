"""What the laptop stack deploys as code: byte-for-byte repeatable zips of functions and of the product's layer."""

from __future__ import annotations

import io
import re
import shlex
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from matchcast_tools.errors import BadInput

# What lies in a function's folder for its build or its tests, and is no part of what runs.
LEFT_OUT = ("*.pyc", "Dockerfile", "event.json", "requirements*", "*.md")
# `COPY source... destination` of a Dockerfile; what another build stage made (`--from=`) are libraries.
COPY_LINE = re.compile(r"^COPY\s+(?!--from)(?P<arguments>.+)$", re.MULTILINE)
TASK_ROOT = ("${LAMBDA_TASK_ROOT}/", "${LAMBDA_TASK_ROOT}", "/var/task/")


def zip_files(files: Mapping[str, bytes]) -> bytes:
    """Return a zip of the files whose bytes depend on nothing else: sorted, dated 1980, with plain modes."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name])
    return body.getvalue()


def function_files(root: Path, code_uri: str) -> dict[str, bytes]:
    """Return the files of a zip function, under the dotted name that its handler has.

    Raises
    ------
    BadInput
        If the folder holds no code.
    """
    folder = root / code_uri
    packages = [root / Path(*parts) / "__init__.py" for parts in _ancestors(Path(code_uri))]
    files = _code(root, [folder, *packages])
    if not any(name.startswith(f"{Path(code_uri).as_posix()}/") and name.endswith(".py") for name in files):
        raise BadInput(f"{folder} holds no Python code, but the template deploys it as a function.")
    return files


def layer_files(root: Path, content_uri: str) -> dict[str, bytes]:
    """Return the files of a layer that needs no build, relative to its root (`python/...`).

    Raises
    ------
    BadInput
        If the folder holds no code.
    """
    folder = root / content_uri
    files = _code(folder, [folder])
    if not files:
        raise BadInput(f"{folder} holds no Python code, but the template deploys it as a layer.")
    return files


def image_files(root: Path, context: str, dockerfile: str) -> dict[str, bytes]:
    """Return the code that a function's Dockerfile copies into its image, where the image has it.

    So the laptop runs a function with what its image holds and nothing else of the checkout. Lines
    that copy no code (requirements, what a build stage made) are left to the image.

    Raises
    ------
    BadInput
        If the Dockerfile is missing, or copies something that does not exist.
    """
    base = root / context
    path = base / dockerfile
    try:
        text = path.read_text().replace("\\\n", " ")
    except FileNotFoundError:
        raise BadInput(f"{path} is missing, but the template builds a function's image with it.") from None
    files: dict[str, bytes] = {}
    for match in COPY_LINE.finditer(text):
        *sources, target = [word for word in shlex.split(match["arguments"]) if not word.startswith("--")]
        if not target.startswith(TASK_ROOT):
            continue
        for source in sources:
            found = sorted(base.glob(source.rstrip("/")))
            if not found:
                raise BadInput(f"{path} copies {source}, which is not in {base}.")
            for item in found:
                files |= _copied(item, inside_task_root(target), many=len(sources) > 1)
    return files


def dockerfile_command(root: Path, context: str, dockerfile: str) -> str | None:
    """Return the handler that a Dockerfile's CMD names, if it names one."""
    found = re.findall(r"^CMD\s+\[\s*\"([^\"]+)\"", (root / context / dockerfile).read_text(), re.MULTILINE)
    return found[-1] if found else None


def inside_task_root(target: str) -> str:
    """Return the target of a COPY line relative to the folder that a function's code is in."""
    for prefix in TASK_ROOT:
        if target.startswith(prefix):
            return target.removeprefix(prefix)
    return target


def _copied(item: Path, target: str, *, many: bool) -> dict[str, bytes]:
    """Do what COPY does: a folder's content goes to the target, a file under or onto it."""
    if item.is_dir():
        prefix = f"{target.strip('/')}/" if target.strip("/") else ""
        return {f"{prefix}{name}": body for name, body in _code(item, [item]).items()}
    if _is_left_out(item):
        return {}
    into_folder = many or target in {"", "."} or target.endswith("/")
    name = f"{target}/{item.name}" if into_folder else target
    return {re.sub(r"^(\./|/)+|(?<=/)/+", "", name): item.read_bytes()}


def _code(root: Path, places: Iterable[Path]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for place in places:
        candidates = place.rglob("*") if place.is_dir() else [place]
        for path in candidates:
            if path.is_file() and not _is_left_out(path):
                files[path.relative_to(root).as_posix()] = path.read_bytes()
    return files


def _is_left_out(path: Path) -> bool:
    return "__pycache__" in path.parts or any(path.match(pattern) for pattern in LEFT_OUT)


def _ancestors(path: Path) -> list[tuple[str, ...]]:
    return [path.parts[:length] for length in range(1, len(path.parts))]
