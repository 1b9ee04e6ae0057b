"""What a proof prints: what it does, each claim with its figure, and one JSON object as its last line."""

from __future__ import annotations

import json
import time
from typing import Any, NoReturn

import typer


class Claims:
    """The claims of one proof."""

    def __init__(self) -> None:
        self.figures: dict[str, Any] = {}
        self._broken: list[str] = []
        self._started = time.monotonic()

    def say(self, text: str) -> None:
        """Explain what happens next."""
        typer.echo(f"[{time.monotonic() - self._started:6.1f} s] {text}")

    def hold(self, claim: str, *, holds: bool, **figures: Any) -> None:
        """Note whether a claim holds, with its figures."""
        self.figures |= figures
        shown = ", ".join(f"{name} {value}" for name, value in figures.items())
        self.say(f"{'ok    ' if holds else 'BROKEN'} {claim}" + (f" ({shown})" if shown else ""))
        if not holds:
            self._broken.append(claim)

    def finish(self) -> NoReturn:
        """Print the figures; exit 0 only if every claim held."""
        for claim in self._broken:
            self.say(f"This does not hold: {claim}")
        typer.echo(json.dumps(self.figures))
        raise typer.Exit(1 if self._broken else 0)
