"""Errors of the tools, each with the exit code that scripts can act on.

MatchcastError
├── BadInput             exit 2  the input cannot be used: a path, a file, an option
└── EnvironmentProblem   exit 3  something that the tool needs is missing: a stack, a port, a bucket
"""

from __future__ import annotations

from matchcast.errors import MatchcastError, ReleaseRefused, Transient


class BadInput(MatchcastError):
    """The input cannot be used; the message says why and what to give instead."""

    code = "bad-input"
    status = 422
    title = "Bad input"


class EnvironmentProblem(MatchcastError):
    """Something that the tool needs is missing; the message says how to get it."""

    code = "environment-problem"
    status = 503
    title = "Environment problem"


def exit_code(error: MatchcastError) -> int:
    """Return 2 for bad input, 3 for something that is missing or out of reach, 4 for a refused release, else 1."""
    match error:
        case ReleaseRefused():
            return 4
        case EnvironmentProblem() | Transient():
            return 3
        case _ if 400 <= error.status < 500:
            return 2
        case _:
            return 1
