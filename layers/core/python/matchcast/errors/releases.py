"""Why a release of a model or a snapshot is refused; what was served stays."""

from __future__ import annotations

from matchcast.errors.base import MatchcastError


class ReleaseRefused(MatchcastError, code="release-refused", status=409, title="Release refused"):
    """A model version or snapshot is not fit to be served; what was served stays."""


class DigestMismatch(
    ReleaseRefused,
    code="digest-mismatch",
    public="A file of the newest release is not the one that was announced; the release has to be published again.",
):
    """A file's SHA-256 or size is not the one that its manifest names."""


class ManifestInvalid(
    ReleaseRefused,
    code="manifest-invalid",
    public="The newest release cannot be read; it has to be published again.",
):
    """A manifest is missing, is not JSON, or has another schema version."""


class ReleaseRaceLost(ReleaseRefused, code="release-race-lost"):
    """Another publisher switched the manifest first."""


class SignatureMissing(ReleaseRefused, code="signature-missing"):
    """The model version was logged without a signature."""


class ParityFailed(ReleaseRefused, code="parity-failed"):
    """The exported model gives other probabilities than the registered one."""


class AliasUnknown(ReleaseRefused, code="alias-unknown"):
    """The registered model has no version under this alias."""
