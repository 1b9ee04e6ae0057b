"""The `Prefer` header (RFC 7240): whether a client would rather have a task, and how long it would wait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from string import ascii_letters, digits

from matchcast.http.headers import LONGEST, split_outside_quotes

LONGEST_WAIT = timedelta(seconds=28)
_TOKEN = frozenset("!#$%&'*+-.^_`|~" + ascii_letters + digits)


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
    for part in split_outside_quotes(header, ",") if header and len(header) <= LONGEST else ():
        name, _, value = next(split_outside_quotes(part, ";")).partition("=")
        name, value = name.strip().lower(), value.strip()
        if name and _TOKEN.issuperset(name):
            found.setdefault(name, value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value)
    return Preference(respond_async=found.get("respond-async") == "", wait=_seconds(found.get("wait", "")))


def _seconds(text: str) -> timedelta | None:
    """Return a wait of any number of digits, at most the longest; None if the text is no whole number."""
    if not (text.isascii() and text.isdigit()):
        return None
    short = text.lstrip("0")[:3] or "0"
    return min(timedelta(seconds=int(short)), LONGEST_WAIT)
