"""The sample league for the laptop stack: trained in a process of its own while the template is deployed.

What the process publishes is kept, with a digest of the code and libraries that made it and the day (the sample's
fixtures are always in the future). The next start of that day puts the same objects into the bucket and trains
nothing; only the snapshot is made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import IO

import matchcast
import matchcast_tools
from matchcast_tools.errors import EnvironmentProblem
from matchcast_tools.laptop.processes import marked_with, signal_group
from matchcast_tools.progress import Steps
from matchcast_tools.stack.deployed import Stack
from matchcast_tools.stack.invoke_refresh import invoke_refresh

SAMPLE_VARIABLE = "MATCHCAST_SAMPLE"
"""Names the folder that keeps the trained sample; without it that is `sample` in the local folder."""
MADE_BY = tuple(Path(package.__path__[0]) for package in (matchcast, matchcast_tools))
"""The packages that make the sample, wherever they are installed."""


class SampleFolder:
    """The sample's files, and in its root the model registry.

    Attributes
    ----------
    match_files
        The sample league in the format of football-data.co.uk.
    data
        The imported dataset with its features.
    objects
        The published objects, each under its key.
    digest
        Identifies what made the content; written last.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.match_files, self.data = root / "matches", root / "data"
        self.objects, self.digest = root / "objects", root / "digest"

    def is_made_by(self, digest: str) -> bool:
        """Return whether the content is complete, and made by this code."""
        return self.digest.exists() and self.digest.read_text() == digest

    def published(self) -> Iterator[tuple[str, bytes]]:
        """Yield key and body of every published object, manifests last."""
        files = [path for path in self.objects.rglob("*") if path.is_file()]
        for path in sorted(files, key=lambda path: (path.name == "manifest.json", path)):
            yield path.relative_to(self.objects).as_posix(), path.read_bytes()


class SampleLoad:
    """A sample league in preparation: `finish` loads it into a stack, `stop` ends the preparation."""

    def __init__(self, folder: SampleFolder, process: subprocess.Popen[str] | None) -> None:
        self._folder = folder
        self._process = process

    def finish(self, stack: Stack, progress: Steps) -> None:
        """Publish dataset and model to the stack, and make its snapshot.

        Raises
        ------
        EnvironmentProblem
            If the process that trains failed; the message contains the end of its output.
        """
        if self._process is None:
            progress("loading the sample league trained before")
            put_objects(stack, self._folder)
        else:
            progress("training on the sample league")
            try:
                self._hand_over(self._process, stack, progress)
            finally:
                self.stop()
        progress("making the snapshot")
        invoke_refresh(stack)

    def stop(self) -> None:
        """End the process that trains, with all that it started."""
        if self._process is None:
            return
        process, self._process = self._process, None
        if process.poll() is None:
            signal_group(process.pid, signal.SIGKILL)
            process.wait()
        for pipe in _pipes(process):
            # What the process did not read any more is of no interest.
            with suppress(BrokenPipeError):
                pipe.close()

    def _hand_over(self, process: subprocess.Popen[str], stack: Stack, progress: Steps) -> None:
        """Send the process the stack that it publishes to, and pass its progress on."""
        stdin, stdout = _pipes(process)
        where = {"port": int(stack.api_url.rpartition(":")[2]), "outputs": stack.outputs}
        try:
            # It stays open, since the process ends with its owner.
            stdin.write(json.dumps(where) + "\n")
            stdin.flush()
        except BrokenPipeError:
            # It has ended already; its output is read below.
            progress("the training has ended early")
        printed = []
        for line in stdout:
            printed.append(line.rstrip())
            if line.startswith("> "):
                progress(line.removeprefix("> ").rstrip())
        if process.wait() != 0:
            raise EnvironmentProblem(
                "The sample league could not be loaded:\n"
                + "\n".join(printed[-20:])
                + "\nStart without it: `matchcast up --no-sample`."
            )


def begin_sample(local: Path) -> SampleLoad:
    """Start to make the sample, unless it was made before by the same code."""
    folder = SampleFolder(Path(os.environ.get(SAMPLE_VARIABLE) or local / "sample").resolve())
    digest = digest_of(MADE_BY, sys.path)
    if folder.is_made_by(digest):
        return SampleLoad(folder, None)
    shutil.rmtree(folder.root, ignore_errors=True)
    process = subprocess.Popen(  # noqa: S603 - this environment's interpreter
        [sys.executable, "-m", "matchcast_tools.laptop.sample_worker", str(folder.root), digest],
        env=os.environ | marked_with(local),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    return SampleLoad(folder, process)


def put_objects(stack: Stack, folder: SampleFolder) -> None:
    """Put what was published before into the stack's bucket."""
    s3, bucket = stack.client("s3"), stack.output("DataBucketName")
    for key, body in folder.published():
        s3.put_object(Bucket=bucket, Key=key, Body=body)


def digest_of(packages: Sequence[Path], import_path: Sequence[str]) -> str:
    """Return a digest of all that the sample depends on: day, interpreter, installed libraries, code."""
    today = date.today()  # noqa: DTZ011 - the day that the sample takes for today
    # The name of such a folder contains the library's version.
    libraries = sorted(path.name for folder in import_path for path in Path(folder).glob("*.dist-info"))
    hasher = hashlib.sha256(f"{today} {sys.version} {libraries}".encode())
    for package in packages:
        for file in sorted(package.rglob("*.py")):
            hasher.update(f"\0{file.relative_to(package.parent).as_posix()}\0".encode())
            hasher.update(file.read_bytes())
    return hasher.hexdigest()


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    if process.stdin is None or process.stdout is None:
        raise ValueError("The process was started without pipes.")
    return process.stdin, process.stdout
