"""The `Prefer` header (RFC 7240): whether a client would rather have a task, and how long it would wait."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

LONGEST_WAIT = timedelta(seconds=28)
_PREFERENCE = re.compile(r'\s*([\w!#$%&\'*+.^`|~-]+)\s*(?:=\s*(?:"([^"]*)"|([^\s;,"]*)))?\s*(?:;[^,]*)?')
# Parts are separated by commas; one inside a quoted value separates nothing.
_PARTS = re.compile(r'(?:[^,"]|"[^"]*")+')


@dataclass(frozen=True, slots=True)
class Preference:
    """What a request prefers; what cannot be read, or is not known, is ignored as the RFC asks."""

    respond_async: bool = False
    wait: timedelta | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """Return `Vary`, and `Preference-Applied` where something was applied."""
        applied = [f"wait={int(self.wait.total_seconds())}"] if self.wait is not None else []
        applied += ["respond-async"] if self.respond_async else []
        return {"Vary": "Prefer"} | ({"Preference-Applied": ", ".join(applied)} if applied else {})


def parse_prefer(header: str | None) -> Preference:
    """Return the preference in a header; of a repeated one the first counts.

    Examples
    --------
    >>> parse_prefer("respond-async, wait=5")
    Preference(respond_async=True, wait=datetime.timedelta(seconds=5))
    >>> parse_prefer("return=minimal; foo=1")
    Preference(respond_async=False, wait=None)
    """
    found: dict[str, str] = {}
    for part in _PARTS.findall(header or ""):
        match = _PREFERENCE.fullmatch(part)
        if match:
            name, quoted, plain = match.groups()
            found.setdefault(name.lower(), quoted if quoted is not None else plain or "")
    wait = found.get("wait", "")
    seconds = timedelta(seconds=min(int(wait), 86_400)) if re.fullmatch(r"[0-9]{1,9}", wait) else None
    return Preference(
        respond_async=found.get("respond-async") == "",
        wait=None if seconds is None else min(seconds, LONGEST_WAIT),
    )
