"""manage_batches over a flow of batches in memory."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from functions.manage_batches.handler import lambda_handler
from matchcast.batches.uploads import MakeUpload
from matchcast.bootstrap import batches, http
from matchcast.http.cursors import Cursors
from tests.support.batch_flow import Flow
from tests.support.batches import InMemoryFiles
from tests.support.documented import ask
from tests.support.http_events import Answer
from tests.support.releases import MATCHES
from tests.support.tasks import NOW

if TYPE_CHECKING:
    import pytest

MATCH = next(iter(MATCHES))
FEATURES = {"elo_difference": 12.5, "form": 0.3}


class ManagedBatches:
    """The real handler, whose batches are run by `settle`; every answer is held against the document."""

    def __init__(self, patch: pytest.MonkeyPatch, **changes: Any) -> None:
        self.flow = Flow(**changes)
        files: InMemoryFiles = self.flow.uploads
        patch.setattr(batches, "make_upload", lambda: MakeUpload(files, lambda: self.flow.now, 3600))
        patch.setattr(batches, "submit_batch", lambda: self.flow.submit)
        patch.setattr(batches, "track_batches", lambda: self.flow.track)
        patch.setattr(batches, "download_link", lambda key, name: files.download_link(key, name, 900))
        patch.setattr(http, "cursors", lambda: Cursors(lambda: b"key"))

    def ask(self, method: str, path: str, body: Any = None, tenant: str = "north", **request: Any) -> Answer:
        """Send a request as a tenant."""
        return ask(lambda_handler, method, path, body=body, tenant=tenant, **request)

    def submit(self, **body: Any) -> Answer:
        """Submit match ids, or what is given."""
        return self.ask("POST", "/predict/batch/", body or {"match_ids": [MATCH]})

    def path(self, **body: Any) -> str:
        """Submit and return the path of the batch."""
        answer = self.submit(**body)
        assert answer.status == 202, answer.body
        return str(answer.json["links"]["status"])

    def expire(self) -> None:
        """Let the time pass for which a batch is kept."""
        self.flow.now = NOW + timedelta(days=1)
