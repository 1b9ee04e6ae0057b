"""Where MLflow keeps runs and the registry: a SQLite file next to the dataset, or a tracking server."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from matchcast_tools.checkout import local_folder
from matchcast_tools.errors import EnvironmentProblem

TRACKING_VARIABLE = "MLFLOW_TRACKING_URI"

_SQLITE = "sqlite:///"
_SQLITE_HEADER = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class Tracking:
    """An MLflow store: its URI, and where a new experiment keeps its files (None: the server decides)."""

    uri: str
    artifacts: str | None = None

    @classmethod
    def at(cls, folder: Path) -> Tracking:
        """Return the SQLite store `mlflow.db` of a folder, with its files next to it."""
        folder = folder.resolve()
        return cls(f"{_SQLITE}{folder / 'mlflow.db'}", (folder / "mlartifacts").as_uri())

    @classmethod
    def find(cls) -> Tracking:
        """Return the store that `MLFLOW_TRACKING_URI` names, or the one under `.local/`."""
        uri = os.environ.get(TRACKING_VARIABLE)
        return cls(uri) if uri else cls.at(local_folder())

    @property
    def shown(self) -> str:
        """Return the URI as messages may show it: without user and password."""
        parts = urlsplit(self.uri)
        return self.uri.replace(f"{parts.netloc}", parts.netloc.rpartition("@")[2], 1) if parts.netloc else self.uri

    def connect(self, *, create: bool = False) -> Any:
        """Return an `MlflowClient`, and make this the store of everything that MLflow does in this process.

        Raises
        ------
        EnvironmentProblem
            If there is no such store and `create` is off, or the file is none.
        """
        if self.uri.startswith(_SQLITE):
            _check_database(Path(self.uri.removeprefix(_SQLITE)), create=create)
        for name, value in (
            ("GIT_PYTHON_REFRESH", "quiet"),
            # A server that is away is reported in seconds, not minutes.
            ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2"),
            ("MLFLOW_HTTP_REQUEST_TIMEOUT", "20"),
        ):
            os.environ.setdefault(name, value)
        import mlflow

        for chatty in ("mlflow", "alembic"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
        with self.answering():
            mlflow.set_tracking_uri(self.uri)
            mlflow.set_registry_uri(self.uri)
            return mlflow.MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Raise what MLflow raises inside the block as `EnvironmentProblem`."""
        from mlflow.exceptions import MlflowException

        try:
            yield
        except MlflowException as error:
            raise EnvironmentProblem(
                f"The MLflow store at {self.shown} did not do what was asked: {error.message} "
                f"Check {TRACKING_VARIABLE} and that the store runs."
            ) from error


def _check_database(path: Path, *, create: bool) -> None:
    """Refuse a store that is not there, or a file that is none, before MLflow retries it for a minute."""
    if not path.exists():
        if not create:
            raise EnvironmentProblem(
                f"There is no model registry at {path}. Train a model with `matchcast train`, "
                f"or name an MLflow store in {TRACKING_VARIABLE}."
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        return
    with path.open("rb") as file:
        start = file.read(len(_SQLITE_HEADER))
    if start and start != _SQLITE_HEADER:
        raise EnvironmentProblem(f"{path} is no SQLite database. Move it away, then run `matchcast train`.")
