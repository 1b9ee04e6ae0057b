"""The scorecard of a snapshot from its file: checked, and encoded as it is answered."""

from __future__ import annotations

from pydantic import ValidationError

from matchcast.domain.manifests import SnapshotManifest, unreadable
from matchcast.domain.scorecard import Scorecard


def read_scorecard(manifest: SnapshotManifest, name: str, body: bytes | None) -> bytes:
    """Return the scorecard as a JSON object; a snapshot from before there were scorecards has an empty one.

    Raises
    ------
    ManifestInvalid
        If the file is not what the data contract says.
    """
    try:
        card = Scorecard.empty(manifest.bookmaker) if body is None else Scorecard.model_validate_json(body)
    except ValidationError as error:
        raise unreadable(name, error) from error
    return card.model_dump_json(by_alias=True).encode()
