"""What a sender is asked to do, and how one is named: a callable `module:function`, or a command."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Job:
    """Events to deliver to one receiver.

    Attributes
    ----------
    url
        Where to.
    secrets
        What to sign with, newest first, as `whsec_...`. A sender that makes its own tells them instead.
    events
        A name for each event. Each is another event; a sender that has no such event delivers any of its own.
    attempts
        How often an event that fails is tried. Nobody waits for more: a sender that can shorten its delays does.
    timeout_seconds
        How long one attempt may take in all, where the sender can be told.
    """

    url: str
    secrets: tuple[str, ...]
    events: tuple[str, ...] = ("task.succeeded",)
    attempts: int = 2
    timeout_seconds: float = 20.0


Sender = Callable[[Job], Sequence[str] | None]
"""Does a job, and returns when nothing of it is left to send; the secrets if they are not those of the job."""


def load_sender(name: str, patience_seconds: float = 60.0) -> Sender:
    """Return the sender that `--sender` names."""
    if re.fullmatch(r"[\w.]+:\w+", name):
        module, _, function = name.partition(":")
        sender: Sender = getattr(importlib.import_module(module), function)
        return sender
    return _Command(shlex.split(name), patience_seconds)


@dataclass(frozen=True, slots=True)
class _Command:
    """A sender in a process of its own: the job comes as one line of JSON on its standard input.

    Its last line may be a JSON object with the `secrets` that it signs with. One that is still at it when the
    patience is over is ended: what came until then counts.
    """

    words: Sequence[str]
    patience_seconds: float

    def __call__(self, job: Job) -> Sequence[str] | None:
        process = subprocess.Popen(self.words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            printed, _ = process.communicate(json.dumps(asdict(job)) + "\n", timeout=self.patience_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            printed, _ = process.communicate()
        else:
            if process.returncode:
                raise RuntimeError(f"{shlex.join(self.words)} ended with {process.returncode}; see its standard error")
        return _secrets_of(printed)


def _secrets_of(printed: str) -> Sequence[str] | None:
    lines = printed.strip().splitlines()
    with suppress(ValueError):
        answer = json.loads(lines[-1]) if lines else None
        if isinstance(answer, dict) and isinstance(answer.get("secrets"), list):
            return [str(secret) for secret in answer["secrets"]]
    return None
