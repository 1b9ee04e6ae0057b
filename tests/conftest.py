"""No test reaches an account on AWS, a model registry or a stack of the developer's: the environment is made bare."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

if TYPE_CHECKING:
    from tests.support.workers import WholeFiles

FOREIGN_PREFIXES = ("AWS_", "LOCALSTACK_", "MATCHCAST_", "MLFLOW_", "POWERTOOLS_")
KEPT = ("MATCHCAST_REAL_DATA",)

# Before any module of the project is imported.
for name in [name for name in os.environ if name.startswith(FOREIGN_PREFIXES) and name not in KEPT]:
    del os.environ[name]
_local = Path(tempfile.mkdtemp(prefix="matchcast-tests-"))
os.environ |= {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "MATCHCAST_LOCAL": str(_local),
}
# Descriptions of AWS services are parsed once: every new session would take half a second for it, and tests make many.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)


def pytest_unconfigure() -> None:
    """Remove the local folder of this run."""
    shutil.rmtree(_local, ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let workers begin with what takes longest."""
    if hasattr(config, "workerinput"):
        from tests.support.workers import place_of

        items.sort(key=lambda item: place_of(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> WholeFiles:
    """Share the tests out by files; asked for with `-n` alone, so that one test needs no pytest-xdist."""
    from tests.support.workers import WholeFiles

    return WholeFiles(config, log)
