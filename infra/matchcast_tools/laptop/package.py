"""The code that the laptop stack deploys: byte-for-byte repeatable zips of functions and of the product's layer."""

from __future__ import annotations

import io
import json
import re
import shlex
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from matchcast_tools.errors import BadInput

# Files in a function's folder that serve its build or its tests, and are no part of what runs.
LEFT_OUT = ("*.pyc", "Dockerfile", "event.json", "requirements*", "*.md")


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
    packages = [root / parent / "__init__.py" for parent in Path(code_uri).parents if parent.name]
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

    So the laptop runs a function with the code of its image and no other file of the checkout. Lines that copy to
    another folder (requirements) and what another build stage made (`--from=`) are left to the image.

    Raises
    ------
    BadInput
        If the Dockerfile is missing, or copies something that does not exist.
    """
    base = root / context
    files: dict[str, bytes] = {}
    for arguments in _instructions(base / dockerfile, "COPY"):
        words = shlex.split(arguments)
        *sources, target = [word for word in words if not word.startswith("--")]
        folder = _inside_task_root(target)
        if folder is None or any(word.startswith("--from") for word in words):
            continue
        for source in sources:
            found = sorted(base.glob(source.rstrip("/")))
            if not found:
                raise BadInput(f"{base / dockerfile} copies {source}, which is not in {base}.")
            for item in found:
                files |= _copied(item, folder)
    return files


def dockerfile_command(root: Path, context: str, dockerfile: str) -> str | None:
    """Return the handler that a Dockerfile's CMD names, or None if it names none.

    Raises
    ------
    BadInput
        If the Dockerfile is missing.
    """
    commands = [command for command in _instructions(root / context / dockerfile, "CMD") if command.startswith("[")]
    return str(json.loads(commands[-1])[0]) if commands else None


def _instructions(dockerfile: Path, word: str) -> list[str]:
    """Return the arguments of each instruction of one kind, without comments and continued lines joined."""
    try:
        text = dockerfile.read_text()
    except FileNotFoundError:
        raise BadInput(f"{dockerfile} is missing, but the template builds a function's image with it.") from None
    joined = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return re.findall(rf"^{word}\s+(.+)$", joined, re.MULTILINE)


def _inside_task_root(target: str) -> str | None:
    """Return the target of a COPY relative to the folder of the function's code, or None if it is elsewhere."""
    found = re.fullmatch(r"(?:\$\{LAMBDA_TASK_ROOT\}|/var/task)(?:/(.*))?", target)
    return found and (found[1] or "")


def _copied(item: Path, target: str) -> dict[str, bytes]:
    """Do what COPY does: the content of a folder goes to the target, a file into a target that ends in a slash."""
    if item.is_dir():
        return {str(PurePosixPath(target, name)): body for name, body in _code(item, [item]).items()}
    if _is_left_out(item):
        return {}
    name = PurePosixPath(target, item.name) if not target or target.endswith("/") else PurePosixPath(target)
    return {str(name): item.read_bytes()}


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
